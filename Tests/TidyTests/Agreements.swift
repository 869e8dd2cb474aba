// Rules between files: one home per fact, and the fact is really used or explained elsewhere.

extension Rule {
    /// Every value of Limits is read by somebody; an unused bound is a bound that nobody keeps.
    static func limits(declaredIn homes: [SourceFile], usedIn files: [SourceFile]) -> [Finding] {
        let pattern = compiled(#"\bstatic\s+(?:let|var)\s+(\w+)"#)
        var used = Set(files.flatMap { words(in: $0.code.text[...]) })
        for line in homes.flatMap({ $0.code.lines }) {
            used.formUnion(words(in: line.replacing(pattern, with: "")[...]))
        }
        return declarations(pattern, in: homes).filter { !used.contains($0.name[...]) }.map {
            Finding(path: $0.path, line: $0.line, problem: "limit `\($0.name)` is never used")
        }
    }

    /// Every key of `enum ConfigKey: String` (`case x = "key_name"`) stands in the example file.
    static func configKeys(declaredIn homes: [SourceFile], example: SourceFile?) -> [Finding] {
        let pattern = compiled(#"^\s*case\s+\w+\s*=\s*"([\w.\-]+)""#)
        let manual = example?.text ?? ""
        let keyed = homes.filter { $0.text.contains("enum ConfigKey: String") }
        return declarations(pattern, in: keyed)
            .filter { !manual.contains(compiled(#"(?m)^\s*#?\s*\#($0.name):"#)) }
            .map {
                Finding(
                    path: $0.path,
                    line: $0.line,
                    problem: "key `\($0.name)` is not in quell.example.yaml"
                )
            }
    }

    /// Every metric has its alert, or its reason to have none, in Deploy/monitoring.
    static func metrics(declaredIn homes: [SourceFile], documents: [SourceFile]) -> [Finding] {
        let pattern = compiled(#""(quell_[a-z0-9_]+)""#)
        let text = documents.map(\.text).joined(separator: "\n")
        return declarations(pattern, in: homes)
            .filter { !text.contains(compiled(#"\b\#($0.name)(?:_bucket|_sum|_count)?\b"#)) }
            .map {
                Finding(
                    path: $0.path,
                    line: $0.line,
                    problem: "metric `\($0.name)` is not in Deploy/monitoring"
                )
            }
    }

    /// What a regex calls words: a set of them is asked faster than a regex for each.
    private static func words(in code: Substring) -> [Substring] {
        code.utf8.split { byte in
            let lower = byte | 0x20
            return !(lower >= UInt8(ascii: "a") && lower <= UInt8(ascii: "z"))
                && !(byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9"))
                && byte != UInt8(ascii: "_")
        }.map { Substring($0) }
    }

    private static func declarations(
        _ pattern: Regex<AnyRegexOutput>,
        in homes: [SourceFile]
    ) -> [(path: String, line: Int, name: String)] {
        homes.flatMap { file in
            file.lines.enumerated().flatMap { index, line in
                line.matches(of: pattern).compactMap { match in
                    match.output[1].substring.map { (file.path, index + 1, String($0)) }
                }
            }
        }
    }
}
