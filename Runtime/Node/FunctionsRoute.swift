// /v1/functions on the admin listener: what serves, how it does, what it has logged, and what
// became of each artifact on each node.

import Cluster
import FunctionHost
import Servers
import Suppression
import Synchronization
import Wire

extension NodeLoop {
    /// Every function with its counts and its last lines, then every version.
    func functions(into answer: inout HTTPAnswer) {
        let runtime = metrics.functions.withLock { $0 }
        let notices = deploys.machine.notices
        let nodes = knownPeers.filter { !$0.state.isGone }
        let machine = deploys.machine
        let activations = catalog.activations.sorted { $0.activation.name < $1.activation.name }
        let ownName = config.name
        answer.json { json in
            json.beginObject()
            json.field("node", ownName)
            json.field("engine", runtime.engine)
            json.key("functions")
            json.beginArray()
            for state in runtime.states { json.function(state, isFull: true) }
            json.endArray()
            json.key("activations")
            json.beginArray()
            for (activation, generation) in activations {
                write(activation, generation, into: &json)
            }
            json.endArray()
            json.key("versions")
            json.beginArray()
            for notice in notices {
                json.beginObject()
                json.field("name", notice.name)
                json.field("digest", hexText(notice.digest.bytes))
                json.field("bytes", Int(notice.bytes))
                json.key("published")
                json.time(millis: notice.publishedMillis)
                json.key("nodes")
                json.beginArray()
                let trial = catalog.activation(of: notice.name)?.activation.trial
                let word = trial?.digest == notice.digest ? trial?.kind.word : nil
                json.place(ownName, notice, machine.runs(notice.name), word ?? "active")
                for node in nodes {
                    let told = machine.notice(of: notice.digest, by: node.node)
                    json.place(node.name, told, isLinked: node.isLinked, word ?? "active")
                }
                json.endArray()
                json.endObject()
            }
            json.endArray()
            json.endObject()
        }
    }
}

extension JSONWriter {
    /// This node's part of a version.
    fileprivate mutating func place(
        _ name: String,
        _ notice: ArtifactNotice,
        _ running: RunningVersion?,
        _ word: String
    ) {
        var notice = notice
        let isServing = running?.digest == notice.digest || running?.trial == notice.digest
        notice.generation = isServing ? running?.generation ?? 0 : 0
        place(name, notice, isLinked: true, word)
    }

    /// A node's part of a version, as it told it.
    ///
    /// - Parameter word: for one that answers or is compared.
    fileprivate mutating func place(
        _ name: String,
        _ notice: ArtifactNotice?,
        isLinked: Bool,
        _ word: String
    ) {
        beginObject()
        field("name", name)
        let isActive = notice.map { $0.generation > 0 } ?? false
        field(
            "state",
            !isLinked ? "unreachable" : isActive ? word : notice?.state.word ?? "absent"
        )
        field("generation", Int(notice?.generation ?? 0))
        if case .failed(let why) = notice?.state { field("why", why) }
        endObject()
    }
}

extension JSONWriter {
    /// Section 10.5's element of `functions`; `error` only where there is one.
    ///
    /// A module that the configuration put there counts as deployed, with generation 0: nobody has
    /// activated it over the cluster.
    mutating func function(_ state: FunctionState, isFull: Bool = false) {
        beginObject()
        field("name", state.name)
        field(
            "digest",
            state.version?.digest ?? (state.isMissing ? "" : "built-in:\(Version.number)")
        )
        field("generation", Int(clamping: state.generation))
        field("source", state.version == nil && !state.isMissing ? "built-in" : "deployed")
        if let problem = state.problem ?? state.version?.tally.lastFailure?.word {
            field("error", problem)
        }
        if isFull, let version = state.version {
            field("calls", version.tally.calls)
            field("overruled", version.tally.overruled)
            key("failures")
            beginObject()
            for failure in CallFailure.allCases {
                key(failure.word)
                integer(version.tally.failures(failure))
            }
            endObject()
            key("log")
            beginArray()
            for line in version.log.lines { string(line) }
            endArray()
        }
        endObject()
    }
}
