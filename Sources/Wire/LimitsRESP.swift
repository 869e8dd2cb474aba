// Every bound of a RESP command, with its unit in its name and where the number comes from.
//
// Two sets, because who has not said who it is may cost us next to nothing: Valkey keeps such a set
// as well (10 elements, 16 KiB a bulk), after attacks that made a server reserve memory by
// announcing lengths.

/// What one RESP command may be, before AUTH or after.
public struct RESPBounds: Sendable {
    /// Words of one command, its name included.
    public let elements: Int
    /// Bytes of one word.
    public let bulkBytes: Int
    /// Bytes of a whole command as it comes, framing included.
    public let commandBytes: Int
    /// Bytes of an inline command before its LF.
    public let inlineBytes: Int
    /// These are the bounds before AUTH; refusals then say no more than that.
    let isStranger: Bool

    /// Before AUTH. The longest command is `HELLO 3 AUTH tenant key SETNAME name`, 7 words; 10 as
    /// in Valkey. All of it within 4 KiB: a tenant of 64, a key of 64, a client's name of 255.
    public static let stranger = RESPBounds(
        elements: 10, bulkBytes: 4_096, commandBytes: 4_096, inlineBytes: 4_096,
        isStranger: true)

    /// After AUTH. 10,000 addresses, as in an HTTP batch, with a command and a set. The longest key
    /// is `allow:` + 64 + 64 + 2 + 254 of an address = 390 bytes, 400 with its framing; 10,000 of
    /// them are 4.0 MB. A word of up to 4 KiB, ten such keys, is answered as what it is: no key.
    public static let member = RESPBounds(
        elements: 10_002, bulkBytes: 4_096, commandBytes: 4 << 20, inlineBytes: 4_096,
        isStranger: false)
}
