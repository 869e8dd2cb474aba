// Every bound of this module in one place: unit in the name, derivation beside it.
//
// A guest lives in one 64 KiB page: 8 KiB stack, 17 KiB of request, 16 KiB of response, the rest
// arena.

/// Bounds of what a function sees and says.
public enum Limits {
    /// Bytes of a form that is looked at; the largest real one is an undo form of 450 bytes.
    public static let formBytes = 4_096
    /// Fields of a form.
    public static let formFieldsCount = 16
    /// Header lines of one part of a multipart form.
    public static let partHeadersCount = 8
    /// Characters of a multipart boundary (RFC 2046, 5.1.1).
    public static let boundaryBytes = 70
    /// Effects that one call may stage; a write stages at most as many changes.
    public static let stagedEffectsCount = 8
    /// Checks handed to one call: 512 of 32 bytes are 16 KiB (DESIGN 9).
    public static let checkBatchCount = 512
    /// Bytes of a whole encoded request, the header included.
    public static let requestBytes = 17_408
    /// Bytes of a whole encoded response, the header included; a page stays below 15 KiB.
    public static let responseBytes = 16_384
}
