// Bugs on purpose: each breaks one rule that a draft of the design broke, and the Simulator must
// find it (DESIGN 14). A simulator that has never found anything proves nothing.
//
// In a release build the set is empty whatever is put in, so none of them can be on.

/// Rules that a simulation leaves out.
public struct SeededBugs: Equatable, Sendable {
    /// One rule left out.
    public enum Bug: String, CaseIterable, Sendable {
        /// The own slot counts when a write is minted, before its log has it.
        case acknowledgeBeforeCommit
        /// The own slot counts for two.
        case countOneVoterTwice
        /// A lease is as new as the newest of its nonces.
        case asOfNewest
        /// A voter confirms only up to its first gap.
        case contiguousOnly
        /// A write that is in flight to the log is receipted as if it were there.
        case receiptForPendingDuplicate
        /// A confirmation counts before what it names is shown.
        case leaseBeforeMarks
        /// The held set rises with the first page of a pull.
        case heldRaisedPerPage
        /// A consent covers what it did not see.
        case consentWinsWhenConcurrent
        /// A voter is its name: a wiped disk speaks for the slot under the same id.
        case votersByName
        /// A learner has caught up when one other voter has told it what it holds.
        case rebuildFromOneDonor
        /// A receipt counts whichever generation it was given under.
        case gateMixesGenerations
        /// A joint generation ends before its members have caught up.
        case jointEndsEarly
        /// A life that may have forgotten its votes votes.
        case doubtedLifeVotes
        /// A life that may hold less than it said vouches for leases.
        case doubtedLifeConfirms
        /// A life that may have forgotten a later generation gives receipts under an older one.
        case doubtedLifeReceipts
        /// A promise leaves before the log has it.
        case voteBeforeDisk
        /// Each life of a node has the epoch of the one before.
        case epochReused
        /// The numbers of the log begin anew with each life.
        case logSequenceFromOne
        /// Differences in the last partition of the recipients are not mended.
        case repairSkipsLastPartition
        /// A damaged node, or one that joins, vouches as if it had its marks.
        case damagedVouches
        /// A damaged node, or one that joins, gives pages like any other.
        case damagedDonates
    }

    private var bugs: [Bug] = []

    /// No bug.
    public init() {}

    /// These bugs, in a debug build.
    public init(_ bugs: [Bug]) {
        #if DEBUG
            self.bugs = bugs
        #endif
    }

    /// Whether the rule is left out.
    @inline(__always) func has(_ bug: Bug) -> Bool {
        #if DEBUG
            bugs.contains(bug)
        #else
            false
        #endif
    }
}
