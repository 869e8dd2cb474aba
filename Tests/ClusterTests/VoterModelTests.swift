// The voters as small models, every state of each (DESIGN 6 and 14): what holds under the full
// rule, and that each part of the rule is needed. A broken rule prints the shortest way to the
// harm.

import Testing

/// Prints the way to the harm; empty when there is none.
private func trace(_ name: String, _ model: some SmallModel) -> [String] {
    let walk = Walk(model)
    let steps = walk.trace ?? []
    print("\(name): broken after \(walk.statesCount) states, \(steps.count - 1) steps")
    for step in steps { print("    \(step)") }
    return steps
}

/// A change of the voters.
struct SetChange: CustomTestStringConvertible {
    let from: [Int]
    let to: [Int]
    /// States under the full rule.
    let states: Int

    var testDescription: String { "\(from.count) to \(to.count)" }

    static let oneToThree = SetChange(from: [0], to: [0, 1, 2], states: 880)
    static let threeToOne = SetChange(from: [0, 1, 2], to: [0], states: 1_222)
    static let swap = SetChange(from: [0, 1, 2], to: [0, 1, 3], states: 11_932)
    static let threeToFive = SetChange(from: [0, 1, 2], to: [0, 1, 2, 3, 4], states: 28_030)
    static let fiveToThree = SetChange(from: [0, 1, 2, 3, 4], to: [0, 1, 2], states: 40_035)
    static let all = [oneToThree, threeToOne, swap, threeToFive, fiveToThree]
}

@Suite("the voters, every state") struct VoterModelTests {
    // MARK: slots

    @Test("a wiped voter loses nothing: 9,550 states")
    func slots() {
        let walk = Walk(SlotModel(rule: SlotRule()))
        #expect(walk.trace == nil)
        #expect(walk.statesCount == 9_550)
        #expect(walk.doneCount > 100)
    }

    @Test("voters counted by name lose an opt-out, however much the empty one copies")
    func byName() {
        for donors in 0...2 {
            let rule = SlotRule(
                isBoundByID: false,
                donorsCount: donors,
                isFenced: false,
                isSameGeneration: false
            )
            #expect(trace("by name, \(donors) donors", SlotModel(rule: rule)).count > 8)
        }
    }

    @Test("a voter rebuilt from nobody or from one donor loses an opt-out")
    func oneDonor() {
        for donors in 0...1 {
            let rule = SlotRule(donorsCount: donors)
            let steps = trace("by id, \(donors) donors", SlotModel(rule: rule))
            #expect(steps.contains("n2's disk is WIPED"))
        }
    }

    @Test("a copy read before its donor persisted the generation loses an opt-out")
    func noFence() {
        let steps = trace("no fence", SlotModel(rule: SlotRule(isFenced: false)))
        let copied = steps.firstIndex(of: "the empty n2 copies what n3 holds") ?? .max
        let persisted =
            steps.firstIndex(of: "n3 persists generation 1, which binds the empty n2") ?? 0
        #expect(copied < persisted)
    }

    @Test("a gate that mixes generations loses an opt-out")
    func mixedGate() {
        let rule = SlotRule(isSameGeneration: false)
        #expect(trace("gate mixes generations", SlotModel(rule: rule)).count > 8)
    }

    // MARK: changing the set

    @Test("a joint generation changes the set and loses nothing", arguments: SetChange.all)
    func joint(_ change: SetChange) {
        let walk = Walk(JointModel(from: change.from, to: change.to, JointRule()))
        #expect(walk.trace == nil)
        #expect(walk.statesCount == change.states)
        #expect(walk.doneCount > 10)
    }

    @Test("the same with every single reading of a donor")
    func jointReads() {
        let walks = [
            (SetChange.oneToThree, 2_102), (.threeToOne, 4_502), (.swap, 258_115),
        ]
        for (change, states) in walks {
            let model = JointModel(from: change.from, to: change.to, JointRule(), reads: true)
            let walk = Walk(model)
            #expect(walk.trace == nil)
            #expect(walk.statesCount == states)
            #expect(walk.doneCount > 10)
        }
    }

    @Test("5 to 3, ended when the added members are complete: the staying ones may lack X")
    func addedOnly() {
        let change = SetChange.fiveToThree
        let rule = JointRule(readers: .addedOnly)
        let steps = trace("5 to 3, added only", JointModel(from: change.from, to: change.to, rule))
        #expect(
            steps == [
                "n1 commits X", "n1 persists the next generation",
                "n2 persists the next generation", "n3 persists the next generation",
                "n4 commits X", "n5 commits X", "X IS ACKNOWLEDGED", "generation 2 is chosen",
                "n2 persists the next generation", "n3 persists the next generation",
                "=> a lease of generation 2 without X; confirmed without X: n2 n3",
            ]
        )
    }

    @Test("nobody completed, one donor less, no fence: each loses an opt-out in every change")
    func lessThanTheRule() {
        for change in SetChange.all {
            for (name, rule) in [
                ("nobody", JointRule(readers: .nobody)), ("one less", JointRule(donorsMore: -1)),
                ("no fence", JointRule(isFenced: false)),
            ] {
                let model = JointModel(from: change.from, to: change.to, rule)
                let title = "\(change.testDescription), \(name)"
                #expect(!trace(title, model).isEmpty, "\(title)")
            }
        }
    }

    @Test("one majority in the joint generation, or none of it, loses an opt-out in every change")
    func oneMajority() {
        for change in SetChange.all {
            for (name, rule) in [
                ("gate: incoming", JointRule(gate: .incoming)),
                ("gate: outgoing", JointRule(gate: .outgoing)),
                ("lease: incoming", JointRule(lease: .incoming)),
                ("lease: outgoing", JointRule(lease: .outgoing)),
                ("no joint generation", JointRule(isDirect: true)),
                ("the gate mixes generations", JointRule(gateMixes: true)),
                ("a lease mixes generations", JointRule(leaseMixes: true)),
            ] {
                let model = JointModel(from: change.from, to: change.to, rule)
                let title = "\(change.testDescription), \(name)"
                #expect(!trace(title, model).isEmpty, "\(title)")
            }
        }
    }

    @Test("both forms of reading agree about every rule, where both can be walked")
    func formsAgree() {
        for change in [SetChange.oneToThree, .threeToOne] {
            for rule in [
                JointRule(), JointRule(readers: .addedOnly), JointRule(readers: .nobody),
                JointRule(donorsMore: -1), JointRule(isFenced: false), JointRule(gate: .outgoing),
                JointRule(lease: .outgoing),
            ] {
                let short = Walk(JointModel(from: change.from, to: change.to, rule))
                let long = Walk(JointModel(from: change.from, to: change.to, rule, reads: true))
                #expect((short.trace == nil) == (long.trace == nil), "\(rule)")
            }
        }
    }

    // MARK: choosing

    @Test("two proposers, two ballots each: one value, also with a disk from an old copy")
    func paxos() {
        let walk = Walk(PaxosModel(rule: PaxosRule()))
        #expect(walk.trace == nil)
        #expect(walk.statesCount == 173_524)
        #expect(walk.doneCount > 1_000)
    }

    @Test("a restored acceptor that answers, a proposer or acceptor that forgets: two values")
    func paxosBroken() {
        let restored = PaxosModel(rule: PaxosRule(restoredAnswers: true))
        let steps = trace("a restored acceptor answers", restored)
        #expect(steps.contains("acceptor 1 is put back from an EMPTY COPY"))
        let ignores = PaxosModel(rule: PaxosRule(ignoresAccepted: true))
        #expect(!trace("a proposer ignores what was accepted", ignores).isEmpty)
        let breaks = PaxosModel(rule: PaxosRule(breaksPromises: true))
        #expect(!trace("an acceptor breaks its promise", breaks).isEmpty)
    }
}
