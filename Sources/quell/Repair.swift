// `quell repair`: are the nodes equal, and if not, make them so.

import ArgumentParser
import Client
import Foundation
import Synchronization

struct Repair: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare a node's marks with every peer's, and mend what differs.",
        discussion: """
            Asks the first node that can be reached; it compares with each peer.
            Mending only adds what one side lacks; nothing is lifted or deleted.

            Exit code 1: not equal at the end, differences in a dry run, or marks
            that --deep found damaged. 2: a peer was not reached.

            EXAMPLE
              quell repair --dry-run --json
            """
    )

    @OptionGroup var target: Target
    @Option(name: .long, help: "Compare with this node only.")
    var peer: String?
    @Flag(name: .long, help: "Say what differs and change nothing.")
    var dryRun = false
    @Flag(name: .long, help: "Read every mark of that node again first, checksums included.")
    var deep = false
    @Flag(name: .long, help: "Print JSON.")
    var json = false

    func run() throws {
        let doors = try target.adminDoors()
        let meter = RepairMeter(isShown: isatty(2) == 1 && !json)
        defer { meter.end() }
        let (peer, isDry, isDeep) = (peer, dryRun, deep)
        var last = "no node is named"
        for address in doors.addresses {
            do throws(ClientError) {
                let client = try QuellClient(
                    address: address,
                    key: doors.key,
                    limits: .forRepair
                )
                _ = try client.complaint("/livez")
                meter.watch(address, doors.key)
                let outcome = try client.repair(peer: peer, isDry: isDry, isDeep: isDeep)
                meter.end()
                return report(outcome)
            } catch {
                guard case .unreachable(let why) = error else { throw Failure(error) }
                last = why
            }
        }
        throw Failure(.unreachable, "\(last); is the node running?")
    }

    private func report(_ outcome: RepairOutcome) {
        if json {
            print(outcome.json)
        } else {
            for row in outcome.peers { print(line(row)) }
            if let damaged = outcome.damagedCount {
                print("\(damaged) marks with a wrong checksum")
            }
            if outcome.isMemoryEqual == false { print("the disk is not what memory says") }
            if outcome.peers.isEmpty {
                print("this node has no peers; there is nothing to compare")
            }
            print(outcome.isEqual ? "all equal" : "NOT EQUAL")
        }
        if outcome.peers.contains(where: { $0.failure != nil }) { finish(.unknown) }
        let isWell = outcome.damagedCount ?? 0 == 0 && outcome.isMemoryEqual ?? true
        if !outcome.isEqual || !isWell { finish(.no) }
    }

    private func line(_ row: RepairRow) -> String {
        if let failure = row.failure { return "\(row.peer)\t\(failure)" }
        let ratio = row.ratio.map { String(format: "%.2f", $0) } ?? "-"
        return "\(row.peer)\t\(row.differences) differences\t\(row.pushed) pushed\t"
            + "\(row.pulled) pulled\t\(row.bytes) bytes\tratio \(ratio)\t"
            + "\(row.roundTrips) round trips\t\(String(format: "%.3f", row.seconds)) s"
    }
}

/// The bar on a terminal, drawn by a thread of its own while the call waits.
final class RepairMeter: Sendable {
    private let isShown: Bool
    private let isOver = Mutex(false)

    init(isShown: Bool) { self.isShown = isShown }

    /// Begins to ask the node how far it is, five times a second.
    func watch(_ address: String, _ key: String) {
        guard isShown else { return }
        Thread.detachNewThread { [self] in
            do throws(ClientError) {
                let client = try QuellClient(address: address, key: key)
                while !isOver.withLock({ $0 }) {
                    if let progress = try client.repairProgress() { draw(progress) }
                    Thread.sleep(forTimeInterval: 0.2)
                }
            } catch {
                return  // no bar is no harm; the call itself reports what is wrong
            }
        }
    }

    private func draw(_ progress: RepairProgress) {
        let part = progress.found > 0 ? Double(progress.settled) / Double(progress.found) : 0
        let filled = Int(min(part, 1) * 24)
        let bar = String(repeating: "=", count: filled) + String(repeating: " ", count: 24 - filled)
        let peer = progress.peer ?? "-"
        let line = "[\(bar)] \(peer): \(progress.settled) of \(progress.found) differences"
        isOver.withLock { isOver in
            if !isOver { FileHandle.standardError.write(Data("\r\u{1B}[K\(line)".utf8)) }
        }
    }

    /// Takes the bar away, for good.
    func end() {
        let wasOver = isOver.withLock { isOver in
            defer { isOver = true }
            return isOver
        }
        if isShown, !wasOver { FileHandle.standardError.write(Data("\r\u{1B}[K".utf8)) }
    }
}
