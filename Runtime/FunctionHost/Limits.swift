// Every bound of this module in one place: unit in the name, derivation beside it.

/// Bounds of modules, of calls and of what is kept about them.
enum Limits {
    /// Bytes of a module, whatever its own limit says: DESIGN 9 expects 2 to 80 KB, and compiling
    /// takes about a millisecond a kilobyte.
    static let moduleBytes = 262_144
    /// Entries of one section that are looked at; a module of 80 KB has some hundreds of functions.
    static let sectionEntriesCount = 10_000
    /// Parameters and results of one function type.
    static let typeValuesCount = 64
    /// Pages of 64 KiB that a module may ever have. Ours have one; a pool slot keeps two resident.
    static let memoryPagesCount = 16
    /// Bytes of a slot that stay in memory between calls: two pages, so that a fresh instance of a
    /// one-page module costs no page faults (10.4 us otherwise, DESIGN 9).
    static let residentBytes = 131_072
    /// Elements of a module's tables: one an indirect callee, 15 in the largest of ours.
    static let tableElementsCount = 1_024
    /// Bytes of native stack that a call may use; a serving loop's thread has 4 MiB.
    static let nativeStackBytes = 262_144
    /// Slots of the pool for each serving loop: two functions, a resident and a fresh instance of
    /// each, before and after a switch of version; and the resident ones of deployed functions.
    static let slotsPerLoopCount = 8 + 2 * functionsCount
    /// Address space that a slot reserves where there is plenty: what 32-bit addresses reach, so
    /// that the code needs no bounds checks.
    static let wideReservationBytes: UInt64 = 4_294_967_296
    /// The same where address space is short (`ulimit -v`, small containers).
    static let narrowReservationBytes: UInt64 = 16_777_216
    /// Bytes behind a slot that trap; wasmtime's own default.
    static let guardBytes: UInt64 = 33_554_432
    /// Milliseconds between epochs while there are calls: a deadline is this exact.
    static let tickMillis: UInt64 = 1
    /// Milliseconds between looks while there are none; the first call after a rest may run this
    /// much longer.
    static let idleTickMillis: UInt64 = 10
    /// Ticks without a call after which the ticker rests: twenty times the longest deadline.
    static let busyTicksCount = 1_000
    /// Ticks that a call may go on past its deadline while it waits for the processor: a second, in
    /// which a thread that can run at all has run.
    static let deadlineExtensionsCount = 1_000
    /// Milliseconds of the longest deadline that a function may have; a loop stands still for it.
    static let deadlineMillis = 50
    /// Seconds of processor time of a compiling child: 80 KB take 0.1 s.
    static let compileSeconds: UInt = 5
    /// Bytes of address space of a compiling child: the library, its threads' arenas, 80 KB of
    /// wasm.
    static let compileAddressBytes: UInt = 2_147_483_648
    /// Bytes of address space that must stay free beside the engine: the filter of 100 M marks
    /// twice over, while it grows, and the threads' stacks.
    static let spareAddressBytes = 4_294_967_296
    /// Milliseconds that a child process gets in all, reading the library from a slow disk
    /// included.
    static let childMillis = 20_000
    /// Bytes of a child's last words that are kept.
    static let childWordsBytes = 4_096
    /// Bytes of compiled code: 208 KB for 79 KB of wasm, page-aligned.
    static let codeBytes = 4_194_304
    /// Bytes of the library: 29.7 MB in 50.0.1.
    static let libraryBytes = 67_108_864
    /// Lines of a function's log that are kept, 256 bytes each at most.
    static let logLinesCount = 64
    /// Bytes of one line of a function's log.
    static let logLineBytes = 256
    /// Answers of a resident instance after which it is made afresh, should something leak.
    static let residentCallsCount = 100_000
    /// Functions deployed beside the two of every node; each version may keep an instance a loop.
    static let functionsCount = 16
    /// Bytes of a function's name: a path segment that people type.
    static let functionNameBytes = 32
    /// Bytes of what an author calls a version, such as 1.10.0-rc.2.
    static let versionBytes = 32
    /// Bytes of an artifact: the largest module, and half as much of smoke requests and answers.
    static let artifactBytes = moduleBytes + moduleBytes / 2
    /// Bytes of the name of a smoke request: a file name.
    static let smokeNameBytes = 255
    /// Calls of the host in one call: each line of a full log, and as many again.
    static let hostCallsCount = 2 * logLinesCount
    /// Bytes that one call may log: every line that is kept, full.
    static let logBytes = logLinesCount * logLineBytes
    /// Smoke requests of an artifact: with the longest deadline they hold a loop for 0.8 s, and as
    /// a rule for microseconds.
    static let smokeRequestsCount = 16
}
