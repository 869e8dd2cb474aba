// What is still to happen in a simulated crowd, the earliest first.
//
// A binary heap over (time, order of insertion): two things at one time happen in the order in
// which they were planned, so a seed replays exactly.

/// Things to come.
struct Timeline<Thing> {
    private struct Entry {
        let due: UInt64
        let order: UInt64
        let thing: Thing
    }

    private var heap: [Entry] = []
    private var planned: UInt64 = 0

    /// When the next thing happens; nil when nothing is left.
    var due: UInt64? { heap.first?.due }

    mutating func plan(_ thing: Thing, at due: UInt64) {
        heap.append(Entry(due: due, order: planned, thing: thing))
        planned += 1
        var at = heap.count - 1
        while at > 0 {
            let parent = (at - 1) / 2
            guard isEarlier(at, parent) else { break }
            heap.swapAt(at, parent)
            at = parent
        }
    }

    mutating func next() -> Thing? {
        guard let last = heap.popLast() else { return nil }
        guard let first = heap.first else { return last.thing }
        heap[0] = last
        var at = 0
        while 2 * at + 1 < heap.count {
            var child = 2 * at + 1
            if child + 1 < heap.count, isEarlier(child + 1, child) { child += 1 }
            guard isEarlier(child, at) else { break }
            heap.swapAt(at, child)
            at = child
        }
        return first.thing
    }

    private func isEarlier(_ a: Int, _ b: Int) -> Bool {
        (heap[a].due, heap[a].order) < (heap[b].due, heap[b].order)
    }
}
