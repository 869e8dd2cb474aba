// The part of a checkpoint that remembers idempotency keys, and forgets them after a day.
//
// Two tables: by id, to answer a repeated request with the dot it already has, and by time, so that
// the oldest are found first and each commit forgets a bounded number.

internal import Suppression

extension Checkpoint {
    mutating func remember(
        _ request: RequestStamp,
        of change: Change,
        at now: UInt64,
        _ transaction: borrowing WriteTransaction
    ) throws(StorageError) {
        let key = request.id.key
        if case .intact = try transaction.read(key, in: tables.requests, into: &buffer),
            let before = RememberedRequest(buffer)
        {
            try transaction.delete(
                timeKey(before.millis, request.id),
                in: tables.requestsByTime
            )
        }
        let answer = RememberedRequest(dot: change.dot, body: request.body, millis: now)
        record.begin { $0 = key }
        record.seal { answer.encode(into: &$0) }
        try transaction.put(record, in: tables.requests)
        record.begin { $0 = timeKey(now, request.id) }
        record.seal { _ in }
        try transaction.put(record, in: tables.requestsByTime)
    }

    /// Forgets idempotency keys past their time, oldest first, a bounded number at once.
    mutating func forgetRequests(
        before now: UInt64,
        _ transaction: borrowing WriteTransaction
    ) throws(StorageError) {
        guard now > Limits.requestMemoryMillis else { return }
        let oldest = now - Limits.requestMemoryMillis
        var old: [(millis: UInt64, id: Recipient)] = []
        do {
            let cursor = try transaction.cursor(tables.requestsByTime)
            let take = { (key: Span<UInt8>, _: Span<UInt8>) in
                var at = ByteCursor()
                do {
                    let millis = try at.u64(key)
                    let id = Recipient(high: try at.u64(key), low: try at.u64(key))
                    old.append((millis, id))
                } catch { old.append((.max, Recipient(high: 0, low: 0))) }  // no key of ours
            }
            var found = try cursor.first(take)
            while found, let last = old.last, last.millis < oldest,
                old.count < Limits.forgetRequestsCount
            {
                found = try cursor.next(take)
            }
        }
        for entry in old where entry.millis < oldest {
            try transaction.delete(timeKey(entry.millis, entry.id), in: tables.requestsByTime)
            guard
                case .intact = try transaction.read(
                    entry.id.key,
                    in: tables.requests,
                    into: &buffer
                ),
                RememberedRequest(buffer)?.millis == entry.millis
            else { continue }
            try transaction.delete(entry.id.key, in: tables.requests)
        }
    }
}

/// The key under which a request's age is found.
private func timeKey(_ millis: UInt64, _ id: Recipient) -> [UInt8] {
    var key: [UInt8] = []
    key.append(bigEndian: millis)
    key.append(contentsOf: id.key)
    return key
}
