// SHA-256 of libcrypto behind Swift types. Public data only, names and bodies; secrets go through
// HMAC.

internal import CDigest
internal import Suppression

/// Plain SHA-256 (FIPS 180-4).
public enum Sha256 {
    /// The 32 bytes.
    public static func of(_ bytes: Span<UInt8>) -> [UInt8] {
        var state = SHA256_CTX()
        require(unsafe SHA256_Init(&state))
        update(&state, bytes)
        return finish(&state)
    }

    static func state(after block: [UInt8]) -> SHA256_CTX {
        var state = SHA256_CTX()
        require(unsafe SHA256_Init(&state))
        update(&state, block)
        return state
    }

    static func update(_ state: inout SHA256_CTX, _ bytes: [UInt8]) { update(&state, bytes.span) }

    static func update(_ state: inout SHA256_CTX, _ bytes: Span<UInt8>) {
        unsafe bytes.withUnsafeBufferPointer { raw in
            unsafe require(SHA256_Update(&state, raw.baseAddress, raw.count))
        }
    }

    static func finish(_ state: inout SHA256_CTX) -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: 32)
        require(unsafe SHA256_Final(&digest, &state))
        return digest
    }

    /// The next eight bytes of a digest as a number.
    static func leading64(_ digest: [UInt8], _ cursor: inout ByteCursor) -> UInt64 {
        var value: UInt64 = 0
        for i in cursor.offset..<(cursor.offset + 8) { value = value << 8 | UInt64(digest[i]) }
        cursor.offset += 8
        return value
    }

    /// These calls answer 0 only for arguments that this module never passes.
    private static func require(_ code: Int32) { precondition(code == 1) }
}
