// Replies byte by byte in both versions of the protocol, and the two forms of a key.

import Testing
import Wire

private func written(_ version: Int, _ owed: Int, _ body: (inout RESPReplies) -> Void) -> String {
    var replies = RESPReplies(after: Array("before|".utf8), version: version)
    replies.expect(owed)
    body(&replies)
    #expect(replies.owed == 0)
    return String(decoding: replies.finish(), as: UTF8.self)
}

@Suite struct RESPReplyTests {
    @Test("strings, errors and numbers are the same in both", arguments: [2, 3])
    func same(version: Int) {
        let text = written(version, 12) { replies in
            replies.simple("OK")
            replies.error("ERR no")
            replies.error("ERR a\r\n+OK" as String)
            replies.error("ERR '", quoting: Array("\r\nx\u{7F}é".utf8).span, "'")
            replies.integer(0)
            replies.integer(9)
            replies.integer(10)
            replies.integer(-1)
            replies.integer(.min)
            replies.bulk("")
            replies.bulk("é" as String)
            replies.bulk(Array("a\r\nb".utf8).span)
        }
        #expect(
            text == "before|+OK\r\n-ERR no\r\n-ERR a  +OK\r\n-ERR '..x...'\r\n:0\r\n:9\r\n:10\r\n"
                + ":-1\r\n:-9223372036854775808\r\n$0\r\n\r\n$2\r\né\r\n$4\r\na\r\nb\r\n")
    }

    @Test("null and maps differ")
    func versions() {
        func body(_ replies: inout RESPReplies) {
            replies.null()
            replies.map(1)
            replies.bulk("k")
            replies.array(2)
            replies.integer(1)
            replies.null()
        }
        let start = "$1\r\nk\r\n*2\r\n:1\r\n"
        #expect(written(2, 2, body) == "before|$-1\r\n*2\r\n\(start)$-1\r\n")
        #expect(written(3, 2, body) == "before|_\r\n%1\r\n\(start)_\r\n")
    }

    @Test("an array owes its elements, an empty one nothing more")
    func owed() {
        var replies = RESPReplies(after: [], version: 2)
        replies.expect(2)
        replies.array(3)
        #expect(replies.owed == 4)
        replies.array(0)
        #expect(replies.owed == 3)
        replies.postpone()
        #expect(replies.owed == 0)
    }

    @Test("one reply too many traps")
    func tooMany() async {
        await #expect(processExitsWith: .failure) {
            var replies = RESPReplies(after: [], version: 2)
            replies.expect(1)
            replies.integer(1)
            replies.integer(1)
        }
    }

    private func parts(_ text: String, _ words: (Span<UInt8>, RESPWord) -> [RESPWord]) -> [String] {
        let bytes = Array(("xx" + text + "yy").utf8)
        let word = RESPWord(2, bytes.count - 2)
        return words(bytes.span, word).map { String(decoding: bytes[$0.range], as: UTF8.self) }
    }

    private func set(_ text: String) -> [String] {
        parts(text) { bytes, word in
            guard let name = RESPSetName(word, in: bytes) else { return [] }
            return [name.stream, name.topic]
        }
    }

    private func allow(_ text: String) -> [String] {
        parts(text) { bytes, word in
            guard let key = RESPAllowKey(word, in: bytes) else { return [] }
            return [key.stream, key.topic, key.address]
        }
    }

    @Test("a set is stream:topic, with one colon")
    func sets() {
        #expect(set("marketing:news") == ["marketing", "news"])
        #expect(set("a:b") == ["a", "b"])
        for wrong in ["", ":", "a", "a:", ":b", "a:b:", "a:b:c", "a::b", "::"] {
            #expect(set(wrong) == [], "\(wrong)")
        }
    }

    @Test("a key is allow:stream:topic:address, and the address keeps its colons")
    func keys() {
        #expect(allow("allow:marketing:news:a@b.c") == ["marketing", "news", "a@b.c"])
        #expect(allow("allow:m:n:\"a:b\"@c.d") == ["m", "n", "\"a:b\"@c.d"])
        #expect(allow("allow:m:n::") == ["m", "n", ":"])
        for wrong in [
            "", "allow", "allow:", "allow:m", "allow:m:", "allow:m:n", "allow:m:n:", "allow::n:a",
            "allow:m::a", "allow:::a", "ALLOW:m:n:a", "deny:m:n:a@b", "allowm:n:a@b", "m:n:a@b",
        ] {
            #expect(allow(wrong) == [], "\(wrong)")
        }
    }
}
