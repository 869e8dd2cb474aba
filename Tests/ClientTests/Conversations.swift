// A server on loopback that holds scripted conversations: several requests on one connection, whole
// requests remembered. What the client does between calls (keep, notice, repeat) shows only here.

import Client
import Dispatch
import Foundation
import Glibc
import Synchronization
import Testing

/// What happens after one request has been read.
enum Line: Sendable {
    /// Sends this and waits for the next request.
    case say(String)
    /// Sends this and closes.
    case last(String)
    /// Sends these, each in its own segment where the kernel lets it, and closes.
    case pieces([String])
    /// Closes without a word.
    case hangUp
    /// Says nothing until the client gives up.
    case silence
}

/// Plays one list of lines a connection, in the order of the connections.
final class Conversations: Sendable {
    let port: Int
    private let listener: Int32
    private let heard = Mutex<[String]>([])
    private let closed = DispatchSemaphore(value: 0)

    init(_ script: [[Line]]) throws {
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
        Thread { [self] in
            for lines in script {
                let connection = accept(descriptor, nil, nil)
                guard connection >= 0 else { return }
                hold(lines, on: connection)
                close(connection)
                closed.signal()
            }
        }.start()
    }

    // The thread keeps `self` alive, so the descriptor is closed only when nobody can accept on it:
    // a number that is closed too early is another test's socket a moment later.
    deinit { close(listener) }

    /// Ends the listening; the connections end with their scripts.
    func end() { shutdown(listener, Int32(SHUT_RDWR)) }

    /// Waits until the node has closed one more connection; false when it does not.
    func waitForClose() -> Bool { closed.wait(timeout: .now() + 10) == .success }

    /// Every request so far, whole.
    var requests: [String] { heard.withLock { $0 } }

    func client(_ limits: ClientLimits = ClientLimits()) throws -> QuellClient {
        try QuellClient(address: "127.0.0.1:\(port)", key: "qk_test", limits: limits)
    }

    private func hold(_ lines: [Line], on connection: Int32) {
        for line in lines {
            guard let request = read(from: connection) else { return }
            heard.withLock { $0.append(request) }
            switch line {
            case .say(let text): write([text], to: connection)
            case .last(let text): return write([text], to: connection)
            case .pieces(let pieces): return write(pieces, to: connection)
            case .hangUp: return
            case .silence:
                _ = read(from: connection)
                return
            }
        }
    }

    private func write(_ pieces: [String], to connection: Int32) {
        var on: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        _ = unsafe setsockopt(connection, Int32(IPPROTO_TCP), TCP_NODELAY, &on, size)
        for piece in pieces {
            let bytes = Array(piece.utf8)
            _ = unsafe send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        }
    }

    /// One request: head, and as much body as it announces.
    private func read(from connection: Int32) -> String? {
        var text = ""
        var byte: UInt8 = 0
        while unsafe recv(connection, &byte, 1, 0) == 1 {
            text.unicodeScalars.append(Unicode.Scalar(byte))
            guard let end = text.firstRange(of: "\r\n\r\n") else { continue }
            let announced = text.firstRange(of: "Content-Length: ").map { text[$0.upperBound...] }
            let count = announced.flatMap { Int($0.prefix { $0.isNumber }) } ?? 0
            if text[end.upperBound...].utf8.count >= count { return text }
        }
        return nil
    }
}

/// A JSON answer with its length.
func answer(_ body: String, status: String = "200 OK", fields: String = "") -> String {
    "HTTP/1.1 \(status)\r\n\(fields)Content-Type: application/json\r\n"
        + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)"
}
