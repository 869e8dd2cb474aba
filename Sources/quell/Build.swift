// What the build knows of itself.

import Foundation
import Node

/// Facts about this build.
enum Build {
    /// The commit, when the release set it; a build from a working tree says so.
    static let commit = "working-tree"

    /// The numbers that tell this build from another; of a process that was told to be another
    /// release, those that it goes by.
    static var words: String {
        var (disk, wire) = (Version.disk, Version.wire)
        let told = ProcessInfo.processInfo.environment[Release.variable].flatMap { Int($0) }
        if let told { (disk, wire) = (told, told) }
        return "quell \(Version.number) (commit \(commit), disk \(disk), wire \(wire), "
            + "abi \(Version.abi))"
    }
}
