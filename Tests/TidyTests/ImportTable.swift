// Who may import whom: the table of DESIGN section 3, as a program.
//
// A module is earned by a different import list, so the list is the module. Reading a row tells
// what can reach sockets, clocks or the disk; a stray import is how that stops being true.

/// The table, and what it says of one file.
enum ImportTable {
    /// What the platform gives; the pure modules (vocabulary, machines, functions) get none of it.
    private static let platform: Set<String> = ["Glibc", "Synchronization"]

    /// Folder -> modules that its Swift files may import.
    static let allowed: [String: Set<String>] = [
        "Sources/Suppression": [],
        "Sources/Wire": ["Suppression"],
        "Sources/FunctionKit": ["Suppression"],
        "Sources/Cluster": ["Suppression", "Wire"],
        "Sources/Address": ["Suppression", "CUnicode", "CDigest", "Glibc"],
        "Sources/Token": ["Suppression", "Crypto", "Foundation"],
        "Sources/Storage": platform.union(["Suppression", "CLMDB", "Foundation"]),
        "Sources/Client": platform.union([
            "Suppression", "Address", "Wire", "CLLHTTP", "Foundation",
        ]),
        "Runtime/EventLoop": platform.union(["CUV"]),
        "Runtime/Servers": platform.union([
            "EventLoop", "Wire", "Suppression", "CLLHTTP", "Crypto", "Foundation",
        ]),
        "Runtime/FunctionHost": platform.union([
            "FunctionKit", "CWasmtime", "Crypto", "Foundation",
        ]),
        "Runtime/Node": platform.union([
            "Suppression", "Address", "Cluster", "Wire", "Token", "Storage", "FunctionKit",
            "Client", "EventLoop", "FunctionHost", "Servers", "Foundation", "Crypto", "Logging",
            "Metrics", "CoreMetrics", "Configuration", "Yams", "Collections", "DequeModule",
            "Histogram",
        ]),
        "Sources/quell": platform.union([
            "Node", "Client", "Token", "ArgumentParser", "CCommit", "Foundation",
        ]),
    ]

    /// Every function sees what a handler sees, and nothing else.
    private static let functions: Set<String> = ["FunctionKit"]

    /// Imports of a file that its row does not name.
    ///
    /// `functionFolders` are the folders in Functions/, in lower case; Node builds those in.
    static func findings(in file: SourceFile, functionFolders: Set<String>) -> [Finding] {
        let folder = file.path.split(separator: "/").prefix(2).joined(separator: "/")
        let row = file.isUnder("Functions") ? functions : allowed[folder]
        guard let row else {
            return [
                Finding(path: file.path, line: 1, problem: "\(folder) has no row in ImportTable")
            ]
        }
        return imports(of: file).compactMap { line, module in
            let known = module == "FoundationEssentials" ? "Foundation" : module
            if row.contains(known) { return nil }
            if folder == "Runtime/Node", functionFolders.contains(builtIn(module)) { return nil }
            return Finding(
                path: file.path,
                line: line,
                problem: "\(folder) may not import \(module)"
            )
        }
    }

    /// `UnsubscribeFunction` and `Unsubscribe` both live in Functions/unsubscribe.
    private static func builtIn(_ module: String) -> String {
        let name = module.lowercased()
        return name.hasSuffix("function") ? String(name.dropLast("function".count)) : name
    }

    /// Line and module of every import, whatever stands before it.
    static func imports(of file: SourceFile) -> [(line: Int, module: String)] {
        let kinds = "(?:typealias|struct|class|enum|protocol|let|var|func)"
        let pattern =
            #"^\s*(?:@\w+(?:\([^)]*\))?\s+)*"#
            + #"(?:(?:public|package|internal|fileprivate|private)\s+)?"#
            + #"import\s+(?:\#(kinds)\s+)?(\w+)"#
        let regex = compiled(pattern)
        return file.code.lines.enumerated().compactMap { index, line in
            line.firstMatch(of: regex).flatMap { match in
                match.output[1].substring.map { (index + 1, String($0)) }
            }
        }
    }
}

/// A regex from a literal of ours; a wrong one is a programmer's error.
func compiled(_ pattern: String) -> Regex<AnyRegexOutput> {
    do {
        // The default boundary is Unicode's, which sees one word in `Limits.peers`.
        return try Regex(pattern).wordBoundaryKind(.simple)
    } catch {
        preconditionFailure("\(pattern): \(error)")
    }
}
