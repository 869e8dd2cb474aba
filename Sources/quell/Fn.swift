// `quell fn`: functions, from an empty folder to every node.
//
//     new ─► build ─► test ─► deploy ─► status, logs ─► rollback
//                             deploy --canary, --shadow ─► promote
//                             dev: the same on every save

import ArgumentParser
import Foundation
import Node

struct Fn: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fn",
        abstract: "Write, test and deploy functions.",
        discussion: """
            EXAMPLE
              quell fn new greet
              quell fn test greet
              quell fn deploy greet
              curl http://127.0.0.1:8100/f/greet/Ada
            """,
        subcommands: [
            FnBegin.self, FnBuild.self, FnTest.self, FnDev.self, FnPublish.self, FnDeploy.self,
            FnCanary.self, FnShadow.self, FnPromote.self, FnRollback.self, FnStatus.self,
            FnList.self, FnLogs.self,
        ]
    )
}

/// The folder of a function.
struct FnFolder: ParsableArguments {
    @Argument(help: "Folder with function.yaml.") var folder: String
    @Flag(name: .long, help: "Print JSON.") var json = false

    /// Its manifest; the error names file, line and key.
    func project() throws(Failure) -> FunctionProject {
        do throws(NodeFailure) {
            return try FunctionProject(folder: FnFolder.trimmed(folder))
        } catch { throw Failure(.configuration, error.description) }
    }

    private static func trimmed(_ path: String) -> String {
        path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    }
}

/// A function as the toolchain left it.
struct BuiltFunction {
    let project: FunctionProject
    let wasm: [UInt8]
    let seconds: Double

    /// Builds the folder's sources.
    init(_ project: FunctionProject) throws(Failure) {
        let started = ProcessInfo.processInfo.systemUptime
        wasm = try Toolchain().build(
            folder: DevCluster.absolute(project.folder),
            name: project.name,
            sources: DevCluster.absolute(project.sources),
            stackBytes: project.stackBytes,
            pages: project.memoryPages
        )
        self.project = project
        seconds = ProcessInfo.processInfo.systemUptime - started
    }

    /// Asks every fixture under the limits of production.
    func tried() throws(Failure) -> [FixtureReport] {
        do throws(NodeFailure) {
            return try project.tried(
                wasm,
                program: try FunctionKitSources.programOrFail(),
                scratch: DevCluster.absolute(project.folder) + "/.build/code"
            )
        } catch { throw Failure(.configuration, error.description) }
    }

    /// The artifact, signed where a key is given.
    func packed(_ deployerKey: [UInt8]?) throws(Failure) -> PackedFunction {
        do throws(NodeFailure) {
            return try project.packed(wasm, deployerKey: deployerKey)
        } catch { throw Failure(.configuration, error.description) }
    }
}

struct FnBegin: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "new",
        abstract: "Write the folder of a new function.",
        discussion: "EXAMPLE\n  quell fn new greet"
    )
    @Argument(help: "1 to 32 of a-z 0-9 -, a letter first.") var name: String
    @Flag(name: .long, help: "Print JSON.") var json = false

    func run() throws {
        let isName = name.range(of: "^[a-z][a-z0-9-]{0,31}$", options: .regularExpression) != nil
        guard isName, !["check", "preferences", "unsubscribe"].contains(name) else {
            throw Failure(
                .usage,
                "\(name): use 1 to 32 of a-z 0-9 -, a letter first; check, preferences and "
                    + "unsubscribe are taken (copy Functions/NAME for those)"
            )
        }
        guard !FileManager.default.fileExists(atPath: name) else {
            throw Failure(.configuration, "\(name): exists; choose another name or remove it")
        }
        let files = FnTemplates.http(name)
        for (path, text) in files { try write("\(name)/\(path)", text) }
        let (kit, lack) = FnBegin.kit()
        if json {
            let paths = files.map { "\"\(name)/\($0.path)\"" }
            print(
                JSONText.object([
                    ("name", .text(name)), ("files", .list(paths)), ("kit", .maybe(kit)),
                ])
            )
        } else {
            for (path, _) in files { print("  \(name)/\(path)") }
            print("What a handler sees is FunctionKit: \(kit ?? lack)")
            print("Edit \(name)/Sources/\(FnTemplates.typeName(name)).swift, then:")
            print("  quell fn test \(name)")
            print("  quell fn deploy \(name)")
        }
    }

    /// Where FunctionKit's sources are, or why they are not found: the folder is written all the
    /// same, and `fn test` fails with the same words.
    private static func kit() -> (path: String?, lack: String) {
        do throws(Failure) {
            return (try FunctionKitSources.find().functionKit, "")
        } catch { return (nil, error.description) }
    }

    private func write(_ path: String, _ text: String) throws(Failure) {
        let folder = URL(filePath: path).deletingLastPathComponent().path()
        do {
            try FileManager.default.createDirectory(
                atPath: folder,
                withIntermediateDirectories: true
            )
        } catch { throw Failure(.configuration, "\(folder): cannot be made") }
        try Files.create(path, Array(text.utf8), mode: 0o644)
    }
}

struct FnBuild: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "build",
        abstract: "Build a function's module and its artifact, unsigned.",
        discussion: "EXAMPLE\n  quell fn build greet"
    )
    @OptionGroup var folder: FnFolder

    func run() throws {
        let built = try BuiltFunction(try folder.project())
        let packed = try built.packed(nil)
        let name = built.project.name
        let path = "\(built.project.folder)/.build/\(name).qfn"
        try Files.replace(path, packed.bytes, mode: 0o644)
        if folder.json {
            print(
                JSONText.object([
                    ("name", .text(name)), ("digest", .text(packed.digest)),
                    ("wasm_bytes", .number(Int64(built.wasm.count))),
                    ("artifact_bytes", .number(Int64(packed.bytes.count))),
                    ("path", .text(path)), ("millis", .number(Int64(built.seconds * 1_000))),
                ])
            )
        } else {
            print("\(path)\t\(built.wasm.count) bytes of wasm\t\(packed.digest)")
        }
    }
}

struct FnTest: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "test",
        abstract: "Build a function and ask its fixtures, under the limits of production.",
        discussion: "Exit code 1: a fixture failed.\n\nEXAMPLE\n  quell fn test greet"
    )
    @OptionGroup var folder: FnFolder

    func run() throws {
        let built = try BuiltFunction(try folder.project())
        let reports = try built.tried()
        if folder.json {
            let rows = reports.map { report in
                JSONText.object([
                    ("fixture", .text(report.name)), ("passed", .flag(report.problem == nil)),
                    ("problem", .maybe(report.problem)),
                    ("micros", .number(Int64(report.micros.rounded()))),
                    ("response_bytes", .number(Int64(report.responseBytes))),
                    ("peak_bytes", .number(report.peakBytes.map { Int64($0) })),
                ])
            }
            print(
                JSONText.object([
                    ("name", .text(built.project.name)),
                    ("wasm_bytes", .number(Int64(built.wasm.count))),
                    ("memory_bytes", .number(Int64(built.project.memoryPages * 65_536))),
                    ("fixtures", .list(rows)),
                ])
            )
        } else {
            built.report(reports)
        }
        if reports.contains(where: { $0.problem != nil }) { finish(.no) }
    }
}

extension BuiltFunction {
    /// A line a fixture, and one about the module.
    func report(_ reports: [FixtureReport]) {
        for report in reports {
            let time = String(format: "%.1f us", report.micros)
            let outcome = report.problem.map { "FAILED: \($0)" } ?? "passed"
            let peak = report.peakBytes.map { "\t\(BuiltFunction.kibibytes($0)) KiB" } ?? ""
            print("\(report.name)\t\(outcome)\t\(time)\t\(report.responseBytes) bytes\(peak)")
        }
        let took = String(format: "%.1f s", seconds)
        let peak = reports.compactMap(\.peakBytes).max().map {
            "peak \(BuiltFunction.kibibytes($0)) of "
        }
        print(
            "\(project.name): \(wasm.count) bytes of wasm, \(peak ?? "")"
                + "\(project.memoryPages * 64) KiB of memory, built in \(took)"
        )
    }

    private static func kibibytes(_ bytes: Int) -> String {
        String(format: "%.1f", Double(bytes) / 1_024)
    }
}

extension FunctionKitSources {
    /// The same with the error of Node, for calls into it.
    static func programOrFail() throws(NodeFailure) -> String {
        do throws(Failure) { return try program() } catch { throw .broken(error.description) }
    }
}
