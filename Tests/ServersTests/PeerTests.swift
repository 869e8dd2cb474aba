// Whom a connection is counted against, and what one peer may have, take and do wrong.

import EventLoop
import Servers
import Testing
import Wire

private let host = "Host: h\r\n"

private func key(_ text: String) -> PeerKey? { PeerKey(Array(text.utf8).span) }

@Suite struct PeerKeyTests {
    @Test("ports and the last 72 bits of IPv6 do not count; families and prefixes do")
    func prefixes() {
        #expect(key("203.0.113.9:1") == key("203.0.113.9:65535"))
        #expect(key("203.0.113.9:1") != key("203.0.113.8:1"))
        #expect(key("[2001:db8:1:2ff::9]:1") == key("[2001:db8:1:200:1:2:3:4]:2"))
        #expect(key("[2001:db8:1:2ff::9]:1") != key("[2001:db8:1:3ff::9]:1"))
        #expect(key("[2001:db8::1]:1") == key("[2001:db8:0:0:ffff::]:1"))
        #expect(key("[2001:db8::1]:1") != key("[2001:db9::1]:1"))
        #expect(key("[::ffff:203.0.113.9]:7") == key("203.0.113.9:1"))
        #expect(key("[::ffff:cb00:7109]:7") == key("203.0.113.9:1"))
        #expect(key("[1::]:1") != key("[::1]:1"))
        #expect(key("[fe80::1]:1") == key("[FE80::2]:1"))
    }

    @Test("loopback is told from the rest")
    func loopback() {
        for text in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            #expect(key(text)?.isLoopback == true, "\(text)")
        }
        for text in ["128.0.0.1:1", "1.0.0.127:1", "[7f00::]:1", "[0:0:0:100::]:1"] {
            #expect(key(text)?.isLoopback == false, "\(text)")
        }
    }

    @Test(
        "what is no address has no key",
        arguments: [
            "", "[", "[]:1", "1.2.3:1", "256.1.1.1:1", "a.b.c.d:1", "[1:2:3]:1", "[1::2::3]:1",
            "[1:2:3:4:5:6:7:8:9]:1", "[::1",
        ]
    )
    func malformed(text: String) {
        #expect(key(text) == nil)
    }
}

@Suite struct PeerBudgetTests {
    private let peers = (1...9).compactMap { key("192.0.2.\($0):1") }

    @Test("a burst, and then one an interval, never more")
    func rate() {
        var budget = PeerBudget(intervalNanos: 10, burst: 3, peers: 8)
        let burst = (0..<5).map { _ in budget.spend(peers[0], now: 100) }
        #expect(burst == [true, true, true, false, false])
        let early = budget.spend(peers[0], now: 109)
        let due = budget.spend(peers[0], now: 110)
        let again = budget.spend(peers[0], now: 110)
        #expect(!early && due && !again)
        let rested = (0..<4).map { _ in budget.spend(peers[0], now: 10_000) }
        #expect(rested == [true, true, true, false], "rest is not saved beyond the burst")
    }

    @Test("in any stretch of time no more than burst + time / interval pass")
    func law() {
        var budget = PeerBudget(intervalNanos: 7, burst: 4, peers: 8)
        var passed: [UInt64] = []
        var now: UInt64 = 0
        for step in 0..<5_000 {
            now += UInt64(step * step % 5)
            if budget.spend(peers[0], now: now) { passed.append(now) }
        }
        #expect(passed.count > 1_000)
        for from in passed.indices {
            for width in [4, 5, 11, 50] where from + width < passed.count {
                let time = passed[from + width] - passed[from]
                #expect(UInt64(width + 1) <= 4 + time / 7)
            }
        }
    }

    @Test("peers do not pay for each other, and a clock that runs back forgives nothing")
    func apart() {
        var budget = PeerBudget(intervalNanos: 10, burst: 1, peers: 8)
        let first = budget.spend(peers[0], now: 50)
        let other = budget.spend(peers[1], now: 50)
        let second = budget.spend(peers[0], now: 40)
        #expect(first && other && !second)
    }

    @Test("the table is bounded; the peers that erred last are remembered")
    func bounded() {
        var budget = PeerBudget(intervalNanos: 1_000, burst: 1, peers: 4)
        var most = 0
        for peer in peers {
            let passes = budget.spend(peer, now: 0)
            let isKnown = !budget.spend(peer, now: 0)
            #expect(passes && isKnown)
            most = max(most, budget.peers)
        }
        #expect(most == 4)
        let isForgotten = budget.spend(peers[0], now: 0)
        let isKept = !budget.spend(peers[8], now: 0)
        #expect(isForgotten && isKept)
    }

    @Test("who goes on erring is not forgotten, whoever else comes")
    func persistent() {
        var budget = PeerBudget(intervalNanos: 1_000_000, burst: 1, peers: 4)
        var passed = 0
        for round in 0..<100 {
            if budget.spend(peers[0], now: 0) { passed += 1 }
            _ = budget.spend(peers[1 + round % 8], now: 0)
        }
        #expect(passed == 1)
    }
}

@Suite struct PeerBoundTests {
    @Test("connections over a peer's share are turned away, until it closes one")
    func share() throws {
        let rig = try Rig { $0.connectionsFromLoopback = 2 }
        let first = try rig.client("GET /1 HTTP/1.1\r\n\(host)\r\n")
        let second = try rig.client("GET /1 HTTP/1.1\r\n\(host)\r\n")
        rig.until { !first.got.isEmpty && !second.got.isEmpty }
        let third = try rig.client("GET /1 HTTP/1.1\r\n\(host)\r\n")
        rig.until { third.hasFinished }
        #expect(third.got.isEmpty && rig.server.counters.turnedAwayPeers == 1)
        rig.clients[0].close()
        rig.until { rig.server.counters.open == 1 }
        let fourth = try rig.client("GET /1 HTTP/1.1\r\n\(host)\r\n")
        rig.until { !fourth.got.isEmpty }
        #expect(rig.server.counters.turnedAway == 0)
        rig.close()
    }

    @Test("loopback has no share of its own by default")
    func loopback() throws {
        let rig = try Rig { $0.connectionsPerPeer = 1 }
        let first = try rig.client("GET /1 HTTP/1.1\r\n\(host)\r\n")
        let second = try rig.client("GET /1 HTTP/1.1\r\n\(host)\r\n")
        rig.until { !first.got.isEmpty && !second.got.isEmpty }
        rig.close()
    }

    @Test("the same for RESP")
    func resp() throws {
        let rig = try RESPRig { $0.connectionsFromLoopback = 1 }
        let first = try rig.client(auth)
        rig.until { first.got == "+OK\r\n" }
        let second = try rig.client(auth)
        rig.until { second.hasFinished }
        #expect(second.got.isEmpty && rig.server.counters.turnedAwayPeers == 1)
        rig.clients[0].close()
        rig.until { rig.server.counters.open == 0 }
        #expect(try rig.answer(auth + quit) == "+OK\r\n+OK\r\n")
        rig.close()
    }

    @Test("the service can ask whom an exchange is counted against")
    func peerOf() throws {
        let rig = try Rig()
        _ = try rig.client("GET /later HTTP/1.1\r\n\(host)\r\n")
        rig.until { rig.routes.waiting.count == 1 }
        let exchange = rig.routes.waiting[0]
        #expect(rig.server.peer(of: exchange) == key("127.0.0.1:1"))
        rig.server.complete(exchange) { $0.problem(.notFound, detail: "") }
        rig.clients[0].close()
        rig.until { rig.server.counters.open == 0 }
        #expect(rig.server.peer(of: exchange) == nil)
        rig.close()
    }

    @Test("the last request of a connection says so")
    func requests() throws {
        let rig = try Rig { $0.requestsPerConnection = 3 }
        let one = "GET /1 HTTP/1.1\r\n\(host)\r\n"
        let client = try rig.client(one + one + one + one)
        rig.until { client.hasFinished }
        #expect(client.statuses == ["200", "200", "200"])
        let parts = client.got.split(separator: "Connection: close")
        #expect(parts.count == 2 && parts[0].hasSuffix("/1HTTP/1.1 200 OK\r\n"))
        rig.close()
    }

    @Test("who sends nonsense all the time gets no answer to it; what is in order is served")
    func faults() throws {
        let rig = try Rig { $0.countsLoopbackFaults = true }
        for _ in 0..<100 {
            let client = try rig.client("nonsense\r\n\r\n")
            rig.until { client.hasFinished }
            #expect(client.statuses == ["400"])
            rig.clients.removeLast().close()
        }
        let silent = try rig.client("GET /1 HTTP/1.1\r\n\(host)\r\nnonsense\r\n\r\n")
        rig.until { silent.hasFinished }
        #expect(!silent.statuses.contains("400") && rig.server.counters.overBudget == 1)
        let valid = try rig.client("GET /later HTTP/1.1\r\n\(host)\r\n")
        rig.until { rig.routes.waiting.count == 1 }
        let exchange = rig.routes.waiting[0]
        #expect(!rig.server.spend(exchange), "a service's faults are counted with them")
        rig.server.complete(exchange) { answer in
            answer.start(.ok)
            answer.sendEmpty()
        }
        rig.until { valid.statuses == ["200"] }
        rig.server.sweep(now: 200)
        let forgiven = try rig.client("nonsense\r\n\r\n")
        rig.until { forgiven.hasFinished }
        #expect(forgiven.statuses == ["400"])
        rig.close()
    }

    @Test("by default loopback is never over its budget, as a proxy there is everybody")
    func proxy() throws {
        let rig = try Rig()
        for _ in 0..<101 {
            let client = try rig.client("nonsense\r\n\r\n")
            rig.until { client.hasFinished }
            #expect(client.statuses == ["400"])
            rig.clients.removeLast().close()
        }
        rig.close()
    }

    @Test("a body in time or size is no nonsense: it spends nothing, a broken one does")
    func malformed() {
        let free = HTTPRefusal.allCases.filter { !$0.isMalformed }
        #expect(free == [.body, .headTime, .bodyTime])
    }

    @Test("servers share 90 % of the descriptors, and no server has too many or none")
    func descriptors() {
        #expect(ConnectionShare.each(descriptors: 1_000, servers: 4) == 225)
        #expect(ConnectionShare.each(descriptors: 1_048_576, servers: 4) == 10_000)
        #expect(ConnectionShare.each(descriptors: 10, servers: 4) == 1)
    }
}

@Suite struct RESPUnfinishedTests {
    /// The beginning of an MGET: `words` of ten words, each 1,000 bytes.
    private func part(_ words: Int) -> String {
        let word = "$1000\r\n" + String(repeating: "a", count: 1_000) + "\r\n"
        return "*11\r\n$4\r\nMGET\r\n" + String(repeating: word, count: words)
    }

    @Test("the command with which all together keep too much is refused, the others go on")
    func cap() throws {
        let rig = try RESPRig { $0.unfinishedBytes = 8_000 }
        let first = try rig.client(auth + part(9))
        rig.until { rig.server.counters.receivedBytes > 9_000 && first.got == "+OK\r\n" }
        let small = try rig.client(auth + part(4))
        rig.until { small.got == "+OK\r\n" }
        let second = try rig.client(auth + part(9))
        rig.until { second.hasFinished }
        let refused = "-ERR too many large commands are arriving at once; send smaller ones\r\n"
        #expect(second.got == "+OK\r\n" + refused)
        #expect(rig.server.counters.refused(.unfinished) == 1)
        #expect(!small.hasFinished, "4 KiB are everybody's")
        let rest = part(10).dropFirst(part(9).count)
        first.send(String(rest), on: rig.clients[0])
        let reply = "*10\r\n" + String(repeating: "$1\r\n1\r\n", count: 10)
        rig.until { first.got == "+OK\r\n" + reply }
        let third = try rig.client(auth + part(9))
        rig.until { third.got == "+OK\r\n" }
        rig.clients[3].close()
        rig.until { rig.server.counters.open == 2 }
        let before = rig.server.counters.receivedBytes
        let fourth = try rig.client(auth + part(9))
        rig.until { rig.server.counters.receivedBytes > before + 9_000 && !fourth.got.isEmpty }
        fourth.send(String(rest) + quit, on: rig.clients[4])
        rig.until { fourth.hasFinished }
        #expect(fourth.got == "+OK\r\n" + reply + "+OK\r\n", "who is gone keeps nothing")
        #expect(rig.server.counters.refused(.unfinished) == 1)
        rig.close()
    }

    @Test("a stranger keeps 4 KiB at most, however it announces them", arguments: 0..<4)
    func stranger(how: Int) throws {
        let much = String(repeating: "a", count: 2_500)
        let texts = [
            "*2\r\n$4\r\nAUTH\r\n$4097\r\n", "*11\r\n", "AUTH \(much)\(much)",
            "*3\r\n$4\r\nAUTH\r\n$2500\r\n\(much)\r\n$2500\r\n",
        ]
        let text = texts[how]
        let rig = try RESPRig()
        let client = try rig.client(text)
        rig.until { client.hasFinished }
        #expect(client.got.hasPrefix("-ERR Protocol error"))
        #expect(rig.server.counters.refusedInAll == 1)
        rig.close()
    }
}
