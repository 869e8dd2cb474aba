// A line of an export, byte by byte.

import Suppression
import Testing
import Wire

@Suite struct ExportRowTests {
    private let recipient = Recipient(high: 0x0011_2233_4455_6677, low: 0x8899_AABB_CCDD_EEFF)

    @Test("all that is known of a mark stands on one line")
    func full() {
        var bytes = Array("before\n".utf8)
        bytes.appendExportRow(
            ExportRow(
                recipient: recipient,
                stream: Array("news".utf8),
                topic: Array("*".utf8),
                reason: .unsubscribe,
                isSuppressed: true,
                sinceMillis: 1_795_233_060_123,
                ids: [Array("id1".utf8), Array("id2".utf8)],
                source: .oneClick
            )
        )
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == #"""
                before
                {"recipient":"00112233445566778899aabbccddeeff","stream":"news","topic":"*",\#
                "reason":"unsubscribe","suppressed":true,"since":"2026-11-21T03:51:00.123Z",\#
                "ids":["id1","id2"],"source":"one-click"}

                """#
        )
    }

    @Test("a mark that ends by itself says when")
    func ending() {
        var bytes: [UInt8] = []
        bytes.appendExportRow(
            ExportRow(
                recipient: recipient,
                stream: Array("news".utf8),
                topic: Array("*".utf8),
                reason: .pause,
                isSuppressed: true,
                sinceMillis: 1_795_233_060_123,
                untilMillis: 1_797_825_060_000,
                ids: nil,
                source: .page
            )
        )
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == #"""
                {"recipient":"00112233445566778899aabbccddeeff","stream":"news","topic":"*",\#
                "reason":"pause","suppressed":true,"since":"2026-11-21T03:51:00.123Z",\#
                "until":"2026-12-21T03:51:00.000Z","source":"page"}

                """#
        )
    }

    @Test("what is not known is null; ids are left out when nobody asked for them")
    func unknown() {
        var bytes: [UInt8] = []
        bytes.appendExportRow(
            ExportRow(
                recipient: recipient,
                stream: nil,
                topic: nil,
                reason: Reason(raw: 200),
                isSuppressed: false,
                sinceMillis: nil,
                ids: nil,
                source: nil
            )
        )
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == #"{"recipient":"00112233445566778899aabbccddeeff","stream":null,"topic":null,"#
                + #""reason":"newer","suppressed":false,"since":null,"source":null}"# + "\n"
        )
    }
}
