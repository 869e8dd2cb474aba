// The numbers that tell two builds apart (DESIGN 15).

/// What this build is and what it understands.
public enum Version {
    /// SemVer of the project.
    public static let number = "0.1.0"
    /// Format of both environments on disk; N and N - 1 are read.
    public static let disk = 1
    /// Frames between nodes.
    public static let wire = 1
    /// Functions' ABI.
    public static let abi = 1
}
