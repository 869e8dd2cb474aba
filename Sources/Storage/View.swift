// Snapshot and overlay as one: the only place where they meet.
//
// A judgement must never see the two halves of one key apart. An overlay that holds a consent shows a
// mark that suppresses nothing, and a snapshot that lacks it shows one that does; taken one by one they
// would deny what is lifted, or worse, with a damaged half, allow what nobody can read.

public import Suppression

extension ReadTransaction {
    /// Calls `body` with every mark of a person that this loop knows of, merged, in key order; nil for
    /// a damaged one, whatever the overlay says.
    ///
    /// The order of a turn is: drain the mailbox into the overlay, take the lease, `renew`, drop from
    /// the overlay what the snapshot shows, then this.
    public func forEachMark(
        of person: Person,
        under overlay: borrowing Overlay,
        _ body: (MarkKey, Mark?) -> Void
    ) throws(StorageError) {
        let recent = overlay.marks(of: person)
        var at = 0
        try forEachMark(of: person) { key, stored in
            while at < recent.count, recent[at].key < key {
                body(recent[at].key, recent[at].mark)
                at += 1
            }
            guard at < recent.count, recent[at].key == key else { return body(key, stored) }
            guard var merged = stored else {
                at += 1
                return body(key, nil)
            }
            merged.merge(recent[at].mark)
            at += 1
            body(key, merged)
        }
        while at < recent.count {
            body(recent[at].key, recent[at].mark)
            at += 1
        }
    }

    /// One mark as this loop knows it.
    public func mark(
        _ key: MarkKey,
        under overlay: borrowing Overlay
    ) throws(StorageError) -> StoredMark {
        let stored = try mark(key)
        guard let recent = overlay.mark(key) else { return stored }
        switch stored {
        case .damaged: return .damaged
        case .absent: return .present(recent)
        case .present(var mark):
            mark.merge(recent)
            return .present(mark)
        }
    }

    /// What an idempotency key was answered with, as this loop knows it.
    public func request(
        _ id: Recipient,
        under overlay: borrowing Overlay
    ) throws(StorageError) -> RememberedRequest? {
        if let recent = overlay.request(id) { return recent }
        return try request(id)
    }
}
