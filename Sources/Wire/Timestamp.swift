// Milliseconds since 1970 as text that people and every other program read: RFC 3339.
//
// Written always in UTC with three digits, so that texts sort as times do. Read more freely, because
// lists from other systems carry offsets and other fractions. The calendar is the usual sum over eras
// of 400 years = 146,097 days, with March as the first month so that the leap day comes last
// (H. Hinnant, "chrono-Compatible Low-Level Date Algorithms"). Years outside 1970...9999 do not exist
// here: four digits are all the format has, and Quell knows no time before its epoch.

/// RFC 3339 times.
public enum Timestamp {
    /// The last millisecond of the year 9999, where the format ends.
    public static let latestMillis: UInt64 = 253_402_300_799_999

    private static let dayMillis: UInt64 = 86_400_000

    /// Appends `2026-11-21T03:51:00.123Z`, 24 bytes.
    ///
    /// - Parameter millis: milliseconds since 1970; later than `latestMillis` is written as that.
    public static func append(millis: UInt64, to bytes: inout [UInt8]) {
        let moment = min(millis, latestMillis)
        let date = civil(day: Int(moment / dayMillis))
        let rest = Int(moment % dayMillis)
        append(date.year, digits: 4, to: &bytes)
        bytes.append(UInt8(ascii: "-"))
        append(date.month, digits: 2, to: &bytes)
        bytes.append(UInt8(ascii: "-"))
        append(date.day, digits: 2, to: &bytes)
        bytes.append(UInt8(ascii: "T"))
        append(rest / 3_600_000, digits: 2, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        append(rest / 60_000 % 60, digits: 2, to: &bytes)
        bytes.append(UInt8(ascii: ":"))
        append(rest / 1_000 % 60, digits: 2, to: &bytes)
        bytes.append(UInt8(ascii: "."))
        append(rest % 1_000, digits: 3, to: &bytes)
        bytes.append(UInt8(ascii: "Z"))
    }

    /// The same as a string.
    public static func text(millis: UInt64) -> String {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(24)
        append(millis: millis, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    /// Reads a time; nil when it is not RFC 3339, is before 1970 or after 9999.
    ///
    /// Digits beyond the millisecond are cut. A leap second counts as the second that follows it.
    public static func parse(_ bytes: Span<UInt8>) -> UInt64? {
        var reader = Reader()
        guard let year = reader.number(bytes, digits: 4, in: 1969...9999),
            reader.skip(bytes, "-"), let month = reader.number(bytes, digits: 2, in: 1...12),
            reader.skip(bytes, "-"), let day = reader.number(bytes, digits: 2, in: 1...31),
            day <= days(inMonth: month, of: year),
            reader.skip(bytes, "T") || reader.skip(bytes, "t") || reader.skip(bytes, " "),
            let hour = reader.number(bytes, digits: 2, in: 0...23),
            reader.skip(bytes, ":"), let minute = reader.number(bytes, digits: 2, in: 0...59),
            reader.skip(bytes, ":"), let second = reader.number(bytes, digits: 2, in: 0...60),
            let fraction = reader.fraction(bytes), let offset = reader.offsetMinutes(bytes),
            reader.index == bytes.count
        else { return nil }
        let minutes = (dayNumber(year, month, day) * 24 + hour) * 60 + minute - offset
        let millis = (minutes * 60 + second) * 1_000 + fraction
        guard millis >= 0, UInt64(millis) <= latestMillis else { return nil }
        return UInt64(millis)
    }

    /// Reads a time from a string.
    public static func parse(_ text: String) -> UInt64? { parse(text.utf8.span) }

    private static func append(_ number: Int, digits: Int, to bytes: inout [UInt8]) {
        var scale = 1
        for _ in 1..<digits { scale *= 10 }
        while scale > 0 {
            bytes.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number / scale % 10))
            scale /= 10
        }
    }
}

// MARK: The calendar

extension Timestamp {
    /// Days since 1970 to year, month and day; for days from 1970 on.
    private static func civil(day: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = day + 719_468  // days from 0000-03-01 to 1970-01-01
        let era = shifted / 146_097
        let ofEra = shifted % 146_097
        let yearOfEra = (ofEra - ofEra / 1_460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * ofYear + 2) / 153
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, ofYear - (153 * marchMonth + 2) / 5 + 1)
    }

    /// Year, month and day to days since 1970.
    private static func dayNumber(_ year: Int, _ month: Int, _ day: Int) -> Int {
        let marchYear = month <= 2 ? year - 1 : year
        let era = marchYear / 400
        let yearOfEra = marchYear % 400
        let ofYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        return era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + ofYear - 719_468
    }

    private static func days(inMonth month: Int, of year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }
}

// MARK: Reading

extension Timestamp {
    private struct Reader {
        var index = 0

        mutating func skip(_ bytes: Span<UInt8>, _ mark: Unicode.Scalar) -> Bool {
            guard index < bytes.count, bytes[index] == UInt8(ascii: mark) else { return false }
            index += 1
            return true
        }

        mutating func digit(_ bytes: Span<UInt8>) -> Int? {
            guard index < bytes.count, bytes[index] >= UInt8(ascii: "0"),
                bytes[index] <= UInt8(ascii: "9")
            else { return nil }
            defer { index += 1 }
            return Int(bytes[index] - UInt8(ascii: "0"))
        }

        mutating func number(
            _ bytes: Span<UInt8>,
            digits: Int,
            in range: ClosedRange<Int>
        ) -> Int? {
            var value = 0
            for _ in 0..<digits {
                guard let digit = digit(bytes) else { return nil }
                value = value * 10 + digit
            }
            return range.contains(value) ? value : nil
        }

        /// Milliseconds; 0 without a fraction, nil for a point without digits.
        mutating func fraction(_ bytes: Span<UInt8>) -> Int? {
            guard skip(bytes, ".") else { return 0 }
            guard var millis = digit(bytes).map({ $0 * 100 }) else { return nil }
            var scale = 10
            while let next = digit(bytes) {
                millis += next * scale
                scale /= 10
            }
            return millis
        }

        /// Minutes that the local time is ahead of UTC.
        mutating func offsetMinutes(_ bytes: Span<UInt8>) -> Int? {
            if skip(bytes, "Z") || skip(bytes, "z") { return 0 }
            let isAhead = skip(bytes, "+")
            guard isAhead || skip(bytes, "-") else { return nil }
            guard let hours = number(bytes, digits: 2, in: 0...23), skip(bytes, ":"),
                let minutes = number(bytes, digits: 2, in: 0...59)
            else { return nil }
            return isAhead ? hours * 60 + minutes : -(hours * 60 + minutes)
        }
    }
}
