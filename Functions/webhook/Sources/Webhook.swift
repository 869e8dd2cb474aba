// Takes what an e-mail service reports, and stages the suppressions that follow from it.
//
//     POST /f/webhook/STREAM/TOPIC    [{"event": "bounce", "email": "a@b.c", ...}, ...]
//                                     or one such object
//
//     bounce                          hard_bounce, all mail: the address is dead
//     bounce with type blocked        soft_bounce, all mail: refused this once
//     spamreport, complaint           complaint, all mail
//     unsubscribe, group_unsubscribe  unsubscribe, of STREAM and TOPIC; all mail without them
//
// Other events (delivered, open, click) say nothing about wishes. The body is read whole before
// anything is staged: half a body stages nothing, and the service sends it again. What is staged is
// acknowledged before the answer leaves, so 200 means that it is kept.

public import FunctionKit

/// Answers the reports of an e-mail service.
public enum Webhook {
    /// Stages what the events ask for.
    ///
    /// - Parameters:
    ///   - request: its path names stream and topic, its body is JSON.
    ///   - context: receives a suppression for each event that is one.
    /// - Returns: 200 with the number staged; 400 for a body that is no list of events.
    public static func handle(_ request: Request, _ context: inout Context) -> Response {
        var reader = EventReader(request.body)
        guard let events = reader.events() else {
            return answer(400, "The body is no JSON list of events; nothing was staged.\n", nil)
        }
        let (stream, topic) = names(request.path)
        var count = 0
        for event in events {
            guard let reason = reason(event), !event.address.isEmpty else { continue }
            let isWish = reason == .unsubscribe
            context.suppress(
                address: event.address,
                stream: isWish ? stream : [],
                topic: isWish ? topic : [],
                reason
            )
            count += 1
        }
        return answer(200, " staged.\n", count)
    }

    /// What an event asks for; nil for nothing.
    private static func reason(_ event: Event) -> Reason? {
        let name = event.name
        if name.equals("bounce") { return event.type.equals("blocked") ? .softBounce : .hardBounce }
        if name.equals("spamreport") || name.equals("complaint") { return .complaint }
        if name.equals("unsubscribe") || name.equals("group_unsubscribe") { return .unsubscribe }
        return nil
    }

    /// Stream and topic, empty where the path has none.
    private static func names(_ path: [UInt8]) -> (stream: [UInt8], topic: [UInt8]) {
        var stream: [UInt8] = []
        var topic: [UInt8] = []
        var slashes = 0
        for byte in path {
            if byte == 0x2f {
                slashes += 1
            } else if slashes == 0 {
                stream.append(byte)
            } else if slashes == 1 {
                topic.append(byte)
            }
        }
        return (stream, topic)
    }

    private static func answer(_ status: UInt16, _ text: StaticString, _ count: Int?) -> Response {
        var body: [UInt8] = []
        if let count { body.append(decimal: count) }
        body.append(text)
        var type: [UInt8] = []
        type.append("text/plain; charset=utf-8")
        return Response(status: status, contentType: type, body: body)
    }
}
