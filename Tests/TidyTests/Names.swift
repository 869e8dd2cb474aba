// Banned names: words that say nothing about the thing they name.
//
// A name is split at capitals and underscores, and each word is judged, so `RetryManager` and
// `new_key` are found and `newest` is not. `data` is judged where it is the noun (`data`,
// `userData`); in `dataDirectory` it is an adjective that DESIGN uses.

extension Rule {
    private static let bannedWords: Set<String> = [
        "manager", "managers", "helper", "helpers", "util", "utils", "utility", "utilities",
        "handler", "handlers", "info", "infos", "new",
    ]

    /// Names of files and of everything that a file declares.
    static func names(_ file: SourceFile) -> [Finding] {
        let isFunction = file.isUnder("Functions", "Sources/FunctionKit", "Runtime/FunctionHost")
        let stem = file.path.split(separator: "/").last?.split(separator: ".").first ?? ""
        var found = problems(String(stem), isFunction).map {
            Finding(path: file.path, line: 1, problem: $0)
        }
        let declaration = compiled(
            #"\b(?:func|var|let|class|struct|enum|protocol|typealias|actor|case|associatedtype)\s+"#
                + #"(\w+)"#
        )
        for (index, line) in file.code.lines.enumerated() {
            for match in line.matches(of: declaration) {
                let name = match.output[1].substring.map(String.init) ?? ""
                found += problems(name, isFunction).map {
                    Finding(path: file.path, line: index + 1, problem: $0)
                }
            }
        }
        let parameter = compiled(#"[(,]\s*(\w+)(?:\s+(\w+))?\s*:"#)
        for function in functions(in: file.code) {
            for match in function.signature.matches(of: parameter) {
                for name in match.output.dropFirst().compactMap({ $0.substring.map(String.init) }) {
                    found += problems(name, isFunction).map {
                        Finding(path: file.path, line: function.line, problem: $0)
                    }
                }
            }
        }
        return found
    }

    private static func problems(_ name: String, _ isFunction: Bool) -> [String] {
        let words = words(of: name)
        var wrong = words.filter { bannedWords.contains($0) }
        if isFunction { wrong.removeAll { $0.hasPrefix("handler") } }
        if words.last == "data" { wrong.append("data") }
        return wrong.map { "`\(name)` says `\($0)`, which says nothing; name what it is" }
    }

    /// `sendNewKey` and `send_new_key` are send, new, key; `URLData` is url, data.
    static func words(of name: String) -> [String] {
        var words: [String] = []
        var word = ""
        let letters = Array(name)
        for (index, letter) in letters.enumerated() {
            let endsRun =
                index > 0 && index + 1 < letters.count && letters[index - 1].isUppercase
                && letters[index + 1].isLowercase
            let starts =
                letter.isUppercase && index > 0 && (!letters[index - 1].isUppercase || endsRun)
            if letter == "_" || starts {
                if !word.isEmpty { words.append(word.lowercased()) }
                word = ""
            }
            if letter != "_" { word.append(letter) }
        }
        if !word.isEmpty { words.append(word.lowercased()) }
        return words
    }
}
