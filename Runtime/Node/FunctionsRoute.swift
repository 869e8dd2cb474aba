// /v1/functions on the admin listener: what serves, how it does, and what it has logged.

import FunctionHost
import Servers
import Synchronization
import Wire

extension NodeLoop {
    /// Every function with its counts and its last lines.
    func functions(into answer: inout HTTPAnswer) {
        let runtime = metrics.functions.withLock { $0 }
        answer.json { json in
            json.beginObject()
            json.field("engine", runtime.engine)
            json.key("functions")
            json.beginArray()
            for state in runtime.states { json.function(state, isFull: true) }
            json.endArray()
            json.endObject()
        }
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
        field("digest", state.version?.digest ?? "built-in:\(Version.number)")
        field("generation", 0)
        field("source", state.version == nil ? "built-in" : "deployed")
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
