// The mechanical half of STYLE: each rule is a function from a text to findings, so that the same
// function can be shown a bad snippet (RuleTests) and the whole tree (TidyTests).

/// Rules that look at one file.
enum Rule {
    static let columns = 100
    static let functionLines = 70
    static let fileLines = 400

    /// Lines end by column 100.
    static func width(_ file: SourceFile) -> [Finding] {
        file.lines.enumerated().filter { $0.element.count > columns }.map {
            Finding(
                path: file.path,
                line: $0.offset + 1,
                problem: "\($0.element.count) columns, at most \(columns)"
            )
        }
    }

    /// Files end by line 400.
    static func length(_ file: SourceFile) -> [Finding] {
        let count = file.lines.count - (file.text.hasSuffix("\n") ? 1 : 0)
        if count <= fileLines { return [] }
        return [
            Finding(path: file.path, line: count, problem: "\(count) lines, at most \(fileLines)")
        ]
    }

    /// Functions fit on a screen: 70 lines.
    static func functionLength(_ file: SourceFile) -> [Finding] {
        functions(in: file.code).filter { $0.length > functionLines }.map {
            Finding(
                path: file.path,
                line: $0.line,
                problem: "a function of \($0.length) lines, at most \(functionLines)"
            )
        }
    }

    /// A file opens by teaching: its first line is a comment (Package.swift's second).
    static func header(_ file: SourceFile) -> [Finding] {
        let opening = file.lines.first { !$0.hasPrefix("#!") && !$0.hasPrefix("// swift-tools") }
        let comments = file.path.hasSuffix(".py") ? ["\"\"\""] : ["//", "/*", "#"]
        if let opening, comments.contains(where: { opening.hasPrefix($0) }) { return [] }
        return [
            Finding(path: file.path, line: 1, problem: "opens without a comment that teaches it")
        ]
    }

    /// Pattern, a word without which it cannot match (regexes are slow), and what to say.
    private static let bannedForms: [(pattern: String, word: String, problem: String)] = [
        (#"\btry\?"#, "try", "`try?` swallows the error"),
        (#"\btry!"#, "try", "`try!` has no place in a server"),
        (#"\bnonisolated\s*\(\s*unsafe\s*\)"#, "nonisolated", "`nonisolated(unsafe)` is banned"),
        (#"\bunowned\s*\(\s*unsafe\s*\)"#, "unowned", "`unowned(unsafe)` is banned"),
        (#"(?:^|[^.\w])Task(?:\.detached)?\s*\{"#, "Task", "`Task {` hops to a pool"),
        (#"@unchecked\s+Sendable"#, "@unchecked", "`@unchecked Sendable` is banned"),
    ]

    /// Forms that hide an error or a race; the two files where threads meet may say them.
    static func forms(_ file: SourceFile) -> [Finding] {
        var found: [Finding] = []
        let isMeeting = ["Mailbox.swift", "Published.swift"].contains {
            file.path.hasSuffix("/" + $0)
        }
        for (index, line) in file.code.lines.enumerated() {
            for form in bannedForms where line.contains(form.word) {
                if !line.contains(compiled(form.pattern)) { continue }
                if isMeeting && !form.problem.hasPrefix("`try") { continue }
                found.append(Finding(path: file.path, line: index + 1, problem: form.problem))
            }
        }
        let emptyCatch = compiled(#"\bcatch\b[^{}]*\{\s*\}"#)
        for match in file.code.text.matches(of: emptyCatch) {
            let line = 1 + file.code.text[..<match.range.lowerBound].count { $0 == "\n" }
            found.append(Finding(path: file.path, line: line, problem: "an empty catch"))
        }
        return found
    }

    /// `TODO` names a decision page: `TODO(0007)`.
    static func todo(_ file: SourceFile) -> [Finding] {
        let pattern = compiled(#"\b(?:TODO|FIXME|XXX)\b(?!\(\d{4}\))"#)
        return file.lines.enumerated().filter { $0.element.contains(pattern) }.map {
            Finding(
                path: file.path,
                line: $0.offset + 1,
                problem: "untracked; write the decision's number, as in TODO(0007)"
            )
        }
    }

    /// One `#` title per page, outside fences.
    static func title(_ file: SourceFile) -> [Finding] {
        var inFence = false
        var titles: [Int] = []
        for (index, line) in file.lines.enumerated() {
            if line.drop(while: { $0 == " " }).hasPrefix("```") { inFence.toggle() }
            if !inFence && line.hasPrefix("# ") { titles.append(index + 1) }
        }
        if titles.count == 1 { return [] }
        return [
            Finding(
                path: file.path,
                line: titles.dropFirst().first ?? 1,
                problem: "\(titles.count) `#` titles, exactly one wanted"
            )
        ]
    }

    /// A path of somebody's machine helps nobody else.
    static func machinePaths(_ file: SourceFile) -> [Finding] {
        // In pieces, so that this line does not find itself.
        let folders = ["work", "root", "farm", "tmp/wt"].joined(separator: "|")
        let pattern = compiled(#"(?:^|[^\w.\-/}])/(?:\#(folders))(?:/|\b(?![\w-]))"#)
        return file.lines.enumerated().filter { $0.element.contains(pattern) }.map {
            Finding(path: file.path, line: $0.offset + 1, problem: "a path of one machine")
        }
    }
}
