// The named databases of both environments. Docs/formats.md, part Disk, shows their bytes.

/// A named database: its name and the handle that LMDB gave it, open as long as the environment.
struct Table: Sendable {
    let dbi: UInt32
}

/// What lies in `state.mdb`.
struct StateTables: Sendable {
    static let names = [
        "meta", "marks", "aside", "index", "held", "registers", "requests", "requests_by_time",
        "evidence",
    ]

    /// Format, identity, epoch, watermark.
    let meta: Table
    /// Mark key -> mark.
    let marks: Table
    /// Mark key -> what arrived for a key whose stored mark is damaged, until repair joins them.
    let aside: Table
    /// Dot -> mark key or register name.
    let index: Table
    /// Origin -> intervals.
    let held: Table
    /// Name -> register.
    let registers: Table
    /// Request id -> what was answered.
    let requests: Table
    /// Time and request id, so that the oldest are found first.
    let requestsByTime: Table
    /// Dot of a consent -> its evidence.
    let evidence: Table

    /// Takes the handles in the order of `names`.
    init(_ tables: [Table]) {
        precondition(tables.count == StateTables.names.count)
        meta = tables[0]
        marks = tables[1]
        aside = tables[2]
        index = tables[3]
        held = tables[4]
        registers = tables[5]
        requests = tables[6]
        requestsByTime = tables[7]
        evidence = tables[8]
    }
}

/// What lies in `log.mdb`.
struct LogTables: Sendable {
    static let names = ["meta", "log"]

    /// Format, identity, epoch, how far it was trimmed.
    let meta: Table
    /// Local sequence -> change.
    let log: Table

    /// Takes the handles in the order of `names`.
    init(_ tables: [Table]) {
        precondition(tables.count == LogTables.names.count)
        meta = tables[0]
        log = tables[1]
    }
}

/// The state as a file.
struct StateFile: Sendable {
    let environment: Environment
    let tables: StateTables
}

/// The log as a file.
struct LogFile: Sendable {
    let environment: Environment
    let tables: LogTables
}
