#!/bin/bash
# A simulation campaign: whole clusters in simulated time, one seed after the other.
#
#   Scripts/sim.sh [SECONDS [FIRST_SEED]]      default 600 seconds, from seed 1000000
#
# Ends with a summary. Fails when a seed breaks a promise, or when a named rare state was never
# reached: a campaign that reached less proves less than it says. QUELL_SEED=n with
# `swift test --filter SimulatorTests` runs one seed again.
#
# Built optimised, which is fifteen times as fast, in a package of its own (.build-sim): the three
# targets that it needs, built within a minute. The bugs on purpose are not in it.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$PWD
mkdir -p .build-sim/Sources .build-sim/Tests
for target in Sources/Suppression Sources/Cluster Tests/Simulator; do
    ln -sfn "$root/$target" ".build-sim/$target"
done
cat >.build-sim/Package.swift <<'PACKAGE'
// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6), .strictMemorySafety(), .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]
let package = Package(
    name: "campaign",
    targets: [
        .target(name: "Suppression", swiftSettings: settings),
        .target(name: "Cluster", dependencies: ["Suppression"], swiftSettings: settings),
        .testTarget(
            name: "SimulatorTests", dependencies: ["Cluster", "Suppression"],
            path: "Tests/Simulator", exclude: ["Seeds.txt"], swiftSettings: settings),
    ]
)
PACKAGE
cd .build-sim
flags=(-c release -Xswiftc -enable-testing)
swift build "${flags[@]}" --build-tests 2>&1 | tail -1
seconds=${1:-600}
QUELL_SIM_SECONDS=$seconds QUELL_SIM_FIRST=${2:-1000000} timeout $((seconds + 120)) \
    swift test "${flags[@]}" --skip-build --disable-xctest --filter SimulatorTests/campaign 2>&1 |
    grep -vE '^(◇|✔ (Suite|Test ")|↳ T)'
