// Forms: a second, simple reader agrees; pairs written again in either encoding are read the same;
// nothing is a one-click unsubscribe that does not say so.

import FunctionKit

enum FuzzForm {
    private struct Pair {
        var name: [UInt8]
        var value: [UInt8]
    }

    static func finding(_ bytes: [UInt8]) -> String? {
        let pairs = reference(bytes)
        let form = urlencoded(bytes)
        if (form == nil) != (pairs == nil) { return "only one of two readers takes it" }
        if let form, let pairs {
            if let finding = compare(form, pairs) { return finding }
            if let finding = writtenAgain(pairs) { return finding }
        }
        return multipart(bytes)
    }

    private static func urlencoded(_ bytes: [UInt8]) -> Form? {
        do { return try Form(urlencoded: bytes) } catch { return nil }
    }

    private static func parsed(_ type: String, _ body: [UInt8]) -> Form? {
        do { return try Form(contentType: Array(type.utf8), body: body) } catch { return nil }
    }

    /// Reads with splits and copies.
    private static func reference(_ bytes: [UInt8]) -> [Pair]? {
        if bytes.count > Limits.formBytes { return nil }
        var body = bytes[...]
        if body.last == 0x0A { body.removeLast() }
        if body.last == 0x0D { body.removeLast() }
        let pieces = body.split(separator: UInt8(ascii: "&"))
        if pieces.count > Limits.formFieldsCount { return nil }
        var pairs: [Pair] = []
        for piece in pieces {
            let halves = piece.split(
                separator: UInt8(ascii: "="),
                maxSplits: 1,
                omittingEmptySubsequences: false
            )
            guard let name = decoded(halves[0]),
                let value = decoded(halves.count > 1 ? halves[1] : [])
            else { return nil }
            pairs.append(Pair(name: name, value: value))
        }
        return pairs
    }

    private static func decoded(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        var out: [UInt8] = []
        var at = text.startIndex
        while at < text.endIndex {
            if text[at] == UInt8(ascii: "%") {
                let digits = text[at...].dropFirst().prefix(2)
                guard digits.count == 2, digits.allSatisfy({ Character(.init($0)).isHexDigit }),
                    let byte = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
                else { return nil }
                out.append(byte)
                at += 3
            } else {
                out.append(text[at] == UInt8(ascii: "+") ? 0x20 : text[at])
                at += 1
            }
        }
        return out
    }

    private static func compare(_ form: Form, _ pairs: [Pair]) -> String? {
        func first(_ name: String) -> [UInt8]? {
            pairs.first { $0.name.elementsEqual(name.utf8) }?.value
        }
        if form.value(of: "a") != first("a") || form.value(of: "") != first("")
            || form.value(of: "token") != first("token")
        {
            return "a value differs"
        }
        let wanted = pairs.filter { $0.name.elementsEqual("List-Unsubscribe".utf8) }
        let isOneClick =
            !wanted.isEmpty
            && wanted.allSatisfy { $0.value.elementsEqual("One-Click".utf8) }
        return form.isOneClick == isOneClick ? nil : "one-click differs"
    }

    private static func writtenAgain(_ pairs: [Pair]) -> String? {
        func escaped(_ bytes: [UInt8]) -> [UInt8] {
            bytes.flatMap { byte -> [UInt8] in
                let digits = Array(String(byte, radix: 16, uppercase: byte & 1 == 0).utf8)
                return [UInt8(ascii: "%")] + (digits.count == 1 ? [0x30] : []) + digits
            }
        }
        let body = Array(
            pairs.map { escaped($0.name) + [UInt8(ascii: "=")] + escaped($0.value) }
                .joined(separator: [UInt8(ascii: "&")])
        )
        if body.count <= Limits.formBytes {
            guard let form = urlencoded(body) else { return "pairs written again are refused" }
            if let finding = compare(form, pairs) { return "written again, " + finding }
        }
        return asMultipart(pairs)
    }

    /// Writes what a browser could: names without quotes, values without the boundary.
    private static func asMultipart(_ pairs: [Pair]) -> String? {
        let kept = pairs.filter { pair in
            pair.name.allSatisfy { $0 >= 0x20 && ![0x22, 0x5C, 0x7F].contains($0) }
        }
        var body: [UInt8] = []
        for pair in kept {
            body += Array("--q7\r\nContent-Disposition: form-data; name=\"".utf8) + pair.name
            body +=
                Array("\"\r\nContent-Type: text/plain\r\n\r\n".utf8) + pair.value + [0x0D, 0x0A]
        }
        body += Array("--q7--\r\n".utf8)
        let marks = String(decoding: body, as: UTF8.self).components(of: "\r\n--q7")
        let isWhole = !kept.isEmpty && body.count <= Limits.formBytes && marks == kept.count
        guard isWhole else { return nil }
        guard let form = parsed("multipart/form-data; boundary=q7", body) else {
            return "a multipart form is refused"
        }
        return compare(form, kept).map { "as multipart, " + $0 }
    }

    /// The input's first line as a content type, the rest as a body.
    private static func multipart(_ bytes: [UInt8]) -> String? {
        let end = bytes.firstIndex(of: 0x0A) ?? bytes.count
        let type = String(decoding: bytes[..<end], as: UTF8.self)
        let body = Array(bytes[end...].dropFirst())
        guard let form = parsed(type, body), form.isOneClick else { return nil }
        guard let value = form.value(of: "List-Unsubscribe") else {
            return "one-click without its pair"
        }
        return value.elementsEqual("One-Click".utf8) ? nil : "one-click with another value"
    }
}

extension String {
    /// How often a text occurs, not overlapping.
    fileprivate func components(of text: String) -> Int {
        let bytes = Array(utf8)
        let wanted = Array(text.utf8)
        var count = 0
        var at = 0
        while at + wanted.count <= bytes.count {
            if bytes[at..<at + wanted.count].elementsEqual(wanted) {
                count += 1
                at += wanted.count
            } else {
                at += 1
            }
        }
        return count
    }
}
