// Versions on trial, on the admin listener: begin, widen, end, promote, and what nodes have seen.
//
//     POST /v1/functions/canary    {"name","percent","digest"?}
//                                  -> {"name","digest","generation","trial"}
//     POST /v1/functions/shadow    the same; 0 percent ends a trial
//     POST /v1/functions/promote   {"name"} -> what is on trial serves
//
// Without `digest` it is about the version that is on trial already.

import Cluster
import EventLoop
import FunctionHost
import Servers
import Suppression
import Token
import Wire

extension NodeLoop {
    /// Puts a version on trial, changes its share, or ends the trial.
    func tryFunction(
        _ call: Call,
        _ exchange: Exchange,
        _ kind: Trial.Kind
    ) throws -> Disposition {
        let admin = try authorizeAdmin(call)
        let body = try call.json()
        let name = try body.required("name")
        guard let percent = body["percent"]?.integer, (0...100).contains(percent) else {
            throw Refused(.badRequest, "`percent` is a number from 0 to 100.")
        }
        let now = catalog.activation(of: name)?.activation
        guard percent > 0 else {
            guard now?.trial != nil else { throw noTrial(name) }
            return propose(name, .endTrial, by: admin, exchange)
        }
        guard now?.digest != nil || Functions.isBuiltIn(name) else {
            throw Refused(.conflict, "No version of \(name) serves yet; deploy one first.")
        }
        let digest: ArtifactDigest
        if let text = try body.optional("digest") {
            digest = try published(name, text)
        } else {
            guard let trial = now?.trial else { throw noTrial(name) }
            digest = trial.digest
        }
        guard digest != now?.digest else {
            throw Refused(.conflict, "This version of \(name) serves already.")
        }
        guard let trial = Trial(kind, percent: Int(percent), digest) else { throw noTrial(name) }
        return propose(name, .test(trial), by: admin, exchange)
    }

    /// Lets what is on trial serve.
    func promoteFunction(_ call: Call, _ exchange: Exchange) throws -> Disposition {
        let admin = try authorizeAdmin(call)
        let name = try call.json().required("name")
        guard let trial = catalog.activation(of: name)?.activation.trial else {
            throw noTrial(name)
        }
        return propose(name, .serve(trial.digest), by: admin, exchange)
    }

    private func noTrial(_ name: String) -> Refused {
        Refused(.notFound, "No version of \(name) is on trial; `quell fn status` shows them.")
    }

    /// An activation as `fn status` shows it: what serves, what is tried, who said what of it.
    func write(_ activation: Activation, _ generation: UInt64, into json: inout JSONWriter) {
        json.beginObject()
        json.field("name", activation.name)
        json.field("generation", generation)
        json.field("digest", activation.digest.map { hexText($0.bytes) })
        json.field("previous", activation.previous.map { hexText($0.bytes) })
        if let trial = activation.trial { json.trial(trial) }
        if let revert = activation.revert {
            json.key("reverted")
            json.beginObject()
            json.field("digest", hexText(revert.digest.bytes))
            json.key("votes")
            json.beginArray()
            for vote in revert.votes {
                json.beginObject()
                json.field("node", name(of: vote.voter))
                json.field("cause", word(vote.cause))
                json.field("failed", vote.failed)
                json.field("calls", vote.calls)
                json.endObject()
            }
            json.endArray()
            json.endObject()
        }
        json.key("reports")
        json.beginArray()
        for case let digest? in [activation.digest, activation.trial?.digest] {
            for (node, report) in deploys.machine.reports(of: activation.name, digest) {
                write(report, of: name(of: node), into: &json)
            }
        }
        json.endArray()
        json.endObject()
    }

    private func word(_ cause: UInt8) -> String? {
        cause == 255 ? nil : CallFailure(rawValue: cause)?.word ?? "cause \(cause)"
    }

    private func write(_ report: TrialReport, of node: String, into json: inout JSONWriter) {
        json.beginObject()
        json.field("node", node)
        json.field("digest", hexText(report.digest.bytes))
        json.field("broken", report.isBroken)
        json.field("cause", word(report.cause))
        json.field("calls", report.calls)
        json.field("failed", report.failed)
        json.field("compared", report.compared)
        json.field("differing", report.differing)
        json.field("loosened", report.loosened)
        json.endObject()
    }
}

extension JSONWriter {
    /// `"trial":{"kind","percent","digest"}`
    mutating func trial(_ trial: Trial) {
        key("trial")
        beginObject()
        field("kind", trial.kind.word)
        field("percent", Int(trial.percent))
        field("digest", hexText(trial.digest.bytes))
        endObject()
    }
}
