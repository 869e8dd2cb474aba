// One language is one text: a line a sentence, in the order of `Sentence`, the reader's name for
// the sender at {1} and for the list at {2}. Whole sentences with places, since the order of words
// is a language's own; {1} and {2} may stand anywhere or nowhere.
//
// Computed, not stored: a stored string would be made on the guest's arena at its first use and be
// gone after the call. `StaticString` lies in the data segment.

import FunctionKit

/// A line of a language's text.
enum Sentence: Int {
    case tag, direction
    case title, intro, topicsTitle, topicsLegend, topicsButton, noneTicked, moreTopics
    case pauseTitle, pauseList, pauseSender, pauseButton
    case allTitle, allButton, forwarded
    case done, doneTopics, donePauseList, donePauseSender, doneAll, doneRest
    case undoWhy, undo, undone, undoneWhat, tooLate, tooLateWhy, broken, askSender, back
}

/// The names that a sentence may have places for.
struct Names {
    let sender: [UInt8]
    let list: [UInt8]
}

/// The sentences of one language.
struct Words {
    private let text: StaticString

    /// The languages, by their first subtag. The first is for those who want none of them.
    static var tags: [StaticString] {
        ["en", "de", "fr", "es", "it", "pt", "nl", "pl", "ar", "ja"]
    }

    static func text(of place: Int) -> StaticString {
        switch place {
        case 1: german
        case 2: french
        case 3: spanish
        case 4: italian
        case 5: portuguese
        case 6: dutch
        case 7: polish
        case 8: arabic
        case 9: japanese
        default: english
        }
    }

    /// The language that suits the value of Accept-Language best.
    init(_ acceptLanguage: [UInt8]) {
        text = Words.text(of: Language.choose(acceptLanguage, among: Words.tags))
    }

    /// The sentence as HTML.
    ///
    /// - Parameters:
    ///   - names: what stands at its places; escaped here.
    ///   - isBold: whether names stand out; not inside of buttons and titles.
    func html(_ sentence: Sentence, _ names: Names? = nil, isBold: Bool = false) -> [UInt8] {
        var out: [UInt8] = []
        text.withUTF8Buffer { bytes in
            var at = 0
            for _ in 0..<sentence.rawValue {
                while at < bytes.count, unsafe bytes[at] != 0x0a { at += 1 }
                at += 1
            }
            while at < bytes.count, unsafe bytes[at] != 0x0a {
                if let names, at + 2 < bytes.count, unsafe bytes[at] == 0x7b {
                    let name = unsafe bytes[at + 1] == 0x31 ? names.sender : names.list
                    // Direction of its own: a Latin name in Arabic text, or the reverse.
                    out.append(isBold ? "<b dir=\"auto\">" : "<bdi>")
                    out.append(escaped: name)
                    out.append(isBold ? "</b>" : "</bdi>")
                    at += 3
                } else {
                    unsafe out.append(bytes[at])
                    at += 1
                }
            }
        }
        return out
    }

    /// The sentence as a paragraph, its names standing out.
    func paragraph(_ sentence: Sentence, _ names: Names?) -> [UInt8] {
        var out: [UInt8] = []
        out.append("<p>")
        out.append(contentsOf: html(sentence, names, isBold: true))
        out.append("</p>")
        return out
    }

    /// A whole page in this language.
    func page(_ status: UInt16, _ title: Sentence, _ content: [UInt8]) -> Response {
        Document.answer(
            status,
            language: html(.tag),
            isRightToLeft: html(.direction).equals("rtl"),
            title: html(title),
            content
        )
    }
}
