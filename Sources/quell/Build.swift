// What the build knows of itself.

import CCommit
import Foundation
import Node

/// Facts about this build.
enum Build {
    /// The commit, where the build was told (`make build` tells it); `working-tree` elsewhere.
    static let commit = unsafe String(cString: quell_commit())

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
