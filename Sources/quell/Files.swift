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

    /// Creates a file; refuses to touch one that is there, also one that appears meanwhile.
    static func create(_ path: String, _ bytes: [UInt8], mode: mode_t) throws(Failure) {
        let beside = try write(bytes, beside: path, mode: mode)
        // A second name for the same file: link() fails where rename() would replace.
        let code = unsafe link(beside, path) == 0 ? 0 : errno
        unsafe unlink(beside)
        if code == EEXIST {
            throw Failure(.configuration, "\(path): exists; choose another directory or remove it")
        }
        guard code == 0 else { throw failure(path, code) }
        try keepNames(of: path)
    }

    /// Writes beside, syncs, renames: a reader sees the old file or the new one.
    static func replace(_ path: String, _ bytes: [UInt8], mode: mode_t) throws(Failure) {
        let beside = try write(bytes, beside: path, mode: mode)
        guard unsafe rename(beside, path) == 0 else {
            let code = errno
            unsafe unlink(beside)
            throw failure(path, code)
        }
        try keepNames(of: path)
    }

    /// A file of its own, never one that somebody left there with a wider mode.
    private static func write(
        _ bytes: [UInt8],
        beside path: String,
        mode: mode_t
    ) throws(Failure) -> String {
        let beside = path + ".part"
        if unsafe unlink(beside) != 0, errno != ENOENT { throw failure(beside, errno) }
        let flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC
        let descriptor = unsafe open(beside, flags, mode)
        guard descriptor >= 0 else { throw failure(path, errno) }
        defer { close(descriptor) }
        let span = bytes.span
        let count = unsafe span.withUnsafeBytes {
            unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
        }
        // A short write of a small file means a full disk.
        let code = count < 0 ? errno : count < bytes.count ? ENOSPC : 0
        guard code == 0, fsync(descriptor) == 0 else {
            let code = code == 0 ? errno : code
            unsafe unlink(beside)
            throw failure(path, code)
        }
        return beside
    }

    /// Syncs the directory: a key that was shown as made must survive a power cut.
    private static func keepNames(of path: String) throws(Failure) {
        let slash = path.lastIndex(of: "/")
        let directory = slash.map { String(path[...$0]) } ?? "."
        let descriptor = unsafe open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(path, errno) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure(path, errno) }
    }

    private static func failure(_ path: String, _ code: Int32) -> Failure {
        let words = unsafe String(cString: strerror(code))
        return Failure(.configuration, "\(path): cannot be written (\(words)); check the directory")
    }
}
