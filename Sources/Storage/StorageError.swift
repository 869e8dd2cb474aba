// What can go wrong with the disk, by what the caller can do about it.
//
// The line between `full` and the rest is the one that matters: a full disk refuses one transaction
// and leaves everything before it intact, so writing may go on later. After EIO it may not. A
// failed flush can leave pages marked clean that never reached the disk, and LMDB itself notices
// only a failed write of its meta page (reference/reliability.md 3), so the first error that is not
// `full` latches: nothing is acknowledged by this process again.

internal import CLMDB
internal import Glibc

/// A failure of the storage.
public enum StorageError: Error, Equatable, Sendable {
    /// Another process owns the directory; pid 0 when it has not said who it is.
    case inUse(path: String, pid: Int32)
    /// This directory cannot be used, whatever is done to its contents.
    case unsupported(String)
    /// A newer version wrote it.
    case newerFormat(found: UInt32, supported: UInt32)
    /// A version wrote it that is two or more behind.
    case olderFormat(found: UInt32, supported: UInt32)
    /// Nothing can be written there.
    case readOnly(path: String)
    /// No room on the disk or in the map; what was committed before stays, and reading goes on.
    case full
    /// The device failed. Latches.
    case io(call: StaticString, code: Int32)
    /// The files contradict themselves. Latches.
    case corrupt(String)
    /// Anything that should not happen. Latches.
    case other(call: StaticString, code: Int32)

    /// Whether this failure ends all acknowledging until a restart.
    public var latches: Bool { self != .full }

    /// Compares by what the caller can see.
    public static func == (a: StorageError, b: StorageError) -> Bool {
        a.description == b.description
    }
}

extension StorageError: CustomStringConvertible {
    /// One line: the cause, then the fix.
    public var description: String {
        switch self {
        case .inUse(let path, let pid):
            let owner = pid == 0 ? "another process" : "process \(pid)"
            return "data directory \(path) is in use by \(owner): stop it, or use another directory"
        case .unsupported(let why):
            return why
        case .newerFormat(let found, let supported):
            return "the data has disk format \(found), this version reads up to \(supported): "
                + "start the version that wrote it, or a newer one"
        case .olderFormat(let found, let supported):
            return "the data has disk format \(found), this version reads \(supported - 1) and "
                + "\(supported): start the version before this one and run "
                + "`quell upgrade finalize`"
        case .readOnly(let path):
            return "\(path) is read-only: make it writable for this user, "
                + "or use another directory"
        case .full:
            return "no space left for the data: free some on its disk; writes resume by themselves"
        case .io(let call, let code):
            return "\(call) failed, \(reason(of: code)): the disk can no longer be trusted; "
                + "replace it and let this node join as empty"
        case .corrupt(let what):
            return "\(what): set the data directory aside and let this node join as empty"
        case .other(let call, let code):
            return "\(call) failed, \(reason(of: code)): restart the node; "
                + "if it happens again, report it with this line"
        }
    }
}

private func reason(of code: Int32) -> String {
    unsafe String(cString: mdb_strerror(code))
}

/// Turns the return code of an LMDB call into an error.
func check(_ code: Int32, _ call: StaticString) throws(StorageError) {
    switch code {
    case 0: return
    case ENOSPC, EDQUOT, MDB_MAP_FULL, MDB_TXN_FULL: throw .full
    case EIO, MDB_PANIC: throw .io(call: call, code: code)
    case MDB_CORRUPTED, MDB_PAGE_NOTFOUND, MDB_INVALID:
        throw .corrupt("\(call) found damage, \(reason(of: code))")
    default: throw .other(call: call, code: code)
    }
}

/// The error of a system call that has just failed, taken from `errno`.
func systemError(_ call: StaticString, path: String) -> StorageError {
    let code = errno
    switch code {
    case EROFS, EACCES, EPERM: return .readOnly(path: path)
    case ENOSPC, EDQUOT: return .full
    case EIO: return .io(call: call, code: code)
    case ENOENT, ENOTDIR:
        return .unsupported("\(path) is no directory: create it, or name another one")
    default: return .other(call: call, code: code)
    }
}
