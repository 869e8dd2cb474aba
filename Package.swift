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

// Who builds says the commit: Scripts/build.sh does, plain `swift build` says `working-tree`.
let commit = Context.environment["QUELL_COMMIT"] ?? ""

let package = Package(
    name: "quell",
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser.git", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto.git", exact: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log.git", from: "1.16.2"),
        .package(url: "https://github.com/jpsim/Yams.git", from: "6.2.2"),
    ],
    targets: [
        .systemLibrary(name: "CUV", path: "Runtime/CUV", providers: [.apt(["libuv1-dev"])]),
        .target(
            name: "CCommit",
            cSettings: [
                .define("QUELL_COMMIT", to: "\"\(commit.isEmpty ? "working-tree" : commit)\"")
            ]
        ),
        .systemLibrary(name: "CLMDB", providers: [.apt(["liblmdb-dev"])]),
        .systemLibrary(
            name: "CUnicode",
            providers: [.apt(["libidn2-dev", "libunistring-dev"])]
        ),
        .systemLibrary(name: "CDigest", providers: [.apt(["libssl-dev"])]),
        .target(name: "CLLHTTP", path: "Runtime/CLLHTTP"),
        .target(name: "CWasmtime", path: "Runtime/CWasmtime", exclude: ["requirements.txt"]),
        .target(name: "Suppression", swiftSettings: strict),
        .target(
            name: "Storage",
            dependencies: ["Suppression", "CLMDB"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "StorageTests",
            dependencies: ["Storage", "Suppression", "CLMDB"],
            swiftSettings: strict
        ),
        .target(name: "Cluster", dependencies: ["Suppression"], swiftSettings: strict),
        .target(
            name: "Address",
            dependencies: ["Suppression", "CUnicode", "CDigest"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "AddressTests",
            dependencies: [
                "Address", "Suppression", .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "Token",
            dependencies: ["Suppression", .product(name: "Crypto", package: "swift-crypto")],
            swiftSettings: strict
        ),
        .testTarget(
            name: "TokenTests",
            dependencies: ["Token", "Suppression"],
            swiftSettings: strict
        ),
        .target(name: "FunctionKit", dependencies: ["Suppression"], swiftSettings: strict),
        .testTarget(
            name: "FunctionKitTests",
            dependencies: ["FunctionKit", "Suppression"],
            swiftSettings: strict
        ),
        .target(
            name: "UnsubscribeFunction",
            dependencies: ["FunctionKit", "Suppression"],
            path: "Functions/unsubscribe/Sources",
            swiftSettings: strict
        ),
        .target(
            name: "PreferencesFunction",
            dependencies: ["FunctionKit", "Suppression"],
            path: "Functions/preferences/Sources",
            swiftSettings: strict
        ),
        .target(
            name: "CheckFunction",
            dependencies: ["FunctionKit", "Suppression"],
            path: "Functions/check/Sources",
            swiftSettings: strict
        ),
        .target(
            name: "WebhookFunction",
            dependencies: ["FunctionKit", "Suppression"],
            path: "Functions/webhook/Sources",
            swiftSettings: strict
        ),
        .testTarget(
            name: "FunctionTests",
            dependencies: [
                "CheckFunction", "FunctionKit", "PreferencesFunction", "Suppression",
                "UnsubscribeFunction", "WebhookFunction",
            ],
            swiftSettings: strict
        ),
        .target(
            name: "FunctionHost",
            dependencies: [
                "CWasmtime", "FunctionKit", .product(name: "Crypto", package: "swift-crypto"),
            ],
            path: "Runtime/FunctionHost",
            swiftSettings: strict
        ),
        .testTarget(
            name: "FunctionHostTests",
            dependencies: [
                "CheckFunction", "CWasmtime", "FunctionHost", "FunctionKit",
                "PreferencesFunction", "quell", "Suppression", "UnsubscribeFunction",
            ],
            swiftSettings: strict
        ),
        .target(
            name: "MarkShelf",
            dependencies: ["Cluster", "Suppression"],
            path: "Tests/Shelf",
            swiftSettings: strict
        ),
        .testTarget(
            name: "ClusterTests",
            dependencies: ["Cluster", "MarkShelf", "Suppression"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "CrowdTests",
            dependencies: ["Cluster", "Suppression"],
            path: "Tests/Crowd",
            exclude: ["Entry"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "SimulatorTests",
            dependencies: ["Cluster", "Suppression"],
            path: "Tests/Simulator",
            exclude: ["Seeds.txt"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "TranscriptTests",
            dependencies: ["Cluster", "MarkShelf", "Suppression"],
            path: "Tests/Transcripts",
            exclude: ["Stories"],
            swiftSettings: strict
        ),
        .target(
            name: "Wire",
            dependencies: ["Suppression"],
            swiftSettings: strict
        ),
        .target(
            name: "EventLoop",
            dependencies: ["CUV"],
            path: "Runtime/EventLoop",
            swiftSettings: strict
        ),
        .target(
            name: "Servers",
            dependencies: [
                "EventLoop", "Wire", "Suppression", "CLLHTTP",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            path: "Runtime/Servers",
            swiftSettings: strict
        ),
        .target(
            name: "Client",
            dependencies: ["Suppression", "Wire", "CLLHTTP"],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "quell",
            dependencies: [
                "CCommit", "Client", "Node", "Token",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict
        ),
        .target(
            name: "Node",
            dependencies: [
                "Address", "CheckFunction", "Cluster", "EventLoop", "FunctionHost", "FunctionKit",
                "PreferencesFunction", "Servers", "Storage", "Suppression", "Token",
                "UnsubscribeFunction", "Wire",
                .product(name: "Logging", package: "swift-log"), "Yams",
            ],
            path: "Runtime/Node",
            swiftSettings: strict
        ),
        .testTarget(
            name: "NodeTests",
            dependencies: [
                "Cluster", "EventLoop", "FunctionHost", "FunctionKit", "Node", "Storage",
                "Suppression",
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ClientTests",
            dependencies: ["Client", "Suppression"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "EventLoopTests",
            dependencies: ["EventLoop"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "ServersTests",
            dependencies: ["Servers", "EventLoop", "Suppression", "Wire"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "SuppressionTests",
            dependencies: ["Suppression"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "WireTests",
            dependencies: ["Suppression", "Wire"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "QuellTests",
            dependencies: [
                "quell", "Client",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "FuzzTests",
            dependencies: [
                "Address", "FunctionHost", "FunctionKit", "Servers", "Suppression", "Token",
                "Wire",
            ],
            path: "Tests/Fuzz",
            exclude: ["Entry", "Seeds"],
            swiftSettings: strict
        ),
        .testTarget(name: "TidyTests", swiftSettings: strict),
    ]
)
