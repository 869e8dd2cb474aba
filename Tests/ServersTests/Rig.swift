// A server, its clients and its turns on one loop over loopback: no threads, no sleeps, time by
// hand.

import EventLoop
import Servers
import Testing
import Wire

/// Routes for the tests: /later, /big, /echo, /import with a streamed body, and any other.
final class Routes: HTTPService {
    var waiting: [Exchange] = []
    var served = 0

    // Streamed bodies and answers: what the server called, and what to say.
    var begun: [Exchange] = []
    var ended: [Exchange] = []
    var gone: [Exchange] = []
    var came: [UInt8] = []
    var cameInTurn = 0
    var mostInTurn = 0
    var drains = 0
    var offers = 0
    /// How many of so many bytes are taken.
    var take: (Int) -> Int = { $0 }
    var onReceive: (Exchange) -> Void = { _ in }
    var onEnd: (Exchange) -> Void = { _ in }
    var onDrained: (Exchange) -> Void = { _ in }

    func plan(head: borrowing RequestHead, bytes: Span<UInt8>) -> BodyPlan {
        text(bytes.extracting(head.path.range)).hasPrefix("/import")
            ? .streamed : .whole(limit: 100_000)
    }

    func begin(
        head: borrowing RequestHead,
        bytes: Span<UInt8>,
        exchange: Exchange,
        into answer: inout HTTPAnswer
    ) -> Disposition {
        if text(bytes.extracting(head.path.range)) == "/import/no" {
            answer.problem(.unsupportedMediaType, detail: "Send CSV.")
            return .answered
        }
        begun.append(exchange)
        return .later
    }

    func receive(_ exchange: Exchange, _ bytes: Span<UInt8>) -> Int {
        offers += 1
        let taken = take(bytes.count)
        for index in 0..<taken { came.append(bytes[index]) }
        cameInTurn += taken
        mostInTurn = max(mostInTurn, cameInTurn)
        onReceive(exchange)
        return taken
    }

    func bodyEnded(_ exchange: Exchange) {
        ended.append(exchange)
        onEnd(exchange)
    }

    func abandoned(_ exchange: Exchange) { gone.append(exchange) }

    func drained(_ exchange: Exchange) {
        drains += 1
        onDrained(exchange)
    }

    func serve(
        head: borrowing RequestHead,
        bytes: Span<UInt8>,
        exchange: Exchange,
        into answer: inout HTTPAnswer
    ) -> Disposition {
        served += 1
        let path = text(bytes.extracting(head.path.range))
        switch path {
        case "/later":
            waiting.append(exchange)
            return .later
        case "/big":
            answer.start(.ok)
            answer.openBody("text/plain")
            for _ in 0..<100_000 { answer.append("0123456789") }
            answer.closeBody()
        case "/echo":
            answer.start(.ok)
            answer.send("text/plain", bytes.extracting(head.body.range))
        default:
            answer.start(.ok)
            answer.send("text/plain", path)
        }
        return .answered
    }

    private func text(_ span: Span<UInt8>) -> String {
        var text = ""
        for index in span.indices { text.unicodeScalars.append(Unicode.Scalar(span[index])) }
        return text
    }
}

/// One client connection that keeps all it gets.
final class Client: StreamOwner {
    var got = ""
    var hasFinished = false
    var reads = true
    /// Bytes that came; they are not kept as text unless `keeps`.
    var gotBytes = 0
    var keeps = true
    private let request: String

    init(_ request: String) { self.request = request }

    func streamConnected(_ stream: Stream) {
        if reads { stream.startReading() }
        send(request, on: stream)
    }

    func send(_ text: String, on stream: Stream) {
        let bytes = Array(text.utf8)
        stream.write(bytes.span)
    }

    func stream(_ stream: Stream, received bytes: Span<UInt8>) {
        gotBytes += bytes.count
        guard keeps else { return }
        var chunk: [UInt8] = []
        for index in bytes.indices { chunk.append(bytes[index]) }
        got += String(decoding: chunk, as: UTF8.self)
    }

    func streamFinished(_ stream: Stream) {
        hasFinished = true
        stream.close()
    }

    func streamEnded(_ stream: Stream, reason: EndReason) { hasFinished = true }

    /// The status codes of all responses, in order.
    var statuses: [String] {
        got.split(separator: "HTTP/1.1 ").map { String($0.prefix(3)) }
    }
}

/// A loop with a server that sweeps only when told.
final class Rig: Turn {
    let loop: Loop
    let routes = Routes()
    let server: HTTPServer
    var clients: [Stream] = []
    var quiet = (served: 0, turns: 0)
    var turns = 0
    private var condition: () -> Bool = { false }
    private let dog: Timer

    init(_ adjust: (inout HTTPOptions) -> Void = { _ in }) throws {
        ignoreBrokenPipe()
        loop = try Loop()
        var options = HTTPOptions()
        options.sweepMilliseconds = 0
        adjust(&options)
        server = try HTTPServer(loop: loop, service: routes, options: options)
        try server.listen(host: "127.0.0.1", port: 0)
        let loop = loop
        dog = try Timer(on: loop, after: 10_000, every: 500) {
            Issue.record("the condition never came true")
            loop.stop()
        }
        loop.turn = self
        server.sweep(now: 0)
    }

    func turn(loop: Loop) {
        turns += 1
        routes.cameInTurn = 0
        server.turn()
        if condition() { loop.stop() }
    }

    /// Runs the loop until the condition holds at the end of a turn.
    func until(_ condition: @escaping () -> Bool) {
        self.condition = condition
        loop.run()
        self.condition = { false }
    }

    /// Runs the loop for so many turns without waiting.
    func pass(turns: Int) {
        var left = turns
        until { [self] in
            left -= 1
            if left > 0 { loop.again() }
            return left <= 0
        }
    }

    func client(_ request: String, reads: Bool = true) throws -> Client {
        let client = Client(request)
        client.reads = reads
        let port = server.ports[0]
        let stream = try Stream.connect(
            on: loop,
            host: "127.0.0.1",
            port: port,
            owner: client
        )
        stream.writeCap = 32 << 20
        clients.append(stream)
        return client
    }

    func close() {
        for client in clients { client.close() }
        server.close()
        dog.close()
        loop.run()
        #expect(server.counters.open == 0)
        loop.close()
    }
}
