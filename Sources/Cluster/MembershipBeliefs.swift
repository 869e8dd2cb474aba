// What a node believes of the members, itself included, and how it changes its mind.
//
//     a record that says more than the one held    is believed, and told on
//     one that says less                           is answered with the one held
//     the same suspicion from another voice        shortens the suspicion
//     anything about this node that it did not say is taken back by a higher incarnation
//
// Records form a total order (Member.swift), so all nodes end with the same table, whatever was
// lost, repeated or reordered on the way.

internal import Suppression

extension Membership {
    /// Takes what a packet tells; what is older than what is known here is answered.
    ///
    /// - Returns: the answers.
    mutating func learn(
        _ records: [MemberRecord],
        now: UInt64,
        into effects: inout [MemberEffect]
    ) -> [MemberRecord] {
        var answers: [MemberRecord] = []
        for record in records {
            if record.node == own.node {
                if let answer = learnOfSelf(record, into: &effects) { answers.append(answer) }
                continue
            }
            guard let held = table[record.node]?.record else {
                guard record.incarnation < Limits.incarnationJump else {
                    counts.refusedRecords += 1
                    continue
                }
                insert(record, now: now, into: &effects)
                continue
            }
            guard
                record.incarnation < held.incarnation
                    || record.incarnation - held.incarnation < Limits.incarnationJump
            else {
                counts.refusedRecords += 1
                continue
            }
            if record.overrides(held) {
                believe(record, now: now, into: &effects)
            } else if held.overrides(record) {
                if held.incarnation > 0 { answers.append(held) }
            } else if let accuser = record.accuser, record.state == .suspect {
                confirm(record.node, by: accuser)
            }
        }
        return answers
    }

    /// Somebody speaks of this node. Only a farewell that an operator ordered is taken; all else
    /// that is not what this life says is taken back by a higher incarnation (SWIM, 4.2).
    private mutating func learnOfSelf(
        _ record: MemberRecord,
        into effects: inout [MemberEffect]
    ) -> MemberRecord? {
        guard own.state != .evicted else { return own }
        if record.state == .evicted {
            turnOwn(to: .evicted, into: &effects)
            return own
        }
        if own.overrides(record) { return own }
        if record == own { return nil }
        guard record.incarnation - own.incarnation < Limits.incarnationJump else {
            counts.refusedRecords += 1
            return nil
        }
        if record.state.isAccusation {
            counts.refutations += 1
            // Whoever has to take something back may be slow itself (Lifeguard, IV.A).
            health.add(1)
        }
        own.incarnation = record.incarnation + 1
        owesBook = true
        rumors.spread(own)
        return own
    }

    mutating func turnOwn(to state: MemberState, into effects: inout [MemberEffect]) {
        effects.append(.turned(own.node, from: own.state, to: state))
        own.state = state
        owesBook = true
        rumors.spread(own)
    }

    mutating func insert(
        _ record: MemberRecord,
        now: UInt64,
        into effects: inout [MemberEffect]
    ) {
        guard table.count < Limits.membersCount else {
            counts.refusedRecords += 1
            return
        }
        let first = MemberRecord(record.facts, incarnation: 0)
        table[record.node] = Member(record: first)
        if wanted == nil { enterRing(record.node) }
        owesLinks = true
        if record == first { dialIfNeeded(record.node, into: &effects) }
        if record.overrides(first) { believe(record, now: now, into: &effects) }
    }

    /// Takes a record that says more than the one held.
    mutating func believe(
        _ record: MemberRecord,
        now: UInt64,
        into effects: inout [MemberEffect]
    ) {
        guard var member = table[record.node] else { return }
        let before = member.record
        let isSameLife = before.facts == record.facts
        let wasDialed = member.isDialed
        // Facts are those of the incarnation: an accuser of the same one may have older ones.
        let facts = record.incarnation == before.incarnation ? before.facts : record.facts
        member.record = MemberRecord(
            facts,
            incarnation: record.incarnation,
            state: record.state,
            accuser: record.accuser
        )
        sharesOfOthers ^= before.share ^ member.record.share
        if before.state == .unreachable, record.state == .alive {
            counts.revivals += 1
            member.flaps.revived(now: now)
        }
        if before.state == .suspect || record.state == .suspect { member.flaps.troubled(now: now) }
        if record.state == .unreachable { counts.deaths += 1 }
        member.suspicion = nil
        table[record.node] = member
        suspects.removeAll { $0 == record.node }
        if record.state == .suspect, let accuser = record.accuser {
            beginSuspicion(of: record.node, by: accuser, now: now)
        }
        if wasDialed, facts.address != before.facts.address || record.state.isGone {
            undial(record.node, before.facts.address, into: &effects)
        }
        dialIfNeeded(record.node, into: &effects)
        rumors.spread(member.record)
        owesBook = owesBook || !isSameLife || before.share != member.record.share
        if before.state != record.state || !isSameLife {
            owesLinks = true
        }
        if before.state != record.state {
            effects.append(.turned(record.node, from: before.state, to: record.state))
        }
        // The suspect first: it alone can take it back (Lifeguard, IV.C). Of a thousand nodes only
        // the accuser and those that are linked to it.
        if record.accuser == own.node || (record.state.isAccusation && member.isLinked) {
            tell(member.record, to: record.node, into: &effects)
        }
    }

    private mutating func beginSuspicion(of node: NodeID, by accuser: NodeID, now: UInt64) {
        let suspicion = Suspicion(
            by: accuser,
            members: liveCount,
            isOurs: accuser == own.node,
            now: now
        )
        table[node]?.suspicion = suspicion
        suspects.append(node)
    }

    /// One more voice against a suspect; told on, as it shortens the wait of others too.
    private mutating func confirm(_ node: NodeID, by accuser: NodeID) {
        guard let record = table[node]?.record,
            table[node]?.suspicion?.confirm(by: accuser) == true
        else { return }
        rumors.spread(record.accusing(.suspect, by: accuser))
    }

    /// This node got no answer.
    mutating func accuse(
        _ node: NodeID,
        isCertain: Bool,
        now: UInt64,
        into effects: inout [MemberEffect]
    ) {
        guard let record = table[node]?.record else { return }
        switch record.state {
        case .alive:
            let open = suspects.count { table[$0]?.suspicion?.isOurs ?? false }
            guard isCertain || open < Limits.openSuspicionsCount else {
                // So many at once: rather this node than all of them.
                health.add(1)
                return
            }
            counts.suspicions += 1
            believe(record.accusing(.suspect, by: own.node), now: now, into: &effects)
        case .suspect:
            confirm(node, by: own.node)
            table[node]?.suspicion?.isOurs = true
        case .unreachable, .left, .evicted: return
        }
        if isCertain { table[node]?.suspicion?.isCertain = true }
    }

    // MARK: the book

    /// Takes in what the life before knew, as if somebody told it now.
    mutating func readBook(now: UInt64, into effects: inout [MemberEffect]) {
        guard !booked.isEmpty else { return }
        var records: [MemberRecord] = []
        swap(&records, &booked)
        // No news: whoever knows something else tells it by the hash. A thousand nodes that start
        // together would tell each other a million things that all of them know.
        let news = rumors
        defer { rumors = news }
        for record in records where record.node != own.node && table[record.node] == nil {
            // A suspicion of back then has been decided by now, without us.
            let state: MemberState = record.state == .suspect ? .alive : record.state
            let accuser = state.isAccusation ? record.accuser : nil
            let told = MemberRecord(
                record.facts,
                incarnation: record.incarnation,
                state: state,
                accuser: accuser
            )
            insert(told, now: now, into: &effects)
        }
    }

    /// Writes the book, if what it says has changed.
    mutating func keepBook(now: UInt64, into effects: inout [MemberEffect]) {
        guard owesBook, now >= bookDueNanos else { return }
        owesBook = false
        bookDueNanos = now + Limits.bookNanos
        let records = members.filter { $0.incarnation > 0 }
        effects.append(.keep(MemberBook(incarnation: own.incarnation, records: records)))
    }
}
