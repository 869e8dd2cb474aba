// Pieces of a list on their way to a node, two at a time, answered in their order.
//
// While a node works on one piece the next is read and sent, so neither waits for the other. A
// piece that could not be delivered is tried on the next node, and again after a pause: sending it
// twice is harmless. Answers come back in the order of the list, because that is what "so many rows
// are done" means.

import Client
import Foundation
import Synchronization

final class PieceSender: Sendable {
    typealias Call = @Sendable (QuellClient, ListPiece) throws(ClientError) -> ImportAnswer

    private struct State {
        var waiting: [(Int, ListPiece)] = []
        var done: [Int: Result<(ListPiece, ImportAnswer), Failure>] = [:]
        var sent = 0
        var taken = 0
        var isClosed = false
    }

    private static let lanesCount = 2
    private static let attemptsCount = 60
    private static let pauseSeconds = 0.5

    private let state = Mutex(State())
    private let arrived = DispatchSemaphore(value: 0)
    private let finished = DispatchSemaphore(value: 0)
    private let doors: Target.Doors
    private let call: Call

    init(_ doors: Target.Doors, _ call: @escaping Call) {
        self.doors = doors
        self.call = call
        for _ in 0..<PieceSender.lanesCount {
            Thread { [self] in runLane() }.start()
        }
    }

    /// Whether another piece should be read.
    var hasRoom: Bool { state.withLock { $0.sent - $0.taken < 2 * PieceSender.lanesCount } }

    func send(_ piece: ListPiece) {
        state.withLock { state in
            state.waiting.append((state.sent, piece))
            state.sent += 1
        }
        arrived.signal()
    }

    /// Waits for the next piece's answer; nil when none is on its way.
    func next() throws -> (ListPiece, ImportAnswer)? {
        while true {
            let found = state.withLock { state -> Result<(ListPiece, ImportAnswer), Failure>?? in
                if state.taken == state.sent { return .some(nil) }
                guard let result = state.done.removeValue(forKey: state.taken) else { return nil }
                state.taken += 1
                return .some(result)
            }
            if let found { return try found?.get() }
            finished.wait()
        }
    }

    func close() {
        state.withLock { $0.isClosed = true }
        for _ in 0..<PieceSender.lanesCount { arrived.signal() }
    }

    private func runLane() {
        var client: QuellClient?
        while true {
            arrived.wait()
            let next = state.withLock { state -> (Int, ListPiece)? in
                state.isClosed || state.waiting.isEmpty ? nil : state.waiting.removeFirst()
            }
            guard let (number, piece) = next else { return }
            let result = deliver(piece, &client)
            state.withLock { $0.done[number] = result }
            finished.signal()
        }
    }

    private func deliver(
        _ piece: ListPiece,
        _ client: inout QuellClient?
    ) -> Result<(ListPiece, ImportAnswer), Failure> {
        var last = Failure(.unreachable, "no node is named")
        for attempt in 0..<PieceSender.attemptsCount {
            if attempt > 0 { Thread.sleep(forTimeInterval: PieceSender.pauseSeconds) }
            if state.withLock({ $0.isClosed }) { return .failure(last) }
            for address in doors.addresses {
                do throws(ClientError) {
                    var limits = ClientLimits()
                    limits.answerMillis = 120_000  // a node that is busy makes a list wait
                    let open: QuellClient
                    if let client {
                        open = client
                    } else {
                        open = try QuellClient(address: address, key: doors.key, limits: limits)
                    }
                    client = open
                    return .success((piece, try call(open, piece)))
                } catch {
                    client = nil
                    last = Failure(error)
                    guard last.code == .unreachable else { return .failure(last) }
                }
            }
        }
        return .failure(last)
    }
}
