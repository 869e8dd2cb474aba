// Small files with secrets in them: written whole or not at all, readable by their owner only.

import Foundation
import Glibc

enum Files {
    /// Reads a file of at most `limitBytes`.
    static func read(_ path: String, limitBytes: Int) throws(Failure) -> [UInt8] {
        guard let bytes = FileManager.default.contents(atPath: path) else {
            throw Failure(.configuration, "\(path): cannot be read; check the path and permissions")
        }
        guard bytes.count <= limitBytes else {
            throw Failure(.configuration, "\(path): is too long to be what it should be")
        }
        return Array(bytes)
    }

    /// Creates a file; refuses to touch one that is there.
    static func create(_ path: String, _ bytes: [UInt8], mode: mode_t) throws(Failure) {
        if unsafe access(path, F_OK) == 0 {
            throw Failure(.configuration, "\(path): exists; choose another directory or remove it")
        }
        try replace(path, bytes, mode: mode)
    }

    /// Writes beside, syncs, renames: a reader sees the old file or the new one.
    static func replace(_ path: String, _ bytes: [UInt8], mode: mode_t) throws(Failure) {
        let beside = path + ".part"
        let descriptor = unsafe open(beside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw failure(path) }
        let span = bytes.span
        let count = unsafe span.withUnsafeBytes {
            unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
        }
        let isSafe = count == bytes.count && fsync(descriptor) == 0
        close(descriptor)
        guard isSafe, unsafe rename(beside, path) == 0 else { throw failure(path) }
    }

    private static func failure(_ path: String) -> Failure {
        let words = unsafe String(cString: strerror(errno))
        return Failure(.configuration, "\(path): cannot be written (\(words)); check the directory")
    }
}
