// POST /v1/links: unsubscribe links and the two headers for each address, in the order asked.

import Cluster
import Servers
import Suppression
import Token
import Wire

extension ServingLoop {
    func links(_ call: Call, into answer: inout HTTPAnswer) throws -> Disposition {
        let (tenant, _) = try authorize(call, .link)
        guard call.method == .post else {
            answer.methodNotAllowed("POST")
            return .answered
        }
        let body = try call.json()
        let scope = try resolveWide(
            tenant,
            stream: Array(try body.required("stream").utf8),
            topic: Array((try body.optional("topic") ?? "*").utf8)
        )
        var tokens: [[UInt8]] = []
        for (n, address) in try body.addresses().enumerated() {
            let bytes = Array(address.utf8)
            guard let recipient = recipient(bytes.span, tenant) else {
                throw Refused(.badRequest, "`addresses[\(n)]` is no e-mail address.")
            }
            let person = Person(tenant: tenant.id, recipient: recipient)
            tokens.append(try tenant.ring.mint(LinkClaims(person: person, scope: scope)))
        }
        answer.json { json in
            json.beginObject()
            json.key("links")
            json.beginArray()
            for token in tokens {
                json.beginObject()
                json.key("token")
                json.string(token.span)
                json.field("url", listUnsubscribe.url(of: token))
                json.key("headers")
                json.beginObject()
                json.field("List-Unsubscribe", listUnsubscribe.value(of: token))
                json.field("List-Unsubscribe-Post", ListUnsubscribe.postValue)
                json.endObject()
                json.endObject()
            }
            json.endArray()
            json.endObject()
        }
        return .answered
    }
}
