// The client against servers that answer well, badly, slowly or not at all: whatever happens, only
// a positive answer is an allow.

import Client
import Foundation
import Glibc
import Suppression
import Testing

/// A server on loopback that plays one script: it reads a request, then writes the next answer.
private final class Script: Sendable {
    let port: Int
    private let listener: Int32

    /// - Parameter answers: one a connection, in pieces; nil closes without a word.
    init(_ answers: [[String]?], pauseMicros: UInt32 = 0) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        listener = descriptor
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let (code, bound) = unsafe withUnsafeMutablePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { raw in
                let code = unsafe bind(descriptor, raw, size)
                return (code, unsafe getsockname(descriptor, raw, &size))
            }
        }
        try #require(code == 0 && bound == 0 && listen(descriptor, 8) == 0)
        port = Int(UInt16(bigEndian: address.sin_port))
        let thread = Thread {
            for answer in answers {
                let connection = accept(descriptor, nil, nil)
                guard connection >= 0 else { return }
                Script.play(answer, on: connection, pauseMicros)
                close(connection)
            }
        }
        thread.start()
    }

    deinit { close(listener) }

    private static func play(_ answer: [String]?, on connection: Int32, _ pauseMicros: UInt32) {
        var buffer = [UInt8](repeating: 0, count: 65_536)
        _ = unsafe read(connection, &buffer, buffer.count)
        guard let answer else { return }
        for piece in answer {
            let bytes = Array(piece.utf8)
            _ = unsafe send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
            usleep(pauseMicros)
        }
    }

    func client(_ limits: ClientLimits = ClientLimits()) throws -> QuellClient {
        try QuellClient(address: "127.0.0.1:\(port)", key: "qk_test", limits: limits)
    }
}

private func http(_ body: String, status: String = "200 OK") -> String {
    "HTTP/1.1 \(status)\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n"
        + "\r\n\(body)"
}

private let allow = #"{"results":[{"decision":"allow","reason":null,"since":null}],"node":"n1"}"#

private func decisions(_ answers: [[String]?]) throws -> [Decision] {
    let script = try Script(answers)
    let client = try script.client()
    return withExtendedLifetime(script) {
        client.check(stream: "s", addresses: ["a@b.c"]).results.map(\.decision)
    }
}

@Suite struct ClientTests {
    @Test("a whole answer is an allow, however it is cut, chunked too")
    func whole() throws {
        #expect(try decisions([[http(allow)]]) == [.allow])
        #expect(try decisions([http(allow).map(String.init)]) == [.allow])
        let length = String(allow.utf8.count, radix: 16)
        let chunked =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\(length)\r\n\(allow)\r\n"
            + "0\r\n\r\n"
        #expect(try decisions([[chunked]]) == [.allow])
    }

    @Test(
        "anything else is unknown, never allow",
        arguments: [
            nil, [""], ["garbage\r\n\r\n"], [String(http(allow).dropLast(3))],
            [http("{}")], [http(#"{"results":[]}"#)], [http("not json")],
            [http(#"{"results":[{"decision":"ALLOW"}]}"#)],
            [http(#"{"results":[{"decision":"allow"},{"decision":"allow"}]}"#)],
            [http(allow, status: "503 Service Unavailable")],
            [http(allow, status: "302 Found")],
        ] as [[String]?]
    )
    func failClosed(answer: [String]?) throws {
        // The same bad answer twice, because a lost kept connection may be tried again.
        #expect(try decisions([answer, answer]) == [.unknown])
    }

    @Test("a server that accepts and says nothing costs the deadline and no more")
    func silence() throws {
        var limits = ClientLimits()
        limits.answerMillis = 50
        let script = try Script([[""], [""]], pauseMicros: 500_000)
        let client = try script.client(limits)
        let answer = withExtendedLifetime(script) {
            client.check(stream: "s", addresses: ["a@b.c"])
        }
        #expect(answer.results.map(\.decision) == [.unknown])
        #expect(answer.failure != nil)
    }

    @Test("nobody there: unreachable, and unknown")
    func nobody() throws {
        let client = try QuellClient(address: "127.0.0.1:1", key: "")
        let answer = client.check(stream: "s", addresses: ["a@b.c", "d@e.f"])
        #expect(answer.results.map(\.decision) == [.unknown, .unknown])
        guard case .unreachable = answer.failure else {
            Issue.record("\(String(describing: answer.failure))")
            return
        }
    }

    @Test("a wrong key and a refusal are told apart, in the node's own words")
    func refusals() throws {
        let problem = #"{"title":"Unauthorized","status":401,"detail":"This API key is unknown."}"#
        let script = try Script([[http(problem, status: "401 Unauthorized")]])
        let client = try script.client()
        let error = try withExtendedLifetime(script) {
            try #require(throws: ClientError.self) { _ = try client.show(address: "a@b.c") }
        }
        guard case .notPermitted(let why) = error else {
            Issue.record("\(error)")
            return
        }
        #expect(why.contains("This API key is unknown."))
    }

    @Test("an address that is none is refused before anything is sent")
    func addresses() {
        for address in ["", "no port", "http://", "127.0.0.1:99999", "https://a:1"] {
            #expect(throws: ClientError.self) { try QuellClient(address: address, key: "") }
        }
    }
}
