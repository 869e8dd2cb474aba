// `quell fn dev DIR`: on every save, build, ask the fixtures and deploy; whatever fails, the
// version that serves goes on.
//
// It looks at the folder's files a few times a second, by size and time: a save is noticed within
// that, whichever editor and whichever file system.

import ArgumentParser
import Client
import Foundation
import Node

struct FnDev: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dev",
        abstract: "Build, test and deploy a function on every save, to a local cluster.",
        discussion: """
            Keeps the version that serves when a build or a fixture fails. Ctrl-C ends it; the \
            last version goes on serving.

            EXAMPLE
              quell dev --detach
              quell fn dev greet
            """
    )
    @OptionGroup var folder: FnFolder
    @OptionGroup var options: DeployOptions
    @Option(name: .long, help: "End after so many deploys or failures; 0: never.")
    var rounds = 0

    func run() throws {
        let doors = try options.target.adminDoors()
        let key = try options.key()
        var seen: [String] = []
        var done = 0
        while rounds == 0 || done < rounds {
            let now = state()
            guard now != seen else {
                usleep(200_000)
                continue
            }
            seen = now
            done += 1
            do throws(Failure) {
                let built = try BuiltFunction(try folder.project())
                let reports = try built.tried()
                if !folder.json { built.report(reports) }
                let packed = try built.proved(key)
                let deployment = try Deployer(doors).deploy(packed)
                let digest = String(packed.digest.prefix(12))
                print(
                    folder.json
                        ? deployment.json
                        : "serves \(digest), generation \(deployment.activated.generation)"
                )
            } catch { say(error) }
            fflush(nil)
        }
    }

    private func say(_ failure: Failure) {
        let line =
            folder.json
            ? JSONText.object([("error", .text(failure.description))])
            : "\(failure.description)\nthe version that served goes on"
        print(line)
    }

    /// Every file of the folder but what the build makes, by size and time.
    private func state() -> [String] {
        let root = folder.folder
        guard let paths = FileManager.default.enumerator(atPath: root) else { return [] }
        var lines: [String] = []
        for path in paths.compactMap({ $0 as? String }) where !path.hasPrefix(".build") {
            do {
                let facts = try FileManager.default.attributesOfItem(atPath: "\(root)/\(path)")
                let time = (facts[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
                lines.append("\(path) \(facts[.size] ?? 0) \(time)")
            } catch {
                // Gone between the two looks: the next one sees it gone.
                lines.append("\(path) gone")
            }
        }
        return lines.sorted()
    }
}
