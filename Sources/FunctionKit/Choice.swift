// What the preferences page offers beyond its link: single topics, a pause, everything.
//
//     choice=topics & topic=HHHHHHHH & ...   the boxes that are ticked, by the topic's id
//     choice=pause                           nothing of this stream for 30 days
//     choice=all                             nothing of this sender
//
// The host reads this and stages it before the page's function runs, as it does with the link's own
// opt-out: what a person chose is not lost by a bug in a page (DESIGN 9).

public import Suppression

/// A topic that a page may offer.
public struct TopicChoice: Equatable, Sendable {
    /// Its id.
    public let id: TopicID
    /// Its display name, UTF-8.
    public let name: [UInt8]

    /// Puts one together.
    public init(id: TopicID, name: [UInt8]) {
        self.id = id
        self.name = name
    }
}

/// What somebody chose on the preferences page.
public enum Choice: Equatable, Sendable {
    /// These topics of the link's stream; maybe none.
    case topics([TopicID])
    /// All of the link's stream, for a while.
    case pause
    /// All mail of the sender.
    case all

    /// Seconds that a pause lasts: 30 days.
    public static var pauseSeconds: UInt64 { 2_592_000 }

    /// Reads the fields; nil for a form that chooses nothing we know, or a topic that is none.
    public init?(_ form: Form) {
        guard let word = form.value(of: "choice") else { return nil }
        if word.equals("pause") {
            self = .pause
        } else if word.equals("all") {
            self = .all
        } else if word.equals("topics") {
            var topics: [TopicID] = []
            for value in form.values(of: "topic") {
                guard let id = Choice.number(value), topics.count < Limits.topicsCount else {
                    return nil
                }
                topics.append(TopicID(raw: id))
            }
            self = .topics(topics)
        } else {
            return nil
        }
    }

    /// The marks that stand for the choice of somebody with this link.
    ///
    /// - Parameter offered: the topics of the link's stream; others are nobody's.
    public func effects(_ claims: TokenClaims, offered: [TopicChoice]) -> [Effect] {
        switch self {
        case .all: return [.suppress(.tenant, .unsubscribe)]
        case .pause: return [.suppress(Scope(stream: claims.scope.stream, topic: .any), .pause)]
        case .topics(let chosen):
            var effects: [Effect] = []
            for topic in offered where chosen.contains(where: { $0.raw == topic.id.raw }) {
                let scope = Scope(stream: claims.scope.stream, topic: topic.id)
                effects.append(.suppress(scope, .unsubscribe))
            }
            return effects
        }
    }

    /// Eight hexadecimal digits, as the page writes them.
    private static func number(_ text: [UInt8]) -> UInt32? {
        guard text.count == 8 else { return nil }
        var value: UInt32 = 0
        for byte in text {
            guard let digit = Percent.digit(byte) else { return nil }
            value = value << 4 | UInt32(digit)
        }
        return value
    }
}

extension TopicChoice {
    /// What the page's box sends for it: eight hexadecimal digits.
    public var digits: [UInt8] {
        var out: [UInt8] = []
        for i in 0..<8 {
            let digit = UInt8(truncatingIfNeeded: id.raw >> UInt32(28 - 4 * i)) & 15
            out.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
        }
        return out
    }
}
