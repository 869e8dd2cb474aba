// Every other address: quoted, international, an address literal, or wrong. Allocates; correct
// first.
//
// Order matters. NFC comes before validation, because NFC can bring forth ASCII that the raw text
// did not hold (U+037E becomes `;`, U+212A becomes `K`): validate first, and two spellings pass
// that are no address or another one. Folding comes after NFC and is followed by it, until nothing
// changes, so that canonical(canonical(x)) == canonical(x). Comments are refused, not dropped:
// nobody's list has them, and every parser disagrees on where they end.

private import CUnicode

enum UnusualAddress {
    /// The canonical form of `raw[bounds]`, which is trimmed and not empty.
    static func canonical(
        _ raw: Span<UInt8>,
        _ bounds: Range<Int>
    ) throws(AddressError) -> [UInt8] {
        var bytes: [UInt8] = []
        for i in bounds { bytes.append(raw[i]) }
        guard !bytes.contains(where: { $0 < 0x20 || $0 == 0x7f }) else { throw .control }
        guard unsafe u8_check(bytes, bytes.count) == nil else { throw .control }
        guard let split = bytes.lastIndex(of: 0x40), split > 0, split + 1 < bytes.count
        else { throw .shape }
        var out = try local(Array(bytes[..<split]))
        out.append(0x40)
        out.append(contentsOf: try Domain.canonical(Array(bytes[(split + 1)...])))
        guard out.count <= Limits.addressBytes else { throw .tooLong }
        return out
    }

    private static func local(_ bytes: [UInt8]) throws(AddressError) -> [UInt8] {
        let isQuoted = bytes[0] == 0x22
        let content = try fold(isQuoted ? unquote(bytes) : bytes)
        var out = content
        if !isDotString(content) {
            guard isQuoted, !content.isEmpty else { throw .localPart }
            out = [0x22]
            for byte in content {
                if byte == 0x22 || byte == 0x5c { out.append(0x5c) }
                out.append(byte)
            }
            out.append(0x22)
        }
        guard out.count <= Limits.localBytes else { throw .tooLong }
        return out
    }

    /// The content of one quoted string that fills all of `bytes`.
    private static func unquote(_ bytes: [UInt8]) throws(AddressError) -> [UInt8] {
        var content: [UInt8] = []
        var at = 1
        while at < bytes.count {
            if bytes[at] == 0x22 {
                guard at == bytes.count - 1 else { throw .localPart }
                return content
            }
            if bytes[at] == 0x5c { at += 1 }
            guard at < bytes.count else { throw .localPart }
            content.append(bytes[at])
            at += 1
        }
        throw .localPart
    }

    private static func isDotString(_ bytes: [UInt8]) -> Bool {
        var afterDot = true
        for byte in bytes {
            if byte == 0x2e {
                if afterDot { return false }
                afterDot = true
            } else {
                guard byte >= 0x80 || Ascii.isAtext(byte) else { return false }
                afterDot = false
            }
        }
        return !afterDot
    }

    /// NFC, simple case fold, NFC, until it stands still.
    private static func fold(_ bytes: [UInt8]) throws(AddressError) -> [UInt8] {
        if bytes.allSatisfy({ $0 < 0x80 }) { return bytes.map(Ascii.lowered) }
        var text = try nfc(bytes)
        for _ in 0..<Limits.foldRounds {
            var folded: [UInt8] = []
            for scalar in String(decoding: text, as: UTF8.self).unicodeScalars {
                guard scalar.value < 0x80 || quell_is_unstable(scalar.value) == 0
                else { throw .localPart }
                guard let lower = Unicode.Scalar(quell_simple_fold(scalar.value))
                else { throw .localPart }
                folded.append(contentsOf: lower.utf8)
            }
            folded = try nfc(folded)
            if folded == text { return text }
            text = folded
        }
        throw .localPart
    }

    private static func nfc(_ bytes: [UInt8]) throws(AddressError) -> [UInt8] {
        guard !bytes.isEmpty else { return [] }
        var length = 0
        guard let text = unsafe quell_nfc(bytes, bytes.count, &length) else { throw .localPart }
        defer { unsafe free(text) }
        return unsafe Array(UnsafeBufferPointer(start: text, count: length))
    }
}
