// A RESP server, its clients and its turns on one loop over loopback, with a service that knows who
// is suppressed by the first letter.

import EventLoop
import Servers
import Testing
import Wire

/// `s...` is suppressed; SADD to a set that begins with `later` waits; the key of anyone is "key".
final class Sets: RESPService {
    var waiting: [(exchange: Exchange, count: Int)] = []
    var batches: [Int] = []
    var isRevoked = false
    var wordsThisTurn = 0
    var mostWords = 0

    func authenticate(user: Span<UInt8>, key: Span<UInt8>) -> UInt64? {
        key.count == 3 && key[0] == 0x6B ? UInt64(user.count) : nil
    }

    func serve(
        batch: borrowing RESPBatch, bytes: Span<UInt8>, exchange: Exchange,
        session: inout RESPSession, into replies: inout RESPReplies
    ) -> Disposition {
        batches.append(batch.commands.count)
        for command in batch.commands { wordsThisTurn += command.words.count }
        mostWords = max(mostWords, wordsThisTurn)
        if isRevoked {
            session.principal = nil
            for _ in batch.commands { replies.error("NOAUTH revoked") }
            return .answered
        }
        let first = batch.words[batch.commands[0].words.lowerBound]
        if batch.isWrite, bytes[Int(first.start)] == 0x6C {
            waiting.append((exchange, batch.commands.count))
            return .later
        }
        for command in batch.commands {
            let words = batch.words[command.words]
            func isSuppressed(_ word: RESPWord) -> Bool {
                word.count > 0 && bytes[Int(word.start)] == 0x73
            }
            switch command.name {
            case .sismember: replies.integer(isSuppressed(words[words.startIndex + 1]) ? 1 : 0)
            case .smismember:
                replies.array(words.count - 1)
                for word in words.dropFirst() { replies.integer(isSuppressed(word) ? 1 : 0) }
            case .mget:
                replies.array(words.count)
                for word in words { isSuppressed(word) ? replies.null() : replies.bulk("1") }
            case .get:
                isSuppressed(words[words.startIndex]) ? replies.null() : replies.bulk("1")
            case .srem: replies.error("NOPERM")
            default: replies.integer(words.count - 1)
            }
        }
        return .answered
    }
}

/// A loop with a RESP server that sweeps only when told.
final class RESPRig: Turn {
    let loop: Loop
    let sets = Sets()
    let server: RESPServer
    var clients: [Stream] = []
    /// Bytes come, nothing is served.
    var isHeld = false
    private var condition: () -> Bool = { false }
    private let dog: Timer

    init(_ adjust: (inout RESPOptions) -> Void = { _ in }) throws {
        loop = try Loop()
        var options = RESPOptions()
        options.sweepMilliseconds = 0
        options.version = "1.2.3"
        adjust(&options)
        server = try RESPServer(loop: loop, service: sets, options: options)
        try server.listen(host: "127.0.0.1", port: 0)
        let loop = loop
        dog = try Timer(on: loop, after: 5_000, every: 500) {
            Issue.record("the condition never came true")
            loop.stop()
        }
        loop.turn = self
        server.sweep(now: 0)
    }

    func turn(loop: Loop) {
        sets.wordsThisTurn = 0
        if !isHeld { server.turn() }
        if condition() { loop.stop() }
    }

    /// Runs the loop until the condition holds at the end of a turn.
    func until(_ condition: @escaping () -> Bool) {
        self.condition = condition
        loop.run()
        self.condition = { false }
    }

    func client(_ request: String, reads: Bool = true) throws -> Client {
        let client = Client(request)
        client.reads = reads
        let stream = try Stream.connect(
            on: loop, host: "127.0.0.1", port: server.ports[0], owner: client)
        stream.writeCap = 32 << 20
        clients.append(stream)
        return client
    }

    /// What comes back until the server closes, which QUIT at the end makes it do.
    func answer(_ request: String) throws -> String {
        let client = try client(request)
        until { client.hasFinished }
        return client.got
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

/// A command as clients send it.
func array(_ words: String...) -> String {
    "*\(words.count)\r\n" + words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()
}

let auth = array("AUTH", "acme", "key")
let quit = array("QUIT")

@Suite struct RESPServerTests {
    @Test("1,000 pipelined checks are answered in order, in batches of 64 at most")
    func pipeline() throws {
        let rig = try RESPRig()
        var request = auth
        var expected = "+OK\r\n"
        for index in 0..<1_000 {
            let isSuppressed = index % 3 == 0
            request += array("SISMEMBER", "m:n", (isSuppressed ? "s" : "a") + "\(index)@b.c")
            expected += isSuppressed ? ":1\r\n" : ":0\r\n"
        }
        #expect(try rig.answer(request + quit) == expected + "+OK\r\n")
        #expect(rig.sets.batches.max() == 64)
        #expect(rig.sets.batches.reduce(0, +) == 1_000)
        #expect(rig.sets.batches.count < 60, "runs, not single commands")
        #expect(rig.server.counters.commands == 1_002)
        rig.close()
    }

    @Test("a read that goes on after a batch needs no further event from the client")
    func again() throws {
        let rig = try RESPRig()
        let one = array("GET", "a")
        let client = try rig.client(auth + String(repeating: one, count: 500), reads: false)
        rig.until { rig.sets.batches.reduce(0, +) == 500 }
        rig.clients[0].startReading()
        rig.until { client.got == "+OK\r\n" + String(repeating: "$1\r\n1\r\n", count: 500) }
        rig.close()
    }

    @Test("answers of the server itself cut a run and keep their place")
    func order() throws {
        let rig = try RESPRig()
        let got = try rig.answer(
            auth + array("GET", "s") + array("GET", "a") + "PING\r\n" + array("MGET", "s", "a")
                + array("SMISMEMBER", "m:n", "s", "a") + array("GET") + array("SREM", "m:n", "a")
                + array("EXISTS", "a", "b", "c") + quit)
        #expect(
            got == "+OK\r\n$-1\r\n$1\r\n1\r\n+PONG\r\n*2\r\n$-1\r\n$1\r\n1\r\n*2\r\n:1\r\n:0\r\n"
                + "-ERR wrong number of arguments for 'get' command\r\n-NOPERM\r\n:2\r\n+OK\r\n")
        #expect(rig.sets.batches == [2, 2, 1, 1])
        rig.close()
    }

    @Test("a run of writes may be promised; what is behind it waits, others do not")
    func later() throws {
        let rig = try RESPRig()
        let add = array("SADD", "later:n", "a")
        let client = try rig.client(auth + array("GET", "a") + add + add + array("GET", "s"))
        rig.until { rig.sets.waiting.count == 1 }
        let other = try rig.client(auth + array("GET", "a"))
        rig.until { other.got == "+OK\r\n$1\r\n1\r\n" }
        #expect(client.got == "+OK\r\n$1\r\n1\r\n")
        let (exchange, count) = rig.sets.waiting[0]
        #expect(count == 2)
        #expect(rig.server.peer(exchange)?.isEmpty == false)
        let isDone = rig.server.complete(exchange) { replies in
            replies.integer(1)
            replies.error("TRYAGAIN no majority")
        }
        #expect(isDone)
        rig.until { client.got.hasSuffix(":1\r\n-TRYAGAIN no majority\r\n$-1\r\n") }
        #expect(!rig.server.complete(exchange) { _ in Issue.record("answered twice") })
        rig.close()
    }

    @Test("replies for a gone connection are harmless, also when its slot is taken again")
    func completionAfterClose() throws {
        let rig = try RESPRig()
        let add = auth + array("SADD", "later:n", "a")
        let first = try rig.client(add)
        rig.until { rig.sets.waiting.count == 1 && !first.got.isEmpty }
        let stale = rig.sets.waiting[0].exchange
        rig.clients[0].close()
        let next = try rig.client(auth)
        rig.until { !next.got.isEmpty }
        rig.server.complete(stale) { $0.integer(1) }
        rig.until { rig.server.counters.open == 1 }
        #expect(!rig.server.complete(stale) { _ in Issue.record("answered a dead run") })
        _ = try rig.client(add)
        rig.until { rig.sets.waiting.count == 2 }
        #expect(!rig.server.complete(stale) { _ in Issue.record("answered a stranger") })
        rig.close()
    }

    @Test("a key that is revoked ends the session, not the connection")
    func revoked() throws {
        let rig = try RESPRig()
        rig.sets.isRevoked = true
        let got = try rig.answer(
            auth + array("GET", "a") + array("SADD", "m:n", "a") + "PING\r\n" + quit)
        let refused = "-NOAUTH Authentication required.\r\n"
        #expect(got == "+OK\r\n-NOAUTH revoked\r\n\(refused)\(refused)+OK\r\n")
        let client = try rig.client(auth)
        rig.until { client.got == "+OK\r\n" }
        rig.server.sweep(now: 8_000)
        client.send(array("GET", "a"), on: rig.clients[1])
        rig.until { client.got == "+OK\r\n-NOAUTH revoked\r\n" }
        rig.server.sweep(now: 18_000)
        #expect(rig.server.counters.refused(.authTime) == 0, "10 s from the revocation")
        rig.server.sweep(now: 18_001)
        #expect(rig.server.counters.refused(.authTime) == 1)
        rig.close()
    }

    @Test("a command cut at any byte is answered the same")
    func splits() throws {
        let rig = try RESPRig()
        let request = array("SISMEMBER", "m:n", "s@b.c") + "PING\r\n"
        let bytes = Array(request.utf8)
        let client = try rig.client(auth)
        rig.until { client.got == "+OK\r\n" }
        for cut in 1..<bytes.count {
            let before = rig.server.counters.receivedBytes
            client.got = ""
            let head = String(decoding: bytes[..<cut], as: UTF8.self)
            client.send(head, on: rig.clients[0])
            rig.until { rig.server.counters.receivedBytes == before + head.utf8.count }
            client.send(String(decoding: bytes[cut...], as: UTF8.self), on: rig.clients[0])
            rig.until { client.got == ":1\r\n+PONG\r\n" }
        }
        rig.close()
    }

    @Test("the greedy share a turn's bound, and who came with one check waits for no more than it")
    func serverTurn() throws {
        let rig = try RESPRig()
        let many = "*3001\r\n$4\r\nMGET\r\n" + String(repeating: "$1\r\na\r\n", count: 3_000)
        var greedy: [Client] = []
        for _ in 0..<20 { greedy.append(try rig.client(auth)) }
        rig.until { greedy.allSatisfy { $0.got == "+OK\r\n" } }
        rig.isHeld = true
        let before = rig.server.counters.receivedBytes
        for stream in rig.clients {
            let bytes = Array(many.utf8)
            stream.write(bytes.span)
        }
        rig.until { rig.server.counters.receivedBytes == before + 20 * many.utf8.count }
        rig.isHeld = false
        rig.until { greedy.allSatisfy { $0.got.utf8.count == 5 + 7 + 3_000 * 7 } }
        #expect(rig.sets.batches.count == 20)
        #expect(rig.sets.mostWords >= 16_384 && rig.sets.mostWords < 16_384 + 3_001)
        rig.close()
    }

    @Test("what is not served yet waits with the kernel, beyond two reads of it")
    func backPressure() throws {
        let rig = try RESPRig()
        let client = try rig.client(auth)
        rig.until { client.got == "+OK\r\n" }
        rig.isHeld = true
        let one = array("SISMEMBER", "m:n", "a@b.c")
        client.send(String(repeating: one, count: 50_000), on: rig.clients[0])
        var turns = 0
        rig.until {
            turns += 1
            if turns < 200 { rig.loop.again() }
            return turns >= 200
        }
        #expect(rig.server.counters.receivedBytes <= auth.utf8.count + 2 * 65_536)
        rig.isHeld = false
        rig.until { client.got.utf8.count == 5 + 50_000 * 4 }
        rig.close()
    }

    @Test("a reader that stalls is served no further, and all of it once it reads")
    func slowReader() throws {
        let rig = try RESPRig()
        let text = String(repeating: "x", count: 4_000)
        let request = auth + String(repeating: array("ECHO", text), count: 4_000) + quit
        let client = try rig.client(request, reads: false)
        var before = -1
        var still = 0
        rig.until {
            still = rig.server.counters.commands == before ? still + 1 : 0
            before = rig.server.counters.commands
            if before > 0, still < 50 { rig.loop.again() }
            return before > 0 && still >= 50
        }
        let served = rig.server.counters.commands
        #expect(served < 4_000, "16 MB of replies are not kept for who does not read")
        rig.clients[0].startReading()
        rig.until { client.hasFinished }
        let reply = "$4000\r\n\(text)\r\n"
        #expect(client.got == "+OK\r\n" + String(repeating: reply, count: 4_000) + "+OK\r\n")
        rig.close()
    }
}
