// Starting and stopping node processes that outlive the command that started them.
//
// A node gets its own process session, stdin from /dev/null, a log file for its output and none of
// the caller's descriptors: a shell that waits for its pipes to close must not wait for the node.

import Foundation
import Glibc

enum Spawn {
    /// POSIX_SPAWN_SETSID of <spawn.h>, which the Glibc module does not export.
    private static let newSessionFlag: Int16 = 0x80

    /// Every descriptor above 2 ends at exec; the child gets nothing of the caller's.
    private static func closeOthersOnExec() {
        for descriptor in 3..<1_024 as Range<Int32> {
            let flags = fcntl(descriptor, F_GETFD)
            // Not open is fine: there is nothing to keep from the child.
            if flags >= 0 { _ = fcntl(descriptor, F_SETFD, flags | FD_CLOEXEC) }
        }
    }

    /// Starts a process.
    ///
    /// - Parameters:
    ///   - command: full argv; the first is an absolute path.
    ///   - logPath: where output goes, appended.
    /// - Returns: the process id.
    static func start(_ command: [String], logPath: String) throws(Failure) -> Int32 {
        var actions = unsafe posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        unsafe posix_spawn_file_actions_init(&actions)
        unsafe posix_spawnattr_init(&attributes)
        defer {
            unsafe posix_spawn_file_actions_destroy(&actions)
            unsafe posix_spawnattr_destroy(&attributes)
        }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        let mode = O_WRONLY | O_CREAT | O_APPEND
        unsafe posix_spawn_file_actions_addopen(&actions, 1, logPath, mode, 0o600)
        unsafe posix_spawn_file_actions_adddup2(&actions, 1, 2)
        closeOthersOnExec()
        unsafe posix_spawnattr_setflags(&attributes, newSessionFlag)
        var arguments: [UnsafeMutablePointer<CChar>?] = unsafe command.map { unsafe strdup($0) }
        unsafe arguments.append(nil)
        var environment: [UnsafeMutablePointer<CChar>?] = unsafe [nil]
        var pid: pid_t = 0
        let code = unsafe posix_spawn(
            &pid,
            command[0],
            &actions,
            &attributes,
            &arguments,
            &environment
        )
        for index in unsafe arguments.indices { unsafe free(arguments[index]) }
        guard code == 0 else {
            throw Failure(
                .internal,
                "\(command[0]) cannot be started: \(unsafe String(cString: strerror(code)))"
            )
        }
        return pid
    }

    /// The exit status of a child that has ended; nil while it runs.
    static func ended(_ pid: Int32) -> Int32? {
        var status: Int32 = 0
        let found = unsafe waitpid(pid, &status, WNOHANG)
        if found == 0 { return nil }
        if found < 0 { return -1 }
        return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
    }

    /// The process that holds a data directory, by its owner lock; nil when nobody does.
    static func owner(of directory: String) -> Int32? {
        let path = directory + "/owner.lock"
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        if flock(descriptor, LOCK_SH | LOCK_NB) == 0 { return nil }
        guard let text = FileManager.default.contents(atPath: path) else { return nil }
        let digits = String(decoding: text, as: UTF8.self).prefix { $0.isNumber }
        return Int32(digits)
    }

    /// Ends the owner of a data directory: SIGTERM, also if it is stopped, then SIGKILL.
    ///
    /// - Returns: false when it had to be killed.
    static func stop(owner pid: Int32, of directory: String, seconds: Int) -> Bool {
        kill(pid, SIGTERM)
        kill(pid, SIGCONT)
        for _ in 0..<(seconds * 20) {
            if owner(of: directory) == nil { return true }
            _ = ended(pid)
            usleep(50_000)
        }
        kill(pid, SIGKILL)
        for _ in 0..<100 where owner(of: directory) != nil {
            _ = ended(pid)
            usleep(20_000)
        }
        return false
    }
}
