// `quell check`: may I write to this person? The exit code is the answer.

import ArgumentParser
import Client
import Foundation

struct Check: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Ask whether mail may be sent to an address.",
        discussion: """
            Exit code 0: every address may be mailed. 1: at least one may not. 2: the node cannot know, \
            so do not send now. Only 0 means send.

            EXAMPLE
              quell check ada@example.com --stream marketing --topic news
              quell check - --stream marketing < addresses.txt
            """
    )

    @Argument(help: "Addresses; - reads them from standard input, one a line.")
    var addresses: [String]
    @OptionGroup var scope: ScopeOptions
    @OptionGroup var target: Target
    @Flag(name: .long, help: "Print the node's JSON.")
    var json = false

    func run() throws {
        let doors = try target.publicDoors()
        let asked = try addresses == ["-"] ? lines() : addresses
        var worst: FailureCode?
        for start in stride(from: 0, to: asked.count, by: ClientLimits.batchAddressesCount) {
            let end = min(asked.count, start + ClientLimits.batchAddressesCount)
            let batch = Array(asked[start..<end])
            let answer = try ask(doors, batch)
            if json { print(try text(answer)) } else { write(batch, answer) }
            for result in answer.results {
                if !result.isKnown { worst = .unknown }
                if result.isKnown, !result.mayBeSent, worst == nil { worst = .no }
            }
        }
        if let worst { finish(worst) }
    }

    private func ask(_ doors: Target.Doors, _ batch: [String]) throws(Failure) -> CheckAnswer {
        try doors.call { client throws(ClientError) in
            let answer = client.check(
                stream: scope.stream,
                topic: scope.topic,
                addresses: batch
            )
            if let failure = answer.failure { throw failure }
            return answer
        }
    }

    private func write(_ batch: [String], _ answer: CheckAnswer) {
        for (address, result) in zip(batch, answer.results) {
            var line = "\(result.word)\t\(address)"
            if let reason = result.reason { line += "\t\(reason)" }
            if let since = result.since { line += " since \(since)" }
            print(line)
        }
    }

    private func text(_ answer: CheckAnswer) throws -> String {
        let results = answer.results.map { result in
            JSONText.object([
                ("decision", .text(result.word)), ("reason", .maybe(result.reason)),
                ("since", .maybe(result.since)),
            ])
        }
        return JSONText.object([
            ("results", .list(results)), ("staleness_ms", .number(answer.stalenessMillis)),
            ("node", .maybe(answer.node)),
        ])
    }

    private func lines() throws(Failure) -> [String] {
        var lines: [String] = []
        while let line = readLine() {
            if !line.isEmpty { lines.append(line) }
        }
        guard !lines.isEmpty else {
            throw Failure(.usage, "standard input holds no address; write one a line")
        }
        return lines
    }
}
