// Swift text with comments and literals replaced by spaces, so that rules see code alone.
//
// Line numbers stay: newlines survive. Code inside an interpolation is code and survives too. It is
// a scanner, not a parser; regex literals with quotes in them are the one form it does not know.

/// Scans Swift and blanks what is not code.
struct Blanked {
    /// As long as the input in bytes, with the same lines.
    let text: String

    init(_ source: String) {
        var scanner = Scanner(bytes: Array(source.utf8))
        scanner.code(untilParenthesis: false)
        text = String(decoding: scanner.output, as: UTF8.self)
    }

    /// The lines, without their ends.
    var lines: [Substring] { text.split(separator: "\n", omittingEmptySubsequences: false) }
}

private enum Marks {
    static let line = Array("//".utf8)
    static let opening = Array("/*".utf8)
    static let closing = Array("*/".utf8)
    static let quote = Array("\"".utf8)
    static let threeQuotes = Array("\"\"\"".utf8)
    static let parenthesis = Array("(".utf8)
}

private struct Scanner {
    let bytes: [UInt8]
    var output: [UInt8] = []
    var at = 0

    init(bytes: [UInt8]) {
        self.bytes = bytes
        output.reserveCapacity(bytes.count)
    }

    /// Whether these bytes stand here; asked at every byte, so it makes nothing.
    func sees(_ wanted: [UInt8], offset: Int = 0) -> Bool {
        let start = at + offset
        if start + wanted.count > bytes.count || bytes[start] != wanted[0] { return false }
        return bytes[start..<(start + wanted.count)].elementsEqual(wanted)
    }

    mutating func keep() {
        output.append(bytes[at])
        at += 1
    }

    mutating func blank(_ count: Int = 1) {
        for _ in 0..<count where at < bytes.count {
            output.append(bytes[at] == UInt8(ascii: "\n") ? UInt8(ascii: "\n") : UInt8(ascii: " "))
            at += 1
        }
    }

    /// Copies code; inside an interpolation, up to and with its closing parenthesis.
    mutating func code(untilParenthesis: Bool) {
        var depth = 0
        while at < bytes.count {
            if sees(Marks.line) {
                while at < bytes.count, bytes[at] != UInt8(ascii: "\n") { blank() }
            } else if sees(Marks.opening) {
                blockComment()
            } else if let hashes = stringStart() {
                string(hashes: hashes)
            } else {
                if bytes[at] == UInt8(ascii: "(") { depth += 1 }
                if bytes[at] == UInt8(ascii: ")") { depth -= 1 }
                keep()
                if untilParenthesis && depth < 0 { return }
            }
        }
    }

    /// The number of `#` before a quote that starts here, or nil.
    func stringStart() -> Int? {
        var end = at
        while end < bytes.count, bytes[end] == UInt8(ascii: "#") { end += 1 }
        return end < bytes.count && bytes[end] == UInt8(ascii: "\"") ? end - at : nil
    }

    mutating func blockComment() {
        var depth = 0
        repeat {
            if sees(Marks.opening) {
                depth += 1
                blank(2)
            } else if sees(Marks.closing) {
                depth -= 1
                blank(2)
            } else {
                blank()
            }
        } while depth > 0 && at < bytes.count
    }

    func hashes(_ count: Int, offset: Int) -> Bool {
        let start = at + offset
        return start + count <= bytes.count
            && bytes[start..<(start + count)].allSatisfy { $0 == UInt8(ascii: "#") }
    }

    mutating func string(hashes count: Int) {
        blank(count)
        let long = sees(Marks.threeQuotes)
        blank(long ? 3 : 1)
        while at < bytes.count {
            if bytes[at] == UInt8(ascii: "\\"), hashes(count, offset: 1) {
                let opens = sees(Marks.parenthesis, offset: 1 + count)
                blank(2 + count)
                if opens { code(untilParenthesis: true) }
            } else if sees(long ? Marks.threeQuotes : Marks.quote),
                hashes(count, offset: long ? 3 : 1)
            {
                blank((long ? 3 : 1) + count)
                return
            } else if !long, bytes[at] == UInt8(ascii: "\n") {
                return
            } else {
                blank()
            }
        }
    }
}
