// A story as a text file: prose, commands, and what the machines answered.
//
//     Anything at the left margin is prose for the reader.
//
//     > opt-out alice
//         log 1: n1:1 opts alice out
//
// A command begins with `> `; the lines below it that are set in by four blanks are its answer.
// `#` at a command's end begins a remark. Playing a story gives the whole text anew, so rewriting
// keeps prose and commands, and comparing is comparing two texts.

/// One story.
struct Transcript {
    private let lines: [Substring]

    init(_ text: String) {
        lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    }

    /// Commands in it.
    var commandsCount: Int { lines.count { $0.hasPrefix("> ") } }

    /// The text as it is when the machines answer.
    func played() -> String {
        var stage = Stage()
        var played: [String] = []
        for line in lines {
            if line.hasPrefix("    ") { continue }
            played.append(String(line))
            guard line.hasPrefix("> ") else { continue }
            let command = line.dropFirst(2).prefix { $0 != "#" }
            do throws(StoryError) {
                let answers = try stage.play(String(command))
                played.append(contentsOf: answers.flatMap(Self.folded).map { "    \($0)" })
            } catch {
                played.append("    NOT UNDERSTOOD: \(error.why)")
            }
        }
        return played.joined(separator: "\n")
    }

    /// Lines of at most 100 columns, margin included.
    private static func folded(_ line: String) -> [String] {
        var folded: [String] = []
        var row = ""
        for word in line.split(separator: " ") {
            if row.count + word.count + 1 > 94 {
                folded.append(row)
                row = " "
            }
            row += (row.isEmpty ? "" : " ") + word
        }
        return folded + [row]
    }

    /// What differs, line by line with the number in the file; nil when nothing does.
    static func difference(_ expected: String, _ actual: String) -> String? {
        let old = expected.split(separator: "\n", omittingEmptySubsequences: false)
        let fresh = actual.split(separator: "\n", omittingEmptySubsequences: false)
        let changes = fresh.difference(from: old)
        guard !changes.isEmpty else { return nil }
        var told: [(at: Int, line: String)] = []
        for change in changes {
            switch change {
            case .remove(let at, let line, _): told.append((at, "\(at + 1) - \(line)"))
            case .insert(let at, let line, _): told.append((at, "\(at + 1) + \(line)"))
            }
        }
        return told.sorted { $0.at < $1.at }.map(\.line).joined(separator: "\n")
    }
}
