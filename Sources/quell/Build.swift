// What the build knows of itself.

/// Facts about this build.
enum Build {
    /// The commit, when the release set it; a build from a working tree says so.
    static let commit = "working-tree"
}
