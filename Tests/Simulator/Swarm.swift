// What one seed simulates. Each seed draws its own mix of cluster, load and faults (Groce et al.,
// "Swarm testing", ISSTA 2012): with everything on at once, faults hide behind each other.

import Cluster

/// A class of fault.
enum Fault: String, CaseIterable {
    case crash, crashAtEffect, pause, cutOneWay, cutBoth, linkReset, diskFull, diskFail, slowDisk
    case wipe, restore, clockJump, loopStall, rollback, siege, damage
}

/// The options of one seed.
struct Swarm: CustomStringConvertible {
    var votersCount = 3
    var edgesCount = 0
    var faults: [Fault] = []
    var faultMillis: UInt64 = 300
    var boundMillis: UInt64 = 1_000
    var runMillis: UInt64 = 4_000
    var writeMillis: UInt64 = 40
    var checkMillis: UInt64 = 25
    var keysCount = 3
    var lossThousandths = 0
    var repeatThousandths = 0
    var reorders = false
    var delayMicros: UInt64 = 400
    var commitMicros: UInt64 = 600
    var checkpointMillis: UInt64 = 100
    /// Between two commands of the operator; 0 for none.
    var commandMillis: UInt64 = 0
    /// Between two comparisons of all marks with everybody; 0 for none.
    var repairMillis: UInt64 = 0
    /// Between two damages; 0 for none.
    var damageMillis: UInt64 = 0
    /// When nodes that are no voters start for the first time.
    var lateMillis: UInt64 = 0
    var bounds = Bounds()
    var bugs: [SeededBugs.Bug] = []

    /// Draws the options of a seed.
    init(seed: UInt64) {
        var dice = Dice(seed: seed ^ 0x5347_5741_524d)
        votersCount = dice.one(of: [1, 3, 3, 3, 3, 5])
        edgesCount = dice.one(of: votersCount == 5 ? [0, 1] : [0, 0, 1, 2])
        let apart: [Fault] = [.rollback, .siege, .damage]
        faults = Fault.allCases.filter { !apart.contains($0) && dice.thousandths(450) }
        faultMillis = dice.one(of: [100, 250, 600])
        boundMillis = dice.one(of: [450, 600, 1_000])
        runMillis = dice.one(of: [1_500, 2_500, 4_500])
        writeMillis = dice.one(of: [5, 20, 60, 150])
        checkMillis = dice.one(of: [5, 15])
        keysCount = dice.one(of: [1, 2, 4, 8])
        lossThousandths = dice.one(of: [0, 0, 0, 10, 100])
        repeatThousandths = dice.one(of: [0, 0, 20, 100])
        reorders = dice.thousandths(250)
        delayMicros = dice.one(of: [100, 400, 5_000, 60_000])
        commitMicros = dice.one(of: [200, 600, 20_000])
        checkpointMillis = dice.one(of: [20, 100, 700])
        if dice.thousandths(500) {
            bounds.pendingChangesCount = dice.one(of: [16, 64])
            bounds.pushWindowCount = dice.one(of: [2, 8, 16])
            bounds.recentChangesCount = dice.one(of: [0, 4])
            bounds.pageDotsCount = dice.one(of: [1, 2, 5])
            bounds.pullDotsCount = dice.one(of: [7, 64])
            bounds.pullBacklogCount = dice.one(of: [16, 64])
            bounds.heldStepsCount = dice.one(of: [1, 4])
        }
        drawVoters(seed)
        drawRepair(seed)
    }

    /// Whether and how often the voters change, and old disks that do not know that they are old.
    private mutating func drawVoters(_ seed: UInt64) {
        var dice = Dice(seed: seed ^ 0x766f_7465_7273)
        commandMillis = dice.one(of: [0, 0, 200, 500, 1_200])
        if commandMillis > 0 {
            runMillis += dice.one(of: [1_000, 3_000])
            if dice.thousandths(500), !faults.contains(.wipe) { faults.append(.wipe) }
            if edgesCount == 0, votersCount < 5 { edgesCount = dice.below(3) }
        }
        if votersCount == 3, commandMillis > 0, dice.thousandths(400) {
            faults.append(.siege)
            writeMillis = dice.one(of: [5, 20])
            commitMicros = dice.one(of: [600, 20_000])
            bounds.pageDotsCount = dice.one(of: [1, 2, 5])
        }
        guard dice.thousandths(250), votersCount > 1 else { return }
        // Such a disk is found by what is said first on a link: there frames are as TCP's are.
        faults.removeAll { $0 == .cutOneWay }
        faults.append(.rollback)
        lossThousandths = 0
        reorders = false
    }

    /// Whether marks are compared, vanish, and are pulled by who comes late; from chance of its
    /// own, so that every other world stays as it was.
    private mutating func drawRepair(_ seed: UInt64) {
        var dice = Dice(seed: seed ^ 0x7265_7061_6972)
        guard dice.thousandths(400), !Self.plainSeeds.contains(seed) else { return }
        repairMillis = dice.one(of: [300, 1_000, 3_000])
        if dice.thousandths(600) { damageMillis = dice.one(of: [400, 1_200]) }
        if edgesCount == 0, votersCount < 5, dice.thousandths(500) { edgesCount = 1 }
        if edgesCount > 0, dice.thousandths(600) { lateMillis = dice.within(300...1_500) }
    }

    /// Seeds that failed before there was repair here: they keep the world that failed.
    private static let plainSeeds: Set<UInt64> = [
        455, 929, 9, 28, 558, 75, 2_002_093, 5_000_171, 7_000_017, 7_000_793, 7_001_300,
        9_002_110, 9_003_205, 9_000_517, 9_000_477, 9_000_501, 9_006_548, 1_045_976, 1_003_299,
    ]

    /// Everything that a stranger needs to understand a failure.
    var description: String {
        """
        voters \(votersCount), edges \(edgesCount), S \(boundMillis) ms, run \(runMillis) ms, \
        write every \(writeMillis) ms, check every \(checkMillis) ms, keys \(keysCount), \
        loss \(lossThousandths)/1000, repeat \(repeatThousandths)/1000, reorders \(reorders), \
        delay \(delayMicros) us, commit \(commitMicros) us, checkpoint \(checkpointMillis) ms, \
        window \(bounds.pushWindowCount), page \(bounds.pageDotsCount), recent \
        \(bounds.recentChangesCount), a command every \(commandMillis) ms, \
        repair every \(repairMillis) ms, damage every \(damageMillis) ms, \
        late by \(lateMillis) ms, \
        a fault every \(faultMillis) ms of \
        \(faults.map(\.rawValue).joined(separator: " "))
        """
    }
}

/// States that a campaign must have seen: one never reached is a campaign that proves less than it
/// says.
enum Rare: String, CaseIterable {
    case windowOverflow, pendingFull, manyPages, pullAbandoned, refusedWhatWasShown, answeredLocal
    case answeredNotDurable, localMadeDurable, toldEverything, pausedBeyondBound, crashedInsideStep
    case committedUnknown, votersRestored, votersWiped, pulledWithoutOrigin, pendingDuplicate
    case consented, diskRefused, diskFailed, unknownForLackOfLease, loopStalledBeyondBound
    case gaveFromMemory, oneWayCut, leaseHeld, requestRepeated, healed
    case jointGeneration, learnerSeated, twoProposers, valueFinished, doubtedBoundAgain
    case besieged, votersChanged, commandRefused, diskOfLost, oldDiskFound, twoGenerations
    case damageFound, marksMended, trustedAgain, comparisonCut, joined, donorFailed
}

/// What one run showed.
struct Outcome {
    var violation: String?
    var hash: UInt64 = 0
    var steps = 0
    var simulatedMillis: UInt64 = 0
    var faults: [Fault: Int] = [:]
    var reached: [Rare: Int] = [:]
    var nodesCount = 0
    /// Which faults and writes took place, by their numbers.
    var faultNumbers: [Int] = []
    var writes: [Int] = []
    var checks: [Int] = []
    var commands: [Int] = []
    /// Whether it failed before everything was mended.
    var failedEarly = false
    /// Half seconds until all agreed, the most bytes that a node sent meanwhile, and the hundredths
    /// of what it may send.
    var healingRounds = 0
    /// Of the time that healing may take, in hundredths.
    var healingShare = 0
    var healingBytes = 0
    var healingBytesShare = 0
}
