// Addresses: the canonical form is its own canonical form, within its bounds, clean, and does not
// depend on blanks around it or on what was read before.

import Address
import Suppression

enum FuzzAddress {
    static func finding(_ bytes: [UInt8]) -> String? {
        guard let once = canonical(bytes) else {
            return canonical(bytes, after: "x@example.org") == nil
                ? nil : "valid only behind another address"
        }
        if once.isEmpty || once.count > 254 { return "a form of \(once.count) bytes" }
        if !once.contains(UInt8(ascii: "@")) { return "a form without @" }
        if once.contains(where: { $0 < 0x20 || $0 == 0x7F }) { return "a control byte in a form" }
        if String(validating: once, as: UTF8.self) == nil { return "a form that is not UTF-8" }
        guard let twice = canonical(once) else { return "a form has no form" }
        if twice != once { return "the form of a form differs" }
        let long = "\"a long local part, quoted\"@a-domain.of.several.labels.example.org"
        if canonical(bytes, after: long) != once {
            return "what was read before makes a difference"
        }
        if recipient(bytes, after: long) != recipient(once) { return "a form is another person" }
        let spaced = [0x20, 0x09] + bytes + [0x20]
        guard let trimmed = canonical(spaced) else {
            // Blanks count towards what a caller may hand in.
            return bytes.count + 3 > 1_016 ? nil : "blanks around it make it invalid"
        }
        return trimmed == once ? nil : "blanks around it make a difference"
    }

    private static let digester = Pepper([UInt8](repeating: 7, count: Pepper.byteCount))
        .map { Digester($0) }

    private static func recipient(_ bytes: [UInt8], after other: String? = nil) -> Recipient? {
        var address = CanonicalAddress()
        do {
            if let other { try address.read(other.utf8.span) }
            try address.read(bytes.span)
            return digester?.recipient(of: address)
        } catch {
            return nil
        }
    }

    private static func canonical(_ bytes: [UInt8], after other: String? = nil) -> [UInt8]? {
        var address = CanonicalAddress()
        do {
            if let other { try address.read(other.utf8.span) }
            try address.read(bytes.span)
            return address.copy()
        } catch {
            return nil
        }
    }
}
