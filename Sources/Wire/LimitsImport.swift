// Bounds of an import: what one line may be, and so what a parser keeps between two pieces.

/// Bounds of an imported list; the list itself may be of any length.
public enum ImportLimits {
    /// Bytes of one row without its line end, quotes and line ends inside quotes included.
    ///
    /// A list from a mail platform has an address (254 bytes, four times that at most as written)
    /// and up to some 200 columns of 255 bytes: 52 KB. A power of two above that. Also all that a
    /// parser ever keeps for itself: the piece of a row whose rest has not come.
    public static let lineBytes = 65_536
    /// Levels of an NDJSON row: an object and, in members that are skipped, what others nest there.
    public static let jsonDepth = 16
    /// Names of one NDJSON object; as many as the columns above, and a power of two. Each name is
    /// compared with all before it, so a row costs at most 32,640 comparisons.
    public static let jsonMembers = 256
    /// Values of an NDJSON row in all: every member an array of 16.
    public static let jsonValues = 4_096
}
