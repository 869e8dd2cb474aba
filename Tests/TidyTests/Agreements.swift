// Rules between files: one home per fact, and the fact is really used or explained elsewhere.

extension Rule {
    /// Every value of Limits is read by somebody; an unused bound is a bound that nobody keeps.
    static func limits(declaredIn homes: [SourceFile], usedIn files: [SourceFile]) -> [Finding] {
        let pattern = compiled(#"\bstatic\s+(?:let|var)\s+(\w+)"#)
        var code = files.map { Blanked($0.text).text }.joined(separator: "\n")
        code += homes.flatMap { Blanked($0.text).lines }
            .map { $0.replacing(pattern, with: "") }.joined(separator: "\n")
        return declarations(pattern, in: homes).filter { declared in
            !code.contains(compiled(#"\b\#(declared.name)\b"#))
        }.map {
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
