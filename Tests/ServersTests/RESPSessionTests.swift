// HELLO, AUTH and the other commands about the connection, in the words that clients look for; and
// the bounds of time and size.

import EventLoop
import Servers
import Testing
import Wire

private let noAuth = "-NOAUTH Authentication required.\r\n"

@Suite struct RESPSessionTests {
    @Test("before AUTH everything is NOAUTH but what leads to it")
    func strangers() throws {
        let rig = try RESPRig()
        for words in ["PING", "GET a", "INFO", "COMMAND", "CONFIG GET x", "CLIENT ID", "SELECT 0"] {
            #expect(try rig.answer(words + "\r\n" + quit) == noAuth + "+OK\r\n", "\(words)")
        }
        #expect(try rig.answer("RESET\r\nQUIT\r\n") == "+RESET\r\n+OK\r\n")
        #expect(try rig.answer("HELLO 3\r\nQUIT\r\n").hasPrefix("-NOAUTH HELLO must be called"))
        #expect(rig.sets.batches.isEmpty)
        rig.close()
    }

    @Test("a wrong key is WRONGPASS, and whoever was recognised stays")
    func wrongKey() throws {
        let rig = try RESPRig()
        let wrong = "-WRONGPASS invalid username-password pair or user is disabled.\r\n"
        let got = try rig.answer(
            array("AUTH", "acme", "bad") + "PING\r\n" + array("AUTH", "key")
                + array("AUTH", "acme", "bad") + "PING\r\nHELLO 3 AUTH acme bad\r\nAUTH\r\n" + quit)
        #expect(
            got == wrong + noAuth + "+OK\r\n" + wrong + "+PONG\r\n" + wrong
                + "-ERR wrong number of arguments for 'auth' command\r\n+OK\r\n")
        #expect(rig.server.counters.wrongKeys == 3)
        rig.close()
    }

    @Test("HELLO switches the version and says who we are")
    func hello() throws {
        let rig = try RESPRig()
        let got = try rig.answer(
            "HELLO 3 AUTH acme key SETNAME worker-7\r\nGET s\r\nCLIENT GETNAME\r\n"
                + "HELLO 2\r\nGET s\r\nHELLO 3\r\nRESET\r\n\(auth)GET s\r\n" + quit)
        func greeting(_ mark: String, _ version: Int) -> String {
            "\(mark)\r\n$6\r\nserver\r\n$5\r\nquell\r\n$7\r\nversion\r\n$5\r\n1.2.3\r\n"
                + "$5\r\nproto\r\n:\(version)\r\n$2\r\nid\r\n:1\r\n"
                + "$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n"
                + "$7\r\nmodules\r\n*0\r\n"
        }
        #expect(
            got == greeting("%7", 3) + "_\r\n$8\r\nworker-7\r\n" + greeting("*14", 2)
                + "$-1\r\n" + greeting("%7", 3) + "+RESET\r\n+OK\r\n$-1\r\n+OK\r\n")
        rig.close()
    }

    static let sessions: [(String, String)] = [
        ("HELLO 4", "-NOPROTO unsupported protocol version"),
        ("HELLO x", "-ERR Protocol version is not an integer or out of range"),
        ("HELLO 3 AUTH a", "-ERR Syntax error in HELLO option 'AUTH'"),
        ("HELLO 3 NOPE", "-ERR Syntax error in HELLO option 'NOPE'"),
        ("PING", "+PONG"), ("ping hi", "$2\r\nhi"), ("ECHO hi", "$2\r\nhi"),
        ("PING a b", "-ERR wrong number of arguments for 'ping' command"),
        ("CLIENT ID", ":1"), ("CLIENT GETNAME", "$-1"), ("CLIENT SETNAME w", "+OK"),
        ("CLIENT SETINFO lib-name redis-py", "+OK"),
        ("CLIENT SETINFO lib-name", "-ERR wrong number of arguments for 'client|setinfo' command"),
        ("CLIENT", "-ERR wrong number of arguments for 'client' command"),
        (
            "CLIENT KILL x",
            "-ERR unknown subcommand 'KILL'. Quell knows CLIENT SETNAME, SETINFO, ID and GETNAME."
        ),
        ("COMMAND", "*0"), ("COMMAND DOCS", "*0"), ("COMMAND COUNT", ":17"),
        ("SELECT 0", "+OK"), ("SELECT 1", "-ERR DB index is out of range"),
        ("SELECT x", "-ERR value is not an integer or out of range"),
        ("CONFIG GET save", "-ERR unknown command 'CONFIG'"),
        ("SET a@b.c 1", "-ERR unknown command 'SET'"),
        ("SISMEMBER m:n", "-ERR wrong number of arguments for 'sismember' command"),
        ("SISMEMBER m:n a b", "-ERR wrong number of arguments for 'sismember' command"),
        ("SADD m:n", "-ERR wrong number of arguments for 'sadd' command"),
        ("MGET", "-ERR wrong number of arguments for 'mget' command"),
        ("RESET", "+RESET"),
    ]

    @Test("commands about the connection, and errors after which it stays", arguments: sessions)
    func answers(command: String, reply: String) throws {
        let rig = try RESPRig()
        #expect(try rig.answer("\(auth)\(command)\r\nQUIT\r\n") == "+OK\r\n\(reply)\r\n+OK\r\n")
        rig.close()
    }

    @Test("INFO is text of lines; a client's name is printable; RESET makes a stranger again")
    func words() throws {
        let rig = try RESPRig()
        let about = try rig.answer(auth + "INFO server\r\nQUIT\r\n")
        #expect(about.contains("\r\nquell_version:1.2.3\r\n"))
        let got = try rig.answer(
            auth + array("CLIENT", "SETNAME", "a b")
                + "CLIENT SETNAME é\r\nRESET\r\nPING\r\n" + quit)
        let wrong = "-ERR Client names cannot contain spaces, newlines or special characters.\r\n"
        #expect(got == "+OK\r\n\(wrong)\(wrong)+RESET\r\n\(noAuth)+OK\r\n")
        rig.close()
    }

    @Test("a broken frame is an error after the replies before it, and the end")
    func refusal() throws {
        let rig = try RESPRig()
        let got = try rig.answer(auth + array("GET", "a") + "*-1\r\n" + array("GET", "a"))
        #expect(
            got == "+OK\r\n$1\r\n1\r\n-ERR Protocol error: invalid multibulk length\r\n")
        #expect(rig.server.counters.refused(.arrayLength) == 1)
        rig.close()
    }

    @Test("an HTTP request ends at its first line without a reply", arguments: [false, true])
    func crossProtocol(isKnown: Bool) throws {
        let rig = try RESPRig()
        let start = isKnown ? auth + "PING\r\n" : ""
        let known = try rig.answer(start + "POST / HTTP/1.1\r\n\(auth)SADD m:n a\r\n")
        let host = try rig.answer(start + "host: h\r\n" + auth)
        let framed = try rig.answer(start + array("POST", "x"))
        #expect(known.isEmpty && host.isEmpty && framed.isEmpty)
        #expect(rig.server.counters.refused(.crossProtocol) == 3)
        #expect(rig.sets.batches.isEmpty)
        rig.close()
    }

    @Test("bounds are small before AUTH, and large right behind it in the same read")
    func bounds() throws {
        let rig = try RESPRig()
        let many = "*101\r\n$4\r\nMGET\r\n" + String(repeating: "$1\r\na\r\n", count: 100)
        #expect(try rig.answer(many).hasPrefix("-ERR Protocol error: unauthenticated"))
        let got = try rig.answer(auth + many + "RESET\r\n" + many)
        #expect(got.hasPrefix("+OK\r\n*100\r\n$1\r\n1\r\n"))
        let refused = "-ERR Protocol error: unauthenticated multibulk length\r\n"
        #expect(got.hasSuffix("+RESET\r\n" + refused))
        rig.close()
    }

    @Test("a command of 10,002 words is answered, one of 4 MiB is read to its end")
    func large() throws {
        let rig = try RESPRig()
        let word = "$400\r\n" + String(repeating: "s", count: 400) + "\r\n"
        let request = "*10001\r\n$4\r\nMGET\r\n" + String(repeating: word, count: 10_000)
        let got = try rig.answer(auth + request + request + quit)
        let reply = "*10000\r\n" + String(repeating: "$-1\r\n", count: 10_000)
        #expect(got == "+OK\r\n\(reply)\(reply)+OK\r\n")
        rig.close()
    }

    @Test("who does not authenticate in 10 seconds is gone, talking or not")
    func authTime() throws {
        let rig = try RESPRig()
        let silent = try rig.client("")
        let talking = try rig.client("PING\r\n")
        let known = try rig.client(auth)
        rig.until { !talking.got.isEmpty && !known.got.isEmpty }
        rig.server.sweep(now: 10_000)
        #expect(rig.server.counters.refused(.authTime) == 0)
        rig.server.sweep(now: 10_001)
        rig.until { silent.hasFinished && talking.hasFinished }
        #expect(rig.server.counters.refused(.authTime) == 2)
        #expect(!known.hasFinished)
        rig.server.sweep(now: 900_001)
        rig.until { known.hasFinished }
        #expect(known.got == "+OK\r\n", "silence ends without a word")
        rig.close()
    }

    @Test("a command that drips has 5 seconds from its first byte")
    func commandTime() throws {
        let rig = try RESPRig()
        let client = try rig.client(auth + "*2\r\n$3\r\n")
        rig.until { !client.got.isEmpty }
        rig.server.sweep(now: 4_000)
        let before = rig.server.counters.receivedBytes
        client.send("GET", on: rig.clients[0])
        rig.until { rig.server.counters.receivedBytes == before + 3 }
        rig.server.sweep(now: 5_000)
        #expect(rig.server.counters.refused(.commandTime) == 0)
        rig.server.sweep(now: 5_001)
        rig.until { client.hasFinished }
        #expect(client.got.hasSuffix("-ERR Protocol error: the command took too long to come\r\n"))
        rig.close()
    }

    @Test("each command has its own time, though the next begins in the read that ends it")
    func nextCommandTime() throws {
        let rig = try RESPRig()
        let client = try rig.client(auth + "*2\r\n$3\r\n")
        rig.until { !client.got.isEmpty }
        rig.server.sweep(now: 4_000)
        client.send("GET\r\n$1\r\na\r\n*2\r\n", on: rig.clients[0])
        rig.until { client.got == "+OK\r\n$1\r\n1\r\n" }
        rig.server.sweep(now: 9_000)
        #expect(rig.server.counters.refused(.commandTime) == 0)
        rig.server.sweep(now: 9_001)
        rig.until { client.hasFinished }
        #expect(rig.server.counters.refused(.commandTime) == 1)
        rig.close()
    }

    @Test("draining ends the idle at once and the waiting with their replies")
    func drains() throws {
        let rig = try RESPRig()
        let idle = try rig.client(auth)
        let writer = try rig.client(auth + array("SADD", "later:n", "a"))
        rig.until { idle.got == "+OK\r\n" && writer.got == "+OK\r\n" }
        rig.server.drain()
        rig.until { idle.hasFinished }
        #expect(!rig.server.isDrained && !writer.hasFinished)
        rig.server.complete(rig.sets.waiting[0].exchange) { $0.integer(1) }
        rig.until { writer.hasFinished && rig.server.isDrained }
        #expect(writer.got == "+OK\r\n:1\r\n")
        rig.close()
    }

    @Test("connections over the cap are turned away")
    func cap() throws {
        let rig = try RESPRig { $0.connections = 1 }
        let first = try rig.client(auth)
        rig.until { !first.got.isEmpty }
        let second = try rig.client(auth)
        rig.until { second.hasFinished }
        #expect(second.got.isEmpty && rig.server.counters.turnedAway == 1)
        rig.close()
    }
}
