// Accept-Language (RFC 9110, 12.5.4): which of the languages that a page has somebody reads best.
//
//     de-AT, de;q=0.9, *;q=0.5        the highest weight wins, the first of equal ones
//
// A range matches a language by its first subtag, so `pt-BR` gets Portuguese. `*` means any, so the
// page's first. What is malformed is skipped: a header is no reason to show nothing.

/// Chooses a language.
public enum Language {
    /// The place in `tags` of the language that suits best; 0 when none does.
    ///
    /// - Parameters:
    ///   - header: the value of Accept-Language; empty when there was none.
    ///   - tags: primary subtags, in lower case; the first is the page's own choice.
    public static func choose(_ header: [UInt8], among tags: [StaticString]) -> Int {
        var best = 0
        var bestWeight = 0
        var at = 0
        for _ in 0..<Limits.languagesCount where at < header.count {
            var end = at
            while end < header.count, header[end] != 0x2c { end += 1 }
            while at < end, header[at] == 0x20 || header[at] == 0x09 { at += 1 }
            var tail = at
            while tail < end, header[tail] != 0x3b { tail += 1 }
            if let place = place(header, at, tail, tags) {
                let weight = weight(header, tail, end)
                if weight > bestWeight { (best, bestWeight) = (place, weight) }
            }
            at = end + 1
        }
        return best
    }

    /// Which tag a range names.
    private static func place(
        _ header: [UInt8],
        _ start: Int,
        _ end: Int,
        _ tags: [StaticString]
    ) -> Int? {
        if start < end, header[start] == 0x2a { return 0 }
        var stop = start
        while stop < end, header[stop] != 0x2d, header[stop] != 0x20 { stop += 1 }
        for place in tags.indices
        where tags[place].utf8CodeUnitCount == stop - start
            && header.holds(ignoringCase: tags[place], at: start)
        { return place }
        return nil
    }

    /// `;q=0.85` as thousandths; 1,000 without one, 0 for what is malformed.
    private static func weight(_ header: [UInt8], _ start: Int, _ end: Int) -> Int {
        var at = start
        while at < end, header[at] == 0x3b || header[at] == 0x20 { at += 1 }
        guard at < end else { return 1_000 }
        guard header.holds(ignoringCase: "q=", at: at), at + 2 < end else { return 0 }
        at += 2
        var weight = 0
        var scale = 1_000
        while at < end, scale > 0 {
            let byte = header[at]
            at += 1
            if byte == 0x2e, scale == 100 { continue }
            guard byte >= 0x30, byte <= 0x39 else { break }
            weight += Int(byte - 0x30) * scale
            scale /= 10
        }
        return min(weight, 1_000)
    }
}
