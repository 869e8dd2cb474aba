// Who may open a data directory: one process, on a local file system that can be written.
//
// LMDB's own lock admits several processes; ours may not, because two of them would mint the same
// sequence numbers. flock is released by the kernel when the owner dies, however it dies, so a stale
// file never blocks a start; the pid inside is for people and for `quell dev stop`.

internal import CLMDB
internal import Glibc
internal import Suppression

/// The right to use a data directory, held until the last reference goes.
final class OwnerLock: Sendable {
    /// The name inside the data directory.
    static let fileName = "owner.lock"

    private let descriptor: Int32

    /// Checks the directory, creating its last component when missing, and locks it.
    init(directory: String) throws(StorageError) {
        try OwnerLock.inspect(directory)
        let path = directory + "/" + OwnerLock.fileName
        let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw systemError("open", path: directory) }
        do {
            try OwnerLock.take(descriptor, directory)
        } catch {
            close(descriptor)  // of an unlocked file that we only read: nothing to lose
            throw error
        }
        self.descriptor = descriptor
    }

    deinit {
        close(descriptor)  // releases the lock; the pid inside is stale from here on
    }

    private static func take(_ descriptor: Int32, _ directory: String) throws(StorageError) {
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            guard errno == EWOULDBLOCK else { throw systemError("flock", path: directory) }
            throw .inUse(path: directory, pid: owner(descriptor))
        }
        guard ftruncate(descriptor, 0) == 0 else {
            throw systemError("ftruncate", path: directory)
        }
        let text = Array("\(getpid())\n".utf8)
        let written = unsafe text.withUnsafeBytes {
            unsafe pwrite(descriptor, $0.baseAddress, $0.count, 0)
        }
        guard written == text.count else { throw systemError("pwrite", path: directory) }
    }

    private static func owner(_ descriptor: Int32) -> Int32 {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = unsafe bytes.withUnsafeMutableBytes {
            unsafe pread(descriptor, $0.baseAddress, $0.count, 0)
        }
        let digits = bytes.prefix(max(count, 0)).prefix { $0 >= 0x30 && $0 <= 0x39 }
        return Int32(String(decoding: digits, as: UTF8.self)) ?? 0
    }

    private static func inspect(_ directory: String) throws(StorageError) {
        if unsafe mkdir(directory, 0o700) == 0 {
            try flush(directory: directory + "/..")
        } else if errno != EEXIST {
            throw systemError("mkdir", path: directory)
        }
        var about = stat()
        guard unsafe stat(directory, &about) == 0 else {
            throw systemError("stat", path: directory)
        }
        guard about.st_mode & S_IFMT == S_IFDIR else {
            throw .unsupported("\(directory) is no directory: name another one")
        }
        // Root may write everywhere; a directory whose owner took the bit away is meant not to change.
        guard about.st_mode & S_IWUSR != 0, unsafe access(directory, W_OK | X_OK) == 0 else {
            throw .readOnly(path: directory)
        }
        var system = statfs()
        guard unsafe statfs(directory, &system) == 0 else {
            throw systemError("statfs", path: directory)
        }
        if let name = remoteFileSystem(UInt32(truncatingIfNeeded: system.f_type)) {
            throw .unsupported(
                "\(directory) lies on \(name), where locks and memory maps cannot be trusted: "
                    + "use a directory on a local disk")
        }
    }

    /// The name of a file system that other machines share; nil for a local one.
    static func remoteFileSystem(_ magic: UInt32) -> String? {
        remoteFileSystems.first { $0.magic == magic }?.name
    }

    /// File systems whose pages may change behind a memory map. See statfs(2).
    private static let remoteFileSystems: [(magic: UInt32, name: String)] = [
        (0x6969, "NFS"), (0x517B, "SMB"), (0xFF53_4D42, "CIFS"), (0xFE53_4D42, "SMB2"),
        (0x0102_1997, "9P"), (0x5346_414F, "AFS"), (0x00C3_6400, "Ceph"), (0x6573_5546, "FUSE"),
        (0x0116_1970, "GFS2"), (0x7461_636F, "OCFS2"), (0x7375_7245, "Coda"), (0x564C, "NCP"),
        (0x0BD0_0BD0, "Lustre"), (0x786F_4256, "VirtualBox shared folders"),
    ]
}

/// Makes the names in a directory durable; LMDB flushes its files, never their directory.
func flush(directory: String) throws(StorageError) {
    let descriptor = unsafe open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw systemError("open", path: directory) }
    defer { close(descriptor) }
    guard fsync(descriptor) == 0 else { throw systemError("fsync", path: directory) }
}

/// Random bits from the kernel.
func randomBits() throws(StorageError) -> UInt64 {
    var bits: UInt64 = 0
    let count = unsafe withUnsafeMutableBytes(of: &bits) {
        unsafe getrandom($0.baseAddress, $0.count, 0)
    }
    guard count == 8 else { throw systemError("getrandom", path: "the kernel's random source") }
    return bits
}
