// Imports: cut anywhere and read in batches of any size, the same rows; and a second reader, which
// has the whole list in its hands and splits it with the plainest of means, finds the same.
//
// Behind a first byte 0x1A the next one stands for 65,500 letters, so that a short input reaches
// the longest row.

import Wire

enum FuzzImport {
    static func finding(_ input: [UInt8], _ format: ImportFormat) -> String? {
        let bytes = expanded(input)
        let whole = read(bytes, format, cuts: [], limit: .max)
        for cuts in cuttings(of: bytes) {
            let limit = 1 + cuts.count % 3
            if read(bytes, format, cuts: cuts, limit: limit) != whole {
                return "cut at \(cuts.prefix(8)), \(limit) at a time, the rows differ"
            }
        }
        let reference = ImportReference(bytes, format)
        if whole.rows != reference.rows { return "two readers find different rows" }
        if whole.refused != reference.refused { return "two readers refuse different lines" }
        return nil
    }

    /// A row with copies of what it points to.
    struct Row: Equatable {
        var line: Int
        var address: [UInt8]
        var reason: [UInt8]?
        var millis: UInt64?
    }

    private struct Reading: Equatable {
        var rows: [Row] = []
        var refused: [Int] = []
        var faults: [ImportFault] = []
    }

    private static func expanded(_ input: [UInt8]) -> [UInt8] {
        guard input.first == 0x1A else { return input }
        let bytes = input.dropFirst()
        guard let at = bytes.firstIndex(of: 0x1A) else { return Array(bytes) }
        return bytes[..<at] + [UInt8](repeating: 0x78, count: 65_500) + bytes[(at + 1)...]
    }

    private static func read(
        _ bytes: [UInt8],
        _ format: ImportFormat,
        cuts: [Int],
        limit: Int
    ) -> Reading {
        var parser = ImportParser(format: format)
        var batch = ImportBatch()
        var reading = Reading()
        var start = 0
        for end in cuts + [bytes.count] {
            repeat {
                let piece = bytes.span.extracting(start..<end)
                start += parser.parse(piece, limit: limit, into: &batch)
                take(&batch, &reading)
            } while start < end
        }
        parser.finish(into: &batch)
        take(&batch, &reading)
        return reading
    }

    private static func take(_ batch: inout ImportBatch, _ reading: inout Reading) {
        for row in batch.rows {
            reading.rows.append(
                Row(
                    line: row.line,
                    address: Array(batch.text[row.address]),
                    reason: row.reason.map { Array(batch.text[$0]) },
                    millis: row.createdAtMillis
                )
            )
        }
        for refusal in batch.refusals {
            reading.refused.append(refusal.line)
            reading.faults.append(refusal.fault)
        }
        batch.removeAll()
    }
}
