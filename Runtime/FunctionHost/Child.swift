// Work that may end the process that does it: trying an engine, compiling a stranger's module.
//
// The program runs itself with a hidden verb. The child gets the standard descriptors and no
// others, an empty environment and, when it compiles, little processor time and address space; it
// says what is wrong on its standard error, which goes to a file, and by how it ends.

import Foundation
import Glibc

/// A child process, from its start to its end.
struct Child {
    /// Absolute path of a program that knows `Child.verb`.
    let program: String
    /// A folder of ours, for the child's last words.
    let folder: String

    /// The hidden verb; its first argument is what to do.
    static let verb = "function-child"

    /// Runs a child and waits for it.
    func run(_ arguments: [String]) throws(LoadError) {
        let words = folder + "/child-\(UInt64.random(in: .min ... .max)).txt"
        defer { unsafe unlink(words) }
        let pid = try start([program, Child.verb] + arguments, words)
        var status: Int32 = 0
        for _ in 0..<(Limits.childMillis / 5) {
            let ended = unsafe waitpid(pid, &status, WNOHANG)
            if ended == pid {
                if status == 0 { return }
                throw .engine(lastWords(words, status))
            }
            guard ended == 0 else { throw .engine("the child process was lost") }
            usleep(5_000)
        }
        kill(pid, SIGKILL)
        _ = unsafe waitpid(pid, &status, 0)
        throw .engine("the child process took over \(Limits.childMillis / 1_000) s")
    }

    private func lastWords(_ path: String, _ status: Int32) -> String {
        let said = FileManager.default.contents(atPath: path) ?? Data()
        let text = String(decoding: said.prefix(Limits.childWordsBytes), as: UTF8.self)
        let line = text.split(separator: "\n").first.map(String.init)
        let signal = status & 0x7f
        if signal != 0 { return "a child process ended by signal \(signal): \(line ?? "no word")" }
        return line ?? "a child process ended with \(status >> 8)"
    }

    private func start(_ command: [String], _ words: String) throws(LoadError) -> pid_t {
        closeOthersOnExec()
        var actions = unsafe posix_spawn_file_actions_t()
        unsafe posix_spawn_file_actions_init(&actions)
        defer { unsafe posix_spawn_file_actions_destroy(&actions) }
        unsafe posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        let mode = O_WRONLY | O_CREAT | O_EXCL
        unsafe posix_spawn_file_actions_addopen(&actions, 1, words, mode, 0o600)
        unsafe posix_spawn_file_actions_adddup2(&actions, 1, 2)
        var arguments: [UnsafeMutablePointer<CChar>?] = unsafe command.map { unsafe strdup($0) }
        unsafe arguments.append(nil)
        var environment: [UnsafeMutablePointer<CChar>?] = unsafe [nil]
        var pid: pid_t = 0
        let code = unsafe posix_spawn(&pid, program, &actions, nil, &arguments, &environment)
        for index in unsafe arguments.indices { unsafe free(arguments[index]) }
        guard code == 0 else { throw .engine("\(program): cannot be started again") }
        return pid
    }

    /// The store's files and its lock above all.
    private func closeOthersOnExec() {
        for descriptor in 3..<1_024 as Range<Int32> {
            let flags = fcntl(descriptor, F_GETFD)
            // Not open is fine: there is nothing to keep from the child.
            if flags >= 0 { _ = fcntl(descriptor, F_SETFD, flags | FD_CLOEXEC) }
        }
    }
}

/// What the hidden verb does.
public enum ChildWork {
    /// Runs one piece of work; its failure is the child's last word.
    ///
    ///     probe LIBRARY PROFILE SLOTS RESERVED-BYTES
    ///     compile LIBRARY PROFILE WASM CODE
    ///     cost LIBRARY wide WASM REQUEST ISOLATION MILLISECONDS
    ///
    /// - Returns: what the work says; nothing but `cost` has anything to say.
    public static func run(_ words: [String]) throws(LoadError) -> String? {
        guard words.count >= 3, let profile = Profile(rawValue: words[2]),
            let library = EngineLibrary.find(executable: "/", override: words[1])
        else { throw .engine("called with the wrong words") }
        switch (words[0], words.count) {
        case ("probe", 5):
            guard let slots = Int(words[3]), let bytes = Int(words[4]) else {
                throw .engine("no number of slots or bytes")
            }
            try reserve(bytes)
            try library.load()
            try EngineProbe.run(profile, slots: slots)
        case ("compile", 5):
            limit()
            try library.load()
            try compile(from: words[3], to: words[4], profile)
        case ("cost", 7):
            guard let isolation = Isolation(rawValue: words[5]), let millis = Int(words[6])
            else { throw .engine("no such isolation, or no time") }
            try library.load()
            let nanos = try CallCost.measure(
                module: words[3],
                request: words[4],
                isolation: isolation,
                millis: millis
            )
            return "\(nanos)"
        default: throw .engine("called with the wrong words")
        }
        return nil
    }

    /// Takes as much address space as the node has taken: the pool must fit beside that.
    private static func reserve(_ bytes: Int) throws(LoadError) {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
        guard unsafe mmap(nil, bytes, PROT_NONE, flags, -1, 0) != MAP_FAILED else {
            throw .engine("\(bytes >> 30) GiB of address space are not to be had")
        }
    }

    private static func limit() {
        var seconds = rlimit(rlim_cur: Limits.compileSeconds, rlim_max: Limits.compileSeconds)
        var address = rlimit(
            rlim_cur: Limits.compileAddressBytes,
            rlim_max: Limits.compileAddressBytes
        )
        // Lowering one's own limits cannot fail.
        _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_CPU.rawValue), &seconds)
        _ = unsafe setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &address)
    }

    private static func compile(
        from source: String,
        to target: String,
        _ profile: Profile
    ) throws(LoadError) {
        guard let wasm = FileManager.default.contents(atPath: source) else {
            throw .engine("\(source): cannot be read")
        }
        let engine = try Engine(profile: profile, slots: 0, compiles: true)
        let code = try Compiler.compile(Array(wasm), engine)
        guard FileManager.default.createFile(atPath: target, contents: Data(code)) else {
            throw .engine("\(target): cannot be written")
        }
    }
}
