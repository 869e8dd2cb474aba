// The few JSON lines that the command line puts together itself.

import Wire

enum JSONText {
    enum Value {
        case text(String)
        case maybe(String?)
        case number(Int64?)
        case flag(Bool)
        /// Texts that are JSON already.
        case list([String])
    }

    /// One object on one line.
    static func object(_ members: [(String, Value)]) -> String {
        let parts = members.map { name, value in "\(quoted(name)):\(text(value))" }
        return "{" + parts.joined(separator: ",") + "}"
    }

    private static func text(_ value: Value) -> String {
        switch value {
        case .text(let text): quoted(text)
        case .maybe(let text): text.map(quoted) ?? "null"
        case .number(let number): number.map { "\($0)" } ?? "null"
        case .flag(let flag): flag ? "true" : "false"
        case .list(let items): "[" + items.joined(separator: ",") + "]"
        }
    }

    private static func quoted(_ text: String) -> String { JSONValue.string(text).text }
}
