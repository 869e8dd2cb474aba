// swift-tools-version: 6.2
import PackageDescription

/// One place for the compiler's strictness; every target of ours gets all of it.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .strictMemorySafety(),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
]

let package = Package(
    name: "quell",
    targets: [
        .target(name: "Suppression", swiftSettings: strict),
        .testTarget(
            name: "SuppressionTests", dependencies: ["Suppression"], swiftSettings: strict),
    ]
)
