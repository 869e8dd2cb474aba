// Finds functions in blanked Swift: where each starts and ends, and the names that it declares.

/// One `func`, `init`, `deinit` or `subscript` with a body.
struct FunctionShape {
    /// Line of the keyword, from 1.
    let line: Int
    /// Lines from the keyword to the closing brace, both counted.
    let length: Int
    /// Text from the keyword to the opening brace.
    let signature: String
}

/// Reads the functions of a file; requirements of protocols have no body and are passed over.
func functions(in blanked: Blanked) -> [FunctionShape] {
    let text = Array(blanked.text.utf8)
    var found: [FunctionShape] = []
    let keyword = compiled(#"\b(?:func|init|deinit|subscript)\b"#)
    for match in blanked.text.matches(of: keyword) {
        let utf8 = blanked.text.utf8
        let start = utf8.distance(from: utf8.startIndex, to: match.range.lowerBound)
        // `super.init(` and `.init(` are calls.
        if start > 0 && text[start - 1] == UInt8(ascii: ".") { continue }
        guard let open = bodyStart(text, from: start) else { continue }
        let close = bodyEnd(text, from: open)
        let newline = UInt8(ascii: "\n")
        found.append(
            FunctionShape(
                line: 1 + text[..<start].count { $0 == newline },
                length: 1 + text[start...close].count { $0 == newline },
                signature: String(decoding: text[start..<open], as: UTF8.self)
            )
        )
    }
    return found
}

/// The opening brace of the body: past balanced parentheses, and before the next declaration.
private func bodyStart(_ text: [UInt8], from start: Int) -> Int? {
    var depth = 0
    var word: [UInt8] = []
    var isFirstWord = true
    let declarations: Set<String> = [
        "func", "init", "deinit", "subscript", "var", "let", "case", "struct", "enum", "class",
        "protocol", "extension", "associatedtype", "typealias", "static", "mutating", "public",
    ]
    for at in start..<text.count {
        let byte = text[at]
        let isLetter =
            byte == UInt8(ascii: "_")
            || (byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z"))
        if isLetter {
            word.append(byte)
            continue
        }
        if !word.isEmpty {
            let isDeclaration = declarations.contains(String(decoding: word, as: UTF8.self))
            if isDeclaration && !isFirstWord && depth == 0 { return nil }
            isFirstWord = false
            word.removeAll()
        }
        switch byte {
        case UInt8(ascii: "("), UInt8(ascii: "["): depth += 1
        case UInt8(ascii: ")"), UInt8(ascii: "]"): depth -= 1
        case UInt8(ascii: "{") where depth == 0: return at
        case UInt8(ascii: "}") where depth == 0: return nil
        default: break
        }
    }
    return nil
}

private func bodyEnd(_ text: [UInt8], from open: Int) -> Int {
    var depth = 0
    for at in open..<text.count {
        if text[at] == UInt8(ascii: "{") { depth += 1 }
        if text[at] == UInt8(ascii: "}") { depth -= 1 }
        if depth == 0 { return at }
    }
    return text.count - 1
}
