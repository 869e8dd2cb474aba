// The house rules as a program: the whole tree against each rule.
//
// A rule between files passes vacuously only while the file that declares the fact does not exist.

import Testing

@Suite("The tree keeps the house rules")
struct TidyTests {
    let tree = Tree.ours

    /// All Swift of ours, tests and manifest included.
    var swift: [SourceFile] {
        tree.files.filter { $0.path.hasSuffix(".swift") }
    }

    /// What runs in production.
    var production: [SourceFile] { tree.swift(under: "Sources", "Runtime", "Functions") }

    func expectNone(_ findings: [Finding]) {
        for finding in findings { Issue.record("\(finding)") }
    }

    @Test("the tree was found")
    func found() {
        #expect(tree.files.contains { $0.path == "Package.swift" })
        #expect(production.contains { $0.path == "Sources/Suppression/Identity.swift" })
    }

    @Test("modules import what the table of DESIGN section 3 allows")
    func imports() {
        let folders = tree.files.filter { $0.isUnder("Functions") }
            .compactMap { $0.path.split(separator: "/").dropFirst().first?.lowercased() }
        for file in production {
            expectNone(ImportTable.findings(in: file, functionFolders: Set(folders)))
        }
    }

    @Test("lines end by column 100")
    func width() {
        let endings = [".swift", ".c", ".h", ".py", ".sh", ".service", ".txt"]
        for file in tree.files where endings.contains(where: { file.path.hasSuffix($0) }) {
            expectNone(Rule.width(file))
        }
    }

    @Test("files end by line 400, functions by 70")
    func length() {
        let endings = [".swift", ".c", ".h", ".py", ".sh"]
        for file in tree.files where endings.contains(where: { file.path.hasSuffix($0) }) {
            expectNone(Rule.length(file))
        }
        for file in swift { expectNone(Rule.functionLength(file)) }
    }

    @Test("every source file opens by teaching")
    func header() {
        let endings = [".swift", ".c", ".h", ".py", ".sh", ".service"]
        for file in tree.files where file.path != "Package.swift" {
            if !endings.contains(where: { file.path.hasSuffix($0) }) { continue }
            expectNone(Rule.header(file))
        }
    }

    @Test("no error is swallowed and no race is hidden")
    func forms() {
        for file in production { expectNone(Rule.forms(file)) }
    }

    @Test("names say what a thing is")
    func names() {
        for file in production { expectNone(Rule.names(file)) }
    }

    @Test("what is left to do names a decision")
    func todo() {
        for file in production { expectNone(Rule.todo(file)) }
    }

    @Test("a page has one title")
    func title() {
        for file in tree.files where file.path.hasSuffix(".md") { expectNone(Rule.title(file)) }
    }

    @Test("no file names a path of one machine")
    func machinePaths() {
        for file in tree.files { expectNone(Rule.machinePaths(file)) }
    }

    @Test("every limit is kept by somebody")
    func limits() {
        let homes = tree.matching(/(?:Sources|Runtime)\/\w+\/Limits\w*\.swift/)
        let others = production.filter { file in !homes.contains { $0.path == file.path } }
        expectNone(Rule.limits(declaredIn: homes, usedIn: others))
    }

    @Test("every configuration key is in the manual, quell.example.yaml")
    func configKeys() {
        expectNone(
            Rule.configKeys(
                declaredIn: tree.matching(/Runtime\/Node\/Config\w*\.swift/),
                example: tree.files.first { $0.path == "quell.example.yaml" }
            )
        )
    }

    @Test("every metric is explained in Deploy/monitoring")
    func metrics() {
        expectNone(
            Rule.metrics(
                declaredIn: tree.matching(/Runtime\/Node\/Metrics\w*\.swift/),
                documents: tree.files.filter { $0.isUnder("Deploy/monitoring") }
            )
        )
    }
}
