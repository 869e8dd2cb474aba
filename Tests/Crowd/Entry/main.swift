// The tables of Docs/membership.md: crowds of 100 and 1,000 nodes, Quell's rules and memberlist's;
// then relays in crowds of these sizes.
//
//     crowd [NODES [SECONDS [SEED]]]      default: both sizes, 600 s of rest each, seed 1

let numbers = CommandLine.arguments.dropFirst().compactMap { UInt64($0) }
let sizes = numbers.first.map { [Int($0)] } ?? [100, 1_000]
let seconds = numbers.dropFirst().first ?? 600
let seed = numbers.dropFirst(2).first ?? 1

print(RelayMeasured.head)
for count in sizes {
    for row in RelayCrowd.rows(count, seed: seed) { print(row.row) }
}
print()
print(Measured.head)
for count in sizes {
    for (loss, isFlipping) in [(0, false), (100, false), (300, false), (0, true)] {
        let scenario = Scenario(
            count: count,
            lossPerMille: loss,
            isFlipping: isFlipping,
            quietSeconds: seconds,
            dying: isFlipping ? 0 : 5,
            seed: seed
        )
        print(scenario.run(QuellMember.self).row("Quell"))
        print(scenario.run(LanMember.self).row("memberlist LAN"))
    }
}
