// HTTP framing: packets make no difference, and every part lies where it should.
//
// The other half, that an independent parser (h11) reads the same requests, is Scripts/fuzz_h11.py:
// `transcript` is what it compares.

import Wire

@testable import Servers

enum FuzzHTTP {
    /// One request as bytes of its own.
    struct Request: Equatable {
        var head: String
        var target: [UInt8]
        var body: [UInt8]
        var fields: [[UInt8]]
        /// The method, as an independent parser names it; empty for one that Quell has no name for.
        var method: String
    }

    struct Reading: Equatable {
        var requests: [Request] = []
        /// Which of two readers refuses first, and so why, depends on the packets; that they
        /// refuse does not.
        var isRefused = false
        var isMisplaced = false
    }

    /// The most that a body may have here.
    private static let bodyBytes = 4_096

    static func finding(_ bytes: [UInt8]) -> String? {
        let whole = read(bytes, cuts: [])
        if whole.isMisplaced { return "a part of a request lies outside of it" }
        for cuts in cuttings(of: bytes) where read(bytes, cuts: cuts) != whole {
            return "cut at \(cuts.prefix(8)) the requests differ"
        }
        for request in whole.requests {
            if request.body.count > bodyBytes { return "a body above its bound" }
            if request.target.contains(where: { $0 <= 0x20 || $0 == 0x7F }) {
                return "a target with a blank or a control byte"
            }
            for field in request.fields
            where field.contains(where: { [0, 0x0A, 0x0D].contains($0) }) {
                return "a field with a line end in it"
            }
        }
        return nil
    }

    /// What an independent reader is to agree with, one JSON array a request.
    static func transcript(_ bytes: [UInt8]) -> [UInt8] {
        let reading = read(bytes, cuts: [])
        var out: [UInt8] = []
        out.appendJSON { json in
            json.beginArray()
            for request in reading.requests {
                json.beginArray()
                json.string(request.method)
                json.string(hex(request.target))
                json.string(hex(request.body))
                json.endArray()
            }
            json.endArray()
        }
        return out
    }

    /// Serves as a connection does, up to a refusal or a request that ends the connection.
    static func read(_ bytes: [UInt8], cuts: [Int]) -> Reading {
        var framing = HTTPFraming()
        var reading = Reading()
        var input: [UInt8] = []
        var from = 0
        for cut in cuts + [bytes.count] {
            input += bytes[from..<cut]
            from = cut
            while true {
                var step = framing.advance(&input)
                if step == .head { step = framing.allow(bodyBytes: bodyBytes) }
                if step == .more, framing.isInBody { step = framing.advance(&input) }
                if case .refused = step {
                    reading.isRefused = true
                    return reading
                }
                guard step == .ready else { break }
                let head = framing.head
                take(head, input, cursor: framing.cursor, &reading)
                if !head.keepAlive { return reading }
                framing.begin()
            }
            framing.compact(&input)
        }
        return reading
    }

    private static func take(
        _ head: RequestHead,
        _ input: [UInt8],
        cursor: Int,
        _ reading: inout Reading
    ) {
        let fields = [
            head.path, head.query, head.host, head.authorization, head.contentType, head.accept,
            head.acceptLanguage, head.idempotencyKey, head.userAgent,
        ]
        func bytes(_ range: HTTPRange) -> [UInt8] {
            guard range.isPresent else { return [] }
            guard range.start <= range.end, Int(range.end) <= cursor, cursor <= input.count else {
                reading.isMisplaced = true
                return []
            }
            return Array(input[range.range])
        }
        let name = head.method == .other ? "" : "\(head.method)"
        let life = "\(name) 1.\(head.minorVersion) \(head.keepAlive) \(head.expectsContinue)"
        let request = Request(
            head: life,
            target: bytes(head.target),
            body: bytes(head.body),
            fields: fields.map(bytes),
            method: name
        )
        reading.requests.append(request)
    }

    private static func hex(_ bytes: [UInt8]) -> String {
        let digits = Array("0123456789abcdef".utf8)
        return String(
            decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] },
            as: UTF8.self
        )
    }
}
