// One mapping of a function.yaml with the place it stands at, so that each refusal can name it:
//
//     greet/function.yaml:7: limits.memory_pages: is 99; choose 1 to 16

internal import Yams

/// A mapping whose keys are known.
struct ManifestSection {
    /// The file.
    private let path: String
    /// Its own key and a dot; empty at the top.
    private let prefix: String
    /// Where it begins.
    let line: Int
    private let values: [String: (line: Int, node: Yams.Node)]

    init(
        _ node: Yams.Node,
        _ prefix: String,
        _ path: String,
        allowed: [String]
    ) throws(ConfigError) {
        self.path = path
        self.prefix = prefix
        line = node.mark?.line ?? 1
        guard case .mapping(let mapping) = node else {
            throw ConfigError("\(path):\(line): \(prefix) takes `key: value` lines")
        }
        var values: [String: (line: Int, node: Yams.Node)] = [:]
        for (key, value) in mapping {
            let at = key.mark?.line ?? 1
            let word = key.string ?? "?"
            guard allowed.contains(word) else {
                let near = allowed.min { editDistance($0, word) < editDistance($1, word) }
                let hint = near.map { "did you mean `\($0)`?" } ?? ""
                throw ConfigError("\(path):\(at): \(prefix)\(word): is not known; \(hint)")
            }
            guard values[word] == nil else {
                throw ConfigError("\(path):\(at): \(prefix)\(word): is set twice; keep one")
            }
            values[word] = (at, value)
        }
        self.values = values
    }

    /// A refusal: file, line, key, what is there and what to do.
    func wrong(_ key: String, _ what: String, _ fix: String) -> ConfigError {
        ConfigError("\(path):\(values[key]?.line ?? line): \(prefix)\(key): \(what); \(fix)")
    }

    /// A plain value that must be there.
    func text(_ key: String) throws(ConfigError) -> String {
        guard let text = try optionalText(key) else {
            throw wrong(key, "is missing", "add `\(key): ...`")
        }
        return text
    }

    /// A plain value that may be missing.
    func optionalText(_ key: String) throws(ConfigError) -> String? {
        guard let value = values[key] else { return nil }
        guard let text = value.node.scalar?.string, !text.isEmpty else {
            throw wrong(key, "is no plain value", "write `\(key): VALUE`")
        }
        return text
    }

    /// A number within bounds.
    func number(
        _ key: String,
        _ range: ClosedRange<Int>,
        otherwise usual: Int
    ) throws(ConfigError) -> Int {
        guard let text = try optionalText(key) else { return usual }
        guard let number = Int(text), range.contains(number) else {
            let fix =
                range.count == 1
                ? "write \(range.lowerBound)"
                : "choose \(range.lowerBound) to \(range.upperBound)"
            throw wrong(key, "is \(text)", fix)
        }
        return number
    }

    /// One of a few words; `usual` nil means that it must be there.
    func word<Word: RawRepresentable<String>>(
        _ key: String,
        _ words: [Word],
        otherwise usual: Word?
    ) throws(ConfigError) -> Word {
        if usual != nil, values[key] == nil, let usual { return usual }
        let text = try text(key)
        guard let word = words.first(where: { $0.rawValue == text }) else {
            let known = words.map(\.rawValue).joined(separator: ", ")
            throw wrong(key, "is `\(text)`", "choose \(known)")
        }
        return word
    }

    /// The same for words without a type.
    func word(
        _ key: String,
        _ words: [String],
        otherwise usual: String
    ) throws(ConfigError) -> String {
        guard let text = try optionalText(key) else { return usual }
        guard words.contains(text) else {
            throw wrong(key, "is `\(text)`", "choose \(words.joined(separator: ", "))")
        }
        return text
    }

    /// A list of a few words; empty when it is missing.
    func list(_ key: String, among words: [String]) throws(ConfigError) -> [String] {
        guard let value = values[key] else { return [] }
        let items = value.node.sequence.map { $0.map { $0.scalar?.string ?? "?" } } ?? ["?"]
        for item in items where !words.contains(item) {
            throw wrong(key, "has `\(item)`", "choose among \(words.joined(separator: ", "))")
        }
        return items
    }

    /// A section inside; nil when it is missing.
    func section(
        _ key: String,
        allowed: [String]
    ) throws(ConfigError) -> ManifestSection? {
        guard let value = values[key] else { return nil }
        return try ManifestSection(value.node, prefix + key + ".", path, allowed: allowed)
    }

    /// A list of sections; empty when it is missing.
    func sections(
        _ key: String,
        allowed: [String]
    ) throws(ConfigError) -> [ManifestSection] {
        guard let value = values[key] else { return [] }
        guard let items = value.node.sequence else {
            throw wrong(key, "is no list", "begin each item with `- `")
        }
        var sections: [ManifestSection] = []
        for item in items {
            sections.append(
                try ManifestSection(item, prefix + key + ".", path, allowed: allowed)
            )
        }
        return sections
    }
}
