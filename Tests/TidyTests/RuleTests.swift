// A check that cannot fail is no check: each rule is shown a bad snippet that it must flag, and a
// good one beside it that it must let pass.

import Testing

private func file(_ text: String, at path: String = "Sources/Storage/Log.swift") -> SourceFile {
    SourceFile(path: path, text: text)
}

@Suite("Each house rule can fail")
struct RuleTests {
    @Test("a stray import is flagged, whatever stands before it")
    func imports() {
        func wrong(_ text: String, at path: String) -> Int {
            ImportTable.findings(
                in: file(text, at: path),
                functionFolders: ["unsubscribe"]
            ).count
        }
        let pure = "Sources/Suppression/Mark.swift"
        #expect(wrong("import Foundation\n", at: pure) == 1)
        #expect(wrong("public import struct Foundation.Date\n", at: pure) == 1)
        #expect(wrong("@preconcurrency internal import Glibc\n", at: pure) == 1)
        #expect(wrong("    import Wire\n", at: pure) == 1)
        #expect(wrong("// import Wire\nlet s = \"import Wire\"\n", at: pure) == 0)
        #expect(wrong("public import Suppression\n", at: "Sources/Wire/Reader.swift") == 0)
        #expect(wrong("import UnsubscribeFunction\n", at: "Runtime/Node/Node.swift") == 0)
        #expect(wrong("import UnsubscribeFunction\n", at: "Runtime/Servers/HTTP.swift") == 1)
        #expect(wrong("import Suppression\n", at: "Functions/check/Check.swift") == 1)
        #expect(wrong("let a = 1\n", at: "Sources/Stray/A.swift") == 1)
    }

    @Test("long lines, files and functions are flagged one past the limit")
    func lengths() {
        #expect(Rule.width(file(String(repeating: "a", count: 100))).isEmpty)
        #expect(Rule.width(file("\n" + String(repeating: "a", count: 101))).first?.line == 2)
        #expect(Rule.length(file(String(repeating: "\n", count: 400))).isEmpty)
        #expect(Rule.length(file(String(repeating: "\n", count: 401))).count == 1)
        func function(_ lines: Int) -> SourceFile {
            let body = String(repeating: "    work(\"}\") // }\n", count: lines - 2)
            return file(
                "protocol P { func q() }\nfunc f(a: () -> Void = {}) {\n\(body)}\nlet x = 1\n"
            )
        }
        #expect(Rule.functionLength(function(70)).isEmpty)
        #expect(Rule.functionLength(function(71)).first?.line == 2)
    }

    @Test("a file without an opening comment is flagged")
    func header() {
        #expect(Rule.header(file("import Glibc\n// late\n")).count == 1)
        #expect(Rule.header(file("")).count == 1)
        #expect(Rule.header(file("// The log.\n")).isEmpty)
        #expect(Rule.header(file("import os\n", at: "Tests/a.py")).count == 1)
        #expect(Rule.header(file("#!/bin/bash\n# Why.\n", at: "Scripts/a.sh")).isEmpty)
    }

    @Test(
        "swallowed errors and hidden races are flagged",
        arguments: [
            "let a = try? read()", "let a = try! read()", "do { try f() } catch {}",
            "do { try f() } catch {\n // why\n}", "do { try f() } catch let e as E { }",
            "final class A: @unchecked Sendable {}", "nonisolated(unsafe) var a = 1",
            "unowned(unsafe) let a: A", "Task { await f() }", "Task.detached {}",
            #"let s = "\(try? f())""#,
        ]
    )
    func forms(snippet: String) {
        #expect(Rule.forms(file(snippet)).count == 1)
    }

    @Test("the two files where threads meet may vouch, and still may not swallow")
    func meetings() {
        let vouch = "final class Mailbox: @unchecked Sendable {}"
        #expect(Rule.forms(file(vouch, at: "Runtime/EventLoop/Mailbox.swift")).isEmpty)
        #expect(Rule.forms(file("try? f()", at: "Runtime/EventLoop/Mailbox.swift")).count == 1)
        #expect(Rule.forms(file("if try !isReady() {}")).isEmpty, "`try !` is a negation")
        #expect(Rule.forms(file("// try? f()\nlet a = \"Task {\"\nlet t = TaskName {}")).isEmpty)
    }

    @Test(
        "empty names are flagged",
        arguments: [
            "final class RetryManager {}", "let new = 1", "func send(newKey: Int) {}",
            "func send(_ userData: Int) {}", "enum PathUtils {}", "struct PeerInfo {}",
            "var data: [UInt8]", "typealias Handler = () -> Void", "case helper",
            "init(to data: Int) {}",
        ]
    )
    func names(snippet: String) {
        #expect(Rule.names(file(snippet)).count >= 1)
    }

    @Test("field names that only contain those letters pass")
    func goodNames() {
        let good = "let newest = 1\nvar dataDirectory: Path\nfunc renew(at time: Int) {}\n"
        #expect(Rule.names(file(good)).isEmpty)
        let handler = "func run(handler: Int) {}"
        #expect(Rule.names(file(handler, at: "Sources/FunctionKit/Run.swift")).isEmpty)
        #expect(Rule.names(file("let a = 1", at: "Sources/Storage/Utils.swift")).count == 1)
        #expect(Rule.words(of: "parseURLData_now2") == ["parse", "url", "data", "now2"])
    }

    @Test("untracked work, second titles and machine paths are flagged")
    func pages() {
        let todo = "TO" + "DO"
        #expect(Rule.todo(file("// \(todo): later")).count == 1)
        #expect(Rule.todo(file("// \(todo)(0007): until wasm runs")).isEmpty)
        #expect(Rule.title(file("# A\n```\n# not a title\n```\n## b\n")).isEmpty)
        #expect(Rule.title(file("# A\n# B\n")).first?.line == 2)
        #expect(Rule.title(file("text\n")).count == 1)
        let machine = "cp /" + "work/a b"
        #expect(Rule.machinePaths(file(machine)).count == 1)
        #expect(Rule.machinePaths(file("open(\"/" + "root\")")).count == 1)
        #expect(
            Rule.machinePaths(file("let a = \"$HOME/wor" + "k/x\" // e.org/rootless")).isEmpty
        )
    }

    @Test("an unused limit, an unexplained key and an unexplained metric are flagged")
    func agreements() {
        let home = file("static let frameBytes = 1\nstatic let peers = frameBytes\n")
        #expect(Rule.limits(declaredIn: [home], usedIn: []).map(\.line) == [2])
        #expect(Rule.limits(declaredIn: [home], usedIn: [file("a < Limits.peers")]).isEmpty)

        let keys = file("enum ConfigKey: String {\n    case port = \"base_port\"\n}\n")
        #expect(Rule.configKeys(declaredIn: [keys], example: nil).count == 1)
        #expect(Rule.configKeys(declaredIn: [keys], example: file("my_base_port: 1")).count == 1)
        #expect(Rule.configKeys(declaredIn: [keys], example: file("# base_port: 8100")).isEmpty)

        let metric = file("let a = \"quell_write_acknowledge_seconds\"")
        #expect(Rule.metrics(declaredIn: [metric], documents: []).count == 1)
        let page = file("`quell_write_acknowledge_seconds_bucket` has an alert")
        #expect(Rule.metrics(declaredIn: [metric], documents: [page]).isEmpty)
    }
}
