// The YAML file, key by key with its line, so that a mistake is named where it stands.

import Foundation
internal import Yams

/// A configuration that cannot be used; one line that names the cause and the fix.
public struct ConfigError: Error, CustomStringConvertible {
    /// The line.
    public let description: String

    /// Names the cause and the fix.
    public init(_ description: String) { self.description = description }
}

/// One value with the place it came from, such as `quell.yaml:12` or `--loops`.
public struct ConfigValue: Equatable, Sendable {
    /// As it was written; list items are joined by commas.
    public let text: String
    /// Where.
    public let place: String

    /// Pairs a value with its place.
    public init(text: String, place: String) {
        self.text = text
        self.place = place
    }
}

enum ConfigFile {
    /// Reads a file into values.
    static func read(path: String) throws(ConfigError) -> [ConfigKey: ConfigValue] {
        let text: String
        do {
            text = try String(contentsOfFile: path, encoding: .utf8)
        } catch {
            throw ConfigError("\(path): cannot be read; check --config and its permissions")
        }
        return try parse(text, path: path)
    }

    /// Reads YAML text into values; an unknown or repeated key is an error with its line.
    static func parse(
        _ text: String,
        path: String
    ) throws(ConfigError) -> [ConfigKey: ConfigValue] {
        let root: Yams.Node?
        do {
            root = try Yams.compose(yaml: text)
        } catch let error as YamlError {
            throw ConfigError("\(path): not YAML: \(oneLine(error))")
        } catch {
            throw ConfigError("\(path): not YAML")
        }
        guard let root else { return [:] }
        guard case .mapping(let mapping) = root else {
            throw ConfigError("\(path):1: expected `key: value` lines, as in quell.example.yaml")
        }
        var values: [ConfigKey: ConfigValue] = [:]
        for (keyNode, valueNode) in mapping {
            let place = "\(path):\(keyNode.mark?.line ?? 1)"
            let word = keyNode.string ?? "?"
            guard let key = ConfigKey(rawValue: word) else {
                throw ConfigError("\(place): unknown key `\(word)`; \(hint(for: word))")
            }
            guard values[key] == nil else {
                throw ConfigError("\(place): `\(word)` is set twice; keep one")
            }
            values[key] = ConfigValue(
                text: try scalarText(valueNode, place: place, word: word),
                place: "\(place): \(word)"
            )
        }
        return values
    }

    private static func scalarText(
        _ node: Yams.Node,
        place: String,
        word: String
    ) throws(ConfigError) -> String {
        switch node {
        case .scalar(let scalar): return scalar.string
        case .sequence(let items):
            let texts = items.compactMap(\.string)
            guard texts.count == items.count else { break }
            return texts.joined(separator: ",")
        default: break
        }
        throw ConfigError("\(place): `\(word)` takes a plain value or a list of plain values")
    }

    /// The nearest known key, or where to find them all.
    private static func hint(for word: String) -> String {
        let near = ConfigKey.allCases
            .map { (key: $0, distance: editDistance($0.rawValue, word)) }
            .min { $0.distance < $1.distance }
        if let near, near.distance <= 3 { return "did you mean `\(near.key.rawValue)`?" }
        return "quell.example.yaml lists every key"
    }

    private static func oneLine(_ error: YamlError) -> String {
        error.description.split(separator: "\n").joined(separator: " ")
    }
}

/// Levenshtein distance, for hints.
func editDistance(_ a: String, _ b: String) -> Int {
    let (left, right) = (Array(a.utf8), Array(b.utf8))
    var row = Array(0...right.count)
    for (i, x) in left.enumerated() {
        var diagonal = row[0]
        row[0] = i + 1
        for (j, y) in right.enumerated() {
            let substituted = diagonal + (x == y ? 0 : 1)
            diagonal = row[j + 1]
            row[j + 1] = min(substituted, row[j] + 1, row[j + 1] + 1)
        }
    }
    return row[right.count]
}
