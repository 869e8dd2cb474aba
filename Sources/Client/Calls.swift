// The calls of a sending worker (DESIGN 10.2).
//
// check alone never throws: a worker that forgets to look at an error must end with "do not send", so
// every address gets a result and whatever went wrong makes it `.unknown`. If the count of results
// differs from the count of addresses, none can be told to be whose, and all are unknown.

internal import Wire

extension QuellClient {
    /// Asks whether messages may be sent.
    ///
    /// More than `ClientLimits.batchAddressesCount` addresses take several requests; the first that
    /// fails ends the asking, and what was not answered is unknown.
    /// - Parameters:
    ///   - stream: the stream of the messages.
    ///   - topic: their topic, `*` for mail that belongs to none.
    ///   - addresses: whom to; results come in this order.
    public func check(
        stream: String,
        topic: String = "*",
        addresses: [String]
    ) -> CheckAnswer {
        var answer = CheckAnswer(results: [])
        answer.results.reserveCapacity(addresses.count)
        var rest = addresses[...]
        while !rest.isEmpty {
            let batch = rest.prefix(ClientLimits.batchAddressesCount)
            do throws(ClientError) {
                try check(stream, topic, batch, into: &answer)
            } catch {
                answer.failure = error
                break
            }
            rest = rest.dropFirst(batch.count)
        }
        answer.results += Array(repeating: .unknown, count: rest.count)
        return answer
    }

    private func check(
        _ stream: String,
        _ topic: String,
        _ addresses: ArraySlice<String>,
        into answer: inout CheckAnswer
    ) throws(ClientError) {
        let json = try ask(
            Request(post: "/v1/check") { json in
                json.field("stream", stream)
                json.field("topic", topic)
                json.strings("addresses", addresses)
            })
        guard let results = json["results"]?.array, results.count == addresses.count else {
            throw unexpected("result for each address")
        }
        answer.results += results.map(CheckResult.init)
        answer.node = json["node"]?.string
        // Of several batches the stalest speaks for all.
        if let staleness = json["staleness_ms"]?.integer {
            answer.stalenessMillis = max(answer.stalenessMillis ?? 0, staleness)
        }
    }

    /// Stops mail to somebody; returns once that is durable.
    ///
    /// - Parameter idempotencyKey: makes repeats of this very request harmless; random when nil.
    public func suppress(
        address: String,
        stream: String,
        topic: String = "*",
        reason: String = "unsubscribe",
        idempotencyKey: String? = nil
    ) throws(ClientError) -> Suppressed {
        var request = Request(post: "/v1/suppressions") { json in
            json.field("address", address)
            json.field("stream", stream)
            json.field("topic", topic)
            json.field("reason", reason)
        }
        request.idempotencyKey = try idempotencyKey.map(checked) ?? randomKey()
        let json = try ask(request)
        guard let id = json["id"]?.string, let durability = json["durability"]?.string else {
            throw unexpected("id and durability")
        }
        return Suppressed(id: id, durability: durability, json: json.text)
    }

    /// Lifts suppressions that somebody agreed to end; the only call that does.
    ///
    /// - Parameters:
    ///   - observed: ids from `show`, or from `.idsNeeded`; nil asks for them and lifts nothing.
    ///   - evidence: how they agreed; `method` is required by the node.
    public func consent(
        address: String,
        stream: String,
        topic: String,
        reason: String,
        observed: [String]?,
        evidence: [(name: String, value: String)]
    ) throws(ClientError) -> ConsentOutcome {
        let request = Request(post: "/v1/consents") { json in
            json.field("address", address)
            json.field("stream", stream)
            json.field("topic", topic)
            json.field("reason", reason)
            if let observed { json.strings("observed", observed[...]) }
            json.key("evidence")
            json.beginObject()
            for (name, value) in evidence {
                json.key(name)
                json.string(value)
            }
            json.endObject()
        }
        let answer = try exchange(request)
        if answer.status == 409, let ids = try json(answer)["ids"]?.array {
            return .idsNeeded(ids.compactMap(\.string))
        }
        guard answer.status == 200 else { throw refusal(answer) }
        let json = try json(answer)
        guard let covered = json["covered"]?.integer else { throw unexpected("covered count") }
        return .covered(count: Int(covered), json: json.text)
    }

    /// All marks of one person, lifted ones too.
    public func show(address: String) throws(ClientError) -> Listing<ShownMark> {
        let json = try ask(Request(.get, "/v1/suppressions", query: [("address", address)]))
        return try listing(json, "marks", ShownMark.init)
    }

    /// Unsubscribe links for messages of one scope, in the order of the addresses.
    ///
    /// - Parameter addresses: 1 to `ClientLimits.batchAddressesCount`.
    public func links(
        stream: String,
        topic: String = "*",
        addresses: [String]
    ) throws(ClientError) -> Listing<Link> {
        let json = try ask(
            Request(post: "/v1/links") { json in
                json.field("stream", stream)
                json.field("topic", topic)
                json.strings("addresses", addresses[...])
            })
        let links = try listing(json, "links", Link.init)
        guard links.rows.count == addresses.count else { throw unexpected("link for each address") }
        return links
    }

    /// Rows of an array of objects; one that cannot be read makes the answer malformed.
    func listing<Row>(
        _ json: JSONValue,
        _ name: StaticString,
        _ row: (JSONValue) -> Row?
    ) throws(ClientError) -> Listing<Row> {
        guard let elements = json["\(name)"]?.array else { throw unexpected(name) }
        let rows = elements.compactMap(row)
        guard rows.count == elements.count else { throw unexpected(name) }
        return Listing(rows: rows, json: json.text)
    }

    /// A key that is one field value: no control characters, at most 256 bytes as the node takes.
    private func checked(_ key: String) throws(ClientError) -> String {
        guard (1...256).contains(key.utf8.count), key.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { throw .invalidAddress("an idempotency key is 1 to 256 visible ASCII characters") }
        return key
    }

    private func randomKey() -> String {
        let high = UInt64.random(in: .min ... .max)
        let low = UInt64.random(in: .min ... .max)
        return String(high, radix: 16) + "-" + String(low, radix: 16)
    }
}

extension JSONWriter {
    /// A name and a list of strings.
    mutating func strings(_ name: StaticString, _ all: ArraySlice<String>) {
        key(name)
        beginArray()
        for one in all { string(one) }
        endArray()
    }
}
