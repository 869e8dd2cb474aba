// Who holds a port: /proc/net/tcp names the socket, /proc/PID/fd names its owner.

import EventLoop
import Foundation
import Glibc

enum PortOwner {
    /// Refuses a port that somebody holds.
    ///
    /// Serving loops share the public port (SO_REUSEPORT), so the kernel would let a stranger of
    /// the same user share it as well; this asks once, without sharing, before anything is opened.
    static func probe(
        host: String,
        port: Int,
        _ kind: __socket_type = SOCK_STREAM
    ) throws(LoopError) {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        // A name or an IPv6 address is left to the listener itself, which names it as well.
        guard unsafe inet_pton(AF_INET, host, &address.sin_addr) == 1 else { return }
        let socket = Glibc.socket(AF_INET, Int32(kind.rawValue), 0)
        guard socket >= 0 else { throw .outOfFiles(call: "socket") }
        defer { close(socket) }
        if kind == SOCK_STREAM {
            // Lets closed connections be; datagrams would share the port.
            var yes: Int32 = 1
            let size = socklen_t(MemoryLayout<Int32>.size)
            _ = unsafe setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, size)
        }
        let code = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe bind(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        if code != 0, errno == EADDRINUSE { throw .addressInUse("\(host):\(port)") }
    }

    /// ` by pid 123 (nginx)`, or nothing when it cannot be told.
    static func describe(_ address: String) -> String {
        guard let port = address.split(separator: ":").last.flatMap({ UInt16($0) }),
            let inode = listeningInode(port)
        else { return "" }
        for entry in entries("/proc") where Int(entry) != nil {
            for descriptor in entries("/proc/\(entry)/fd") {
                if link("/proc/\(entry)/fd/\(descriptor)") == "socket:[\(inode)]" {
                    return " by pid \(entry) (\(text("/proc/\(entry)/comm")))"
                }
            }
        }
        return ""
    }

    private static func listeningInode(_ port: UInt16) -> String? {
        let wanted = String(port, radix: 16, uppercase: true)
        let tables = [("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")]
        for (table, state) in tables {
            for line in text("/proc/net/\(table)").split(separator: "\n").dropFirst() {
                let fields = line.split(separator: " ")
                guard fields.count > 9, fields[3] == state,
                    let hex = fields[1].split(separator: ":").last,
                    hex.drop(while: { $0 == "0" }) == wanted
                else { continue }
                return String(fields[9])
            }
        }
        return nil
    }

    private static func entries(_ path: String) -> [String] {
        do { return try FileManager.default.contentsOfDirectory(atPath: path) } catch { return [] }
    }

    private static func link(_ path: String) -> String {
        do {
            return try FileManager.default.destinationOfSymbolicLink(atPath: path)
        } catch { return "" }
    }

    private static func text(_ path: String) -> String {
        guard let bytes = FileManager.default.contents(atPath: path) else { return "" }
        return String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .newlines)
    }
}
