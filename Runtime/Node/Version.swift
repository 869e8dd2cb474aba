// The numbers that tell two builds apart (DESIGN 15).
//
//     format N     on disk and between nodes, one number: N and N - 1 are read and spoken
//     finalize     the register `format` says N; only then is N written to disks
//
// Until then a node writes what it found, so the version before can be started again. Between nodes
// nothing is finalized: each link speaks the newest version that both ends know.

internal import Cluster
internal import Storage

/// What this build is and what it understands.
public enum Version {
    /// SemVer of the project.
    public static let number = "0.1.0"
    /// Format of both environments on disk; N and N - 1 are read.
    public static let disk = Int(Format.newest)
    /// Frames between nodes; N and N - 1 are spoken.
    public static let wire = Int(Message.newest)
    /// Functions' ABI.
    public static let abi = 1
}

/// The formats of this process.
///
/// A process can be told to be another release than it is, to try an upgrade while there is no
/// other release yet: Docs/decisions/0009-upgrades.md says what such a process does and what it
/// does not.
public struct Release: Equatable, Sendable {
    /// Tells the process which release it shall be: N. For tests, and in no manual.
    public static let variable = "QUELL_AS_FORMAT"

    /// The newest format that it reads, speaks and, once finalized, writes.
    public let format: UInt16

    /// What the build is, unless the environment says otherwise.
    public init(environment: [String: String]) throws(ConfigError) {
        guard let text = environment[Release.variable] else {
            format = UInt16(Version.disk)
            return
        }
        guard let number = UInt16(text), (1...9).contains(number) else {
            throw ConfigError("\(Release.variable): `\(text)` is no format from 1 to 9")
        }
        format = number
    }

    /// Versions of the peer protocol that it speaks.
    var speaks: ClosedRange<UInt16> { max(1, format - 1)...format }
}
