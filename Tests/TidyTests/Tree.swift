// The repository as the house rules see it: paths and texts, read once.
//
// Only what we wrote counts: build products, a local node's directory and caches are passed over.

import Foundation

/// One text file, named from the repository's root.
struct SourceFile {
    /// Path from the root, with `/`.
    let path: String
    /// The whole text.
    let text: String
    /// Of Swift, the code alone; blanked once, for every rule.
    let code: Blanked

    init(path: String, text: String) {
        self.path = path
        self.text = text
        code = Blanked(path.hasSuffix(".swift") ? text : "")
    }

    /// The lines, without their ends.
    var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }

    /// True for a path inside one of these folders.
    func isUnder(_ folders: String...) -> Bool {
        folders.contains { path.hasPrefix($0 + "/") }
    }
}

/// A broken rule: where, and what is wrong.
struct Finding: CustomStringConvertible, Equatable {
    /// Path from the root.
    let path: String
    /// Line, from 1.
    let line: Int
    /// What is wrong, and the cure where it is not plain.
    let problem: String

    var description: String { "\(path):\(line): \(problem)" }
}

/// The working tree.
struct Tree {
    /// Every text file that rules look at.
    let files: [SourceFile]

    /// The tree that these tests were built from.
    static let ours = Tree(root: root)

    private static var root: URL {
        // Tests/TidyTests/Tree.swift, three steps up.
        URL(filePath: #filePath)
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
    }

    private static let endings: Set<String> = [
        "swift", "c", "h", "modulemap", "md", "yaml", "yml", "py", "sh", "service", "json", "ini",
        "txt", "conf",
    ]
    private static let bareNames: Set<String> = ["Makefile", "NOTICE", "run"]

    init(files: [SourceFile]) { self.files = files }

    init(root: URL) {
        var found: [SourceFile] = []
        let walk = FileManager.default.enumerator(atPath: root.path())
        while let path = walk?.nextObject() as? String {
            let name = (path as NSString).lastPathComponent
            if name == ".git" || name.hasPrefix(".build") || name == ".quell"
                || name == "__pycache__"
            {
                walk?.skipDescendants()
                continue
            }
            guard endings(include: name),
                let bytes = FileManager.default.contents(atPath: root.path() + "/" + path)
            else { continue }
            found.append(SourceFile(path: path, text: String(decoding: bytes, as: UTF8.self)))
        }
        files = found.sorted { $0.path < $1.path }

        func endings(include name: String) -> Bool {
            Self.endings.contains((name as NSString).pathExtension) || Self.bareNames.contains(name)
        }
    }

    /// Swift files inside the folders.
    func swift(under folders: String...) -> [SourceFile] {
        files.filter { file in
            file.path.hasSuffix(".swift") && folders.contains { file.isUnder($0) }
        }
    }

    /// Files whose path matches, all of it.
    func matching(_ pattern: some RegexComponent) -> [SourceFile] {
        files.filter { $0.path.wholeMatch(of: pattern) != nil }
    }
}
