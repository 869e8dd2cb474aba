// The second reader of imports: all lines at once, a row is as many of them as make its quotes
// even, and fields are cut by a loop over characters that knows four states.

import Wire

struct ImportReference {
    private(set) var rows: [FuzzImport.Row] = []
    private(set) var refused: [Int] = []

    init(_ bytes: [UInt8], _ format: ImportFormat) {
        var lines = bytes.split(separator: 0x0A, omittingEmptySubsequences: false)
            .map { Array($0) }
        if lines.last?.isEmpty == true { lines.removeLast() }
        if format == .csv { readCSV(lines) } else { readNDJSON(lines) }
    }

    private mutating func readNDJSON(_ lines: [[UInt8]]) {
        for (index, line) in lines.enumerated() {
            let text = content(line, isFirst: index == 0)
            if line.count > ImportLimits.lineBytes {
                refused.append(index + 1)
            } else if !trimmed(text).isEmpty {
                if let row = object(text, line: index + 1) {
                    rows.append(row)
                } else {
                    refused.append(index + 1)
                }
            }
        }
    }

    private func object(_ text: [UInt8], line: Int) -> FuzzImport.Row? {
        var limits = JSONLimits()
        limits.members = ImportLimits.jsonMembers
        limits.values = ImportLimits.jsonValues
        let value: JSONValue
        do { value = try JSONValue(parsing: text, limits: limits) } catch { return nil }
        guard let address = value["address"]?.string else { return nil }
        for name in ["reason", "created_at"] {
            guard let member = value[name], !member.isNull else { continue }
            if member.string == nil { return nil }
        }
        return row(
            line,
            Array(address.utf8),
            Array((value["reason"]?.string ?? "").utf8),
            Array((value["created_at"]?.string ?? "").utf8)
        )
    }

    private mutating func readCSV(_ lines: [[UInt8]]) {
        var names: [[UInt8]]?
        var first = 0
        while first < lines.count {
            var last = first
            var size = lines[first].count
            while last + 1 < lines.count, isOdd(lines[first...last]), size < ImportLimits.lineBytes
            {
                last += 1
                size += 1 + lines[last].count
            }
            var joined = Array(lines[first...last].joined(separator: [0x0A]))
            let isBroken = size > ImportLimits.lineBytes || isOdd(lines[first...last])
            joined = content(joined, isFirst: first == 0)
            let fields = isBroken ? nil : split(joined)
            guard let fields else {
                refused.append(first + 1)
                if names == nil { return }
                first += 1
                continue
            }
            if !trimmed(joined).isEmpty {
                if let names {
                    if let row = row(names, fields, joined, line: first + 1) {
                        rows.append(row)
                    } else {
                        refused.append(first + 1)
                    }
                } else {
                    names = header(fields, joined)
                    if names == nil { refused.append(first + 1) }
                    if names == nil { return }
                }
            }
            first = last + 1
        }
        if names == nil { refused.append(1) }
    }

    private func header(_ fields: [[UInt8]], _ row: [UInt8]) -> [[UInt8]]? {
        let names = fields.map {
            Array(String(decoding: trimmed($0), as: UTF8.self).asciiLowercased)
        }
        for name in ["address", "reason", "created_at"] {
            let count = names.count { $0.elementsEqual(name.utf8) }
            if count > 1 || name == "address" && count == 0 { return nil }
        }
        return isClean(row) ? names : nil
    }

    private func row(
        _ names: [[UInt8]],
        _ fields: [[UInt8]],
        _ text: [UInt8],
        line: Int
    ) -> FuzzImport.Row? {
        guard isClean(text), fields.count <= names.count else { return nil }
        func field(_ name: String) -> [UInt8] {
            let index = names.firstIndex { $0.elementsEqual(name.utf8) }
            guard let index, index < fields.count else { return [] }
            return fields[index]
        }
        return row(line, field("address"), field("reason"), field("created_at"))
    }

    private func row(
        _ line: Int,
        _ address: [UInt8],
        _ reason: [UInt8],
        _ time: [UInt8]
    ) -> FuzzImport.Row? {
        let address = trimmed(address)
        let reason = trimmed(reason)
        var time = String(decoding: trimmed(time), as: UTF8.self)
        if address.isEmpty || (address + reason + time.utf8).contains(0) { return nil }
        if time.utf8.count == 10 { time += "T00:00:00Z" }
        let millis = Timestamp.parse(time)
        if !time.isEmpty, millis == nil { return nil }
        return FuzzImport.Row(
            line: line,
            address: address,
            reason: reason.isEmpty ? nil : reason,
            millis: millis
        )
    }

    /// Cuts a row into fields; nil for quotes that are not RFC 4180's.
    private func split(_ row: [UInt8]) -> [[UInt8]]? {
        enum State { case start, plain, quoted, closed }
        var fields: [[UInt8]] = [[]]
        var state = State.start
        for byte in row {
            let isQuote = byte == UInt8(ascii: "\"")
            switch (state, byte) {
            case (.start, _) where isQuote: state = .quoted
            case (.plain, _) where isQuote: return nil
            case (.quoted, _) where isQuote: state = .closed
            case (.quoted, _): fields[fields.count - 1].append(byte)
            case (.closed, _) where isQuote:
                fields[fields.count - 1].append(byte)
                state = .quoted
            case (_, UInt8(ascii: ",")):
                fields.append([])
                state = .start
            case (.closed, _): return nil
            default:
                fields[fields.count - 1].append(byte)
                state = .plain
            }
        }
        return state == .quoted ? nil : fields
    }

    /// UTF-8 without NUL, and without CR outside quotes.
    private func isClean(_ row: [UInt8]) -> Bool {
        var isQuoted = false
        for byte in row {
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            if byte == 0 || byte == 0x0D && !isQuoted { return false }
        }
        return String(validating: row, as: UTF8.self) != nil
    }

    private func isOdd(_ lines: ArraySlice<[UInt8]>) -> Bool {
        lines.reduce(0) { $0 + $1.count { $0 == UInt8(ascii: "\"") } } % 2 == 1
    }

    /// Without the mark before it and the CR behind it.
    private func content(_ line: [UInt8], isFirst: Bool) -> [UInt8] {
        var line = line
        if isFirst, line.starts(with: [0xEF, 0xBB, 0xBF]) { line.removeFirst(3) }
        if line.last == 0x0D { line.removeLast() }
        return line
    }

    private func trimmed(_ field: [UInt8]) -> [UInt8] {
        var field = field[...]
        while let byte = field.first, byte == 0x20 || byte == 0x09 { field.removeFirst() }
        while let byte = field.last, byte == 0x20 || byte == 0x09 { field.removeLast() }
        return Array(field)
    }
}

extension String {
    /// Bytes with A to Z as a to z.
    fileprivate var asciiLowercased: [UInt8] {
        utf8.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 }
    }
}
