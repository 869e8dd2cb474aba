// The thread of a serving loop.
//
// A libuv loop belongs to the thread that runs it, so it is made there; the start-up only gets the
// door back. Then the thread waits for what the loop needs, because the store is opened in between.

import EventLoop
import Foundation
import FunctionHost
import Storage
import Synchronization

/// What a serving loop needs, once the store is open.
struct ServingStart: Sendable {
    let store: Store
    let memory: Published<MarkMemory>
    let node: Mailbox<NodeMessage>
    let metrics: NodeMetrics
    let catalog: Catalog
    let functions: FunctionRuntime
}

/// A value that one thread leaves for another, once.
final class Handoff<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)
    private let isThere = DispatchSemaphore(value: 0)

    /// Leaves the value.
    func put(_ left: Value) {
        value.withLock { $0 = left }
        isThere.signal()
    }

    /// Waits for the value.
    func take() -> Value? {
        isThere.wait()
        return value.withLock { $0 }
    }
}

/// A serving loop's thread before and while it serves.
struct ServingThread {
    let door: LoopDoor
    private let start: Handoff<ServingStart>

    /// Starts the thread and waits for its mailbox.
    init(index: Int, config: Config) throws {
        let doors = Handoff<Result<LoopDoor, LoopError>>()
        let start = Handoff<ServingStart>()
        let thread = Thread {
            nameThread("serving-\(index)")
            serve(index, config, doors, start)
        }
        thread.stackSize = Limits.threadStackBytes
        thread.start()
        guard let door = doors.take() else { preconditionFailure("a handoff came back empty") }
        self.door = try door.get()
        self.start = start
    }

    /// Lets it serve.
    func begin(_ facts: ServingStart) { start.put(facts) }
}

private func serve(
    _ index: Int,
    _ config: Config,
    _ doors: Handoff<Result<LoopDoor, LoopError>>,
    _ start: Handoff<ServingStart>
) {
    let loop: Loop
    let door: LoopDoor
    do throws(LoopError) {
        loop = try Loop()
        door = LoopDoor(mailbox: try Mailbox(loop: loop, bound: Limits.loopMailboxCount))
    } catch {
        doors.put(.failure(error))
        return
    }
    doors.put(.success(door))
    guard let facts = start.take() else { return }
    do {
        let serving = try ServingLoop(
            index: index,
            config: config,
            loop: loop,
            door: door,
            node: facts.node,
            nodeMetrics: facts.metrics,
            reader: try facts.store.reader(),
            shared: facts.memory.reader(),
            catalog: facts.catalog,
            functions: LoopFunctions(facts.functions)
        )
        try serving.run()
    } catch {
        door.mailbox.close()
        loop.close()
        _ = facts.node.post(.broken(loop: index, "\(error)"))
    }
}
