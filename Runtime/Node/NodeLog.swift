// The log: constant messages and dotted metadata, never an address, a token or a key.
//
// Error pages somebody, warning waits for today, notice is the life of the node, info is change.

import Logging

/// What the node writes to standard output.
struct NodeLog: Sendable {
    private let logger: Logger

    /// - Parameter level: one of the configuration's words.
    init(name: String, level: String) {
        var logger = Logger(label: "quell") { StreamLogHandler.standardOutput(label: $0) }
        logger.logLevel = Logger.Level(rawValue: level) ?? .info
        logger[metadataKey: "node"] = "\(name)"
        self.logger = logger
    }

    func error(_ message: StaticString, _ cause: some Error) {
        logger.error("\(message)", metadata: ["cause": "\(cause)"])
    }

    func warning(_ message: StaticString, _ cause: some Error) {
        logger.warning("\(message)", metadata: ["cause": "\(cause)"])
    }

    func warning(_ message: StaticString, _ facts: [String: String] = [:]) {
        logger.warning("\(message)", metadata: facts.mapValues { "\($0)" })
    }

    func notice(_ message: StaticString, _ facts: [String: String] = [:]) {
        logger.notice("\(message)", metadata: facts.mapValues { "\($0)" })
    }
}
