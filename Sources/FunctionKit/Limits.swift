// Every bound of this module in one place: unit in the name, derivation beside it.
//
// A guest lives in one 64 KiB page: 8 KiB stack, 17 KiB of request, 16 KiB of response, the rest
// arena.

/// Bounds of what a function sees and says.
public enum Limits {
    /// Bytes of a form that is looked at; the largest real one is an undo form of 450 bytes.
    public static let formBytes = 4_096
    /// Fields of a form: a box for each topic shown, and eight beside them.
    public static let formFieldsCount = 40
    /// Topics of a stream that a page is told of and that one answer may stop. 32 boxes are what a
    /// page of 15 KiB holds with names of 64 bytes; an undo token names as many.
    public static let topicsCount = 32
    /// Bytes of Accept-Language that a function is told; browsers send up to 100.
    public static let acceptLanguageBytes = 512
    /// Languages of Accept-Language that are looked at.
    public static let languagesCount = 16
    /// Header lines of one part of a multipart form.
    public static let partHeadersCount = 8
    /// Characters of a multipart boundary (RFC 2046, 5.1.1).
    public static let boundaryBytes = 70
    /// Effects that one call may stage; a write stages at most as many changes.
    public static let stagedEffectsCount = 8
    /// People that one request to /f/NAME/ may suppress: a full window of events of 128 bytes each.
    public static let addressEffectsCount = 128
    /// Bytes of a stream's or a topic's name that an effect may hold: its length is one byte.
    public static let effectNameBytes = 255
    /// Bytes of an address that an effect may hold: RFC 5321's 64 + 1 + 255.
    public static let effectAddressBytes = 320
    /// Checks handed to one call: 512 of 32 bytes are 16 KiB (DESIGN 9).
    public static let checkBatchCount = 512
    /// Bytes of a whole encoded request, the header included.
    public static let requestBytes = 17_408
    /// Bytes of a whole encoded response, the header included; a page stays below 15 KiB.
    public static let responseBytes = 16_384
}
