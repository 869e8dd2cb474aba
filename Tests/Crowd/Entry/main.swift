// The tables of Docs/membership.md: crowds of 100 and 1,000 nodes, Quell's rules and memberlist's;
// then relays in crowds of these sizes.
//
//     crowd [NODES [SECONDS [SEED]]] [PART...]      default: both sizes, 600 s of rest each, seed 1
//
// Parts limit what is run: `relays`, `quell`, `memberlist`, and of the last two `loss0`, `loss10`,
// `loss30` and `flip-flop`. A thousand nodes at 30 % loss take an hour, the rest minutes.

let words = CommandLine.arguments.dropFirst()
let numbers = words.compactMap { UInt64($0) }
let parts = Set(words.filter { UInt64($0) == nil })
let sizes = numbers.first.map { [Int($0)] } ?? [100, 1_000]
let seconds = numbers.dropFirst().first ?? 600
let seed = numbers.dropFirst(2).first ?? 1

/// Whether one of these is run: it is named, or none of its kind is.
func runs(_ part: String, of kind: [String]) -> Bool {
    parts.contains(part) || parts.isDisjoint(with: kind)
}

let tables = ["relays", "quell", "memberlist"]
let wires = ["loss0", "loss10", "loss30", "flip-flop"]

if runs("relays", of: tables) {
    print(RelayMeasured.head)
    for count in sizes {
        for row in RelayCrowd.rows(count, seed: seed) { print(row.row) }
    }
    print()
}
print(Measured.head)
for count in sizes {
    for (wire, loss) in zip(wires, [0, 100, 300, 0]) where runs(wire, of: wires) {
        let scenario = Scenario(
            count: count,
            lossPerMille: loss,
            isFlipping: wire == "flip-flop",
            quietSeconds: seconds,
            dying: wire == "flip-flop" ? 0 : 5,
            seed: seed
        )
        if runs("quell", of: tables) { print(scenario.run(QuellMember.self).row("Quell")) }
        if runs("memberlist", of: tables) {
            print(scenario.run(LanMember.self).row("memberlist LAN"))
        }
    }
}
