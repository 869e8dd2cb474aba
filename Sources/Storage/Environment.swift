// One LMDB environment: a file, its lock file, and a map of it in memory.
//
// Opened once per process and shared by all threads, which LMDB allows and Swift cannot see: a C pointer
// is not Sendable. It crosses threads as its address, a number, and becomes a pointer again in this file
// and nowhere else. Every transaction holds a reference, so the environment closes after the last.
//
// Flags: NOSUBDIR (a file, not a directory), NOTLS (a read transaction belongs to its object, not to a
// thread). Never NOSYNC, NOMETASYNC, MAPASYNC or WRITEMAP: the first three lose acknowledged writes,
// the last lets a wild pointer write the file. Never NOMEMINIT: heap bytes would reach the disk.
// See mdb_env_open, lmdb.h.

internal import CLMDB
internal import Glibc
internal import Suppression

/// An open environment.
final class Environment: Sendable {
    private let address: UInt
    private let owner: OwnerLock

    /// Opens or creates the file and its named databases.
    ///
    /// - Parameters:
    ///   - mapBytes: address space, the hard bound of the file's size.
    ///   - owner: kept locked until the environment has closed.
    init(
        path: String,
        mapBytes: Int,
        owner: OwnerLock
    ) throws(StorageError) {
        var env: OpaquePointer?
        try check(unsafe mdb_env_create(&env), "mdb_env_create")
        guard let raw = unsafe env else { throw .other(call: "mdb_env_create", code: 0) }
        do throws(StorageError) {
            try check(unsafe mdb_env_set_mapsize(raw, mapBytes), "mdb_env_set_mapsize")
            try check(unsafe mdb_env_set_maxdbs(raw, 16), "mdb_env_set_maxdbs")
            try check(
                unsafe mdb_env_set_maxreaders(raw, Limits.readersCount), "mdb_env_set_maxreaders")
            let flags = UInt32(MDB_NOSUBDIR | MDB_NOTLS)
            let code = unsafe mdb_env_open(raw, path, flags, 0o600)
            switch code {
            case EACCES, EROFS, EPERM: throw StorageError.readOnly(path: path)
            case MDB_INVALID, MDB_CORRUPTED:
                throw StorageError.corrupt("\(path) is no LMDB file, or a damaged one")
            case MDB_VERSION_MISMATCH:
                throw StorageError.unsupported(
                    "\(path) was written by another version of LMDB: use the one that wrote it")
            default: try check(code, "mdb_env_open")
            }
            var dead: Int32 = 0
            try check(unsafe mdb_reader_check(raw, &dead), "mdb_reader_check")
        } catch {
            unsafe mdb_env_close(raw)
            throw error
        }
        address = UInt(bitPattern: raw)
        self.owner = owner
    }

    deinit { unsafe mdb_env_close(raw) }

    /// The environment for a call of LMDB.
    var raw: OpaquePointer {
        guard let raw = unsafe OpaquePointer(bitPattern: address) else {
            preconditionFailure("an open environment has an address")
        }
        return unsafe raw
    }

    /// Opens the named databases, creating those that are missing, in one transaction.
    func tables(_ names: [String]) throws(StorageError) -> [Table] {
        let transaction = try WriteTransaction(self)
        var tables: [Table] = []
        for name in names { tables.append(try transaction.table(name)) }
        try transaction.commit()
        return tables
    }
}
