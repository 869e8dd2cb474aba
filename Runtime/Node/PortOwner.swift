// Who holds a port: /proc/net/tcp names the socket, /proc/PID/fd names its owner.

import Foundation

enum PortOwner {
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
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            for line in text(table).split(separator: "\n").dropFirst() {
                let fields = line.split(separator: " ")
                guard fields.count > 9, fields[3] == "0A",
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
