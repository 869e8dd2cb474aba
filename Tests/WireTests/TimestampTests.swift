// RFC 3339 both ways, over the whole calendar that four digits have.

import Testing
import Wire

struct TimestampTests {
    static let pairs: [(UInt64, String)] = [
        (0, "1970-01-01T00:00:00.000Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (1_795_233_060_123, "2026-11-21T03:51:00.123Z"),
        (4_107_542_399_999, "2100-02-28T23:59:59.999Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        (Timestamp.latestMillis, "9999-12-31T23:59:59.999Z"),
    ]

    @Test("writes and reads known moments", arguments: pairs.indices)
    func known(index: Int) {
        let (millis, text) = TimestampTests.pairs[index]
        #expect(Timestamp.text(millis: millis) == text)
        #expect(Timestamp.parse(text) == millis)
    }

    @Test("every day of the calendar comes back, and texts sort as times do")
    func everyDay() {
        var previous = ""
        var day: UInt64 = 0
        while day * 86_400_000 <= Timestamp.latestMillis {
            let millis = day * 86_400_000 + day % 86_400_000
            let text = Timestamp.text(millis: millis)
            if Timestamp.parse(text) != millis || text <= previous {
                Issue.record("day \(day): \(text)")
                return
            }
            previous = text
            day += 1
        }
        #expect(day == 2_932_897)
    }

    @Test("later than the format can say is its last millisecond")
    func clamps() {
        #expect(Timestamp.text(millis: .max) == "9999-12-31T23:59:59.999Z")
    }

    @Test("reads offsets, fractions, lower case, a blank for T and a leap second")
    func reads() {
        #expect(Timestamp.parse("1970-01-01T01:00:00+01:00") == 0)
        #expect(Timestamp.parse("1969-12-31T23:30:00-00:30") == 0)
        #expect(Timestamp.parse("1970-01-01t00:00:00z") == 0)
        #expect(Timestamp.parse("1970-01-01 00:00:00.5Z") == 500)
        #expect(Timestamp.parse("1970-01-01T00:00:00.1239999999999999999999Z") == 123)
        #expect(Timestamp.parse("2016-12-31T23:59:60Z") == Timestamp.parse("2017-01-01T00:00:00Z"))
    }

    @Test(
        "refuses what is no time",
        arguments: [
            "", "1970", "1970-01-01", "1970-01-01T00:00:00", "1970-01-01T00:00Z",
            "1970-13-01T00:00:00Z", "1970-00-01T00:00:00Z", "1970-01-00T00:00:00Z",
            "1970-04-31T00:00:00Z", "2023-02-29T00:00:00Z", "2100-02-29T00:00:00Z",
            "1970-01-01T24:00:00Z", "1970-01-01T00:60:00Z", "1970-01-01T00:00:61Z",
            "1970-01-01T00:00:00.Z", "1970-01-01T00:00:00+1:00", "1970-01-01T00:00:00+0100",
            "1970-01-01T00:00:00+24:00", "1970-01-01T00:00:00ZZ", " 1970-01-01T00:00:00Z",
            "1970-01-01T00:00:00+00:01", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59-00:01",
            "10000-01-01T00:00:00Z", "+970-01-01T00:00:00Z", "1970/01/01T00:00:00Z",
        ])
    func refuses(text: String) {
        #expect(Timestamp.parse(text) == nil)
    }
}
