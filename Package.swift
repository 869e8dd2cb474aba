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
        .systemLibrary(name: "CUV", path: "Runtime/CUV", providers: [.apt(["libuv1-dev"])]),
        .systemLibrary(name: "CLMDB", providers: [.apt(["liblmdb-dev"])]),
        .systemLibrary(
            name: "CUnicode", providers: [.apt(["libidn2-dev", "libunistring-dev"])]),
        .systemLibrary(name: "CDigest", providers: [.apt(["libssl-dev"])]),
        .target(name: "CLLHTTP", path: "Runtime/CLLHTTP"),
        .target(name: "Suppression", swiftSettings: strict),
        .testTarget(
            name: "SuppressionTests", dependencies: ["Suppression"], swiftSettings: strict),
        .testTarget(name: "TidyTests", swiftSettings: strict),
    ]
)
