// The numbers of functions, by function and version: `version` is the head of the module's digest.

import FunctionHost

extension MetricsPage {
    /// Every function that runs as wasm, and every one that should and does not.
    mutating func functions(_ runtime: FunctionRuntime) {
        let trials = runtime.states.compactMap(\.trial?.version)
        let versions = runtime.states.compactMap(\.version) + trials
        counter(.functionCalls, versions) { "\($0.tally.calls)" }
        head(.functionFailures, "counter")
        for version in versions {
            for failure in CallFailure.allCases {
                sample(
                    .functionFailures,
                    labels: version.labels + ",cause=\"\(failure.word)\"",
                    "\(version.tally.failures(failure))"
                )
            }
        }
        counter(.functionTime, versions) { "\($0.tally.seconds)" }
        counter(.functionOverruled, versions) { "\($0.tally.overruled)" }
        counter(.functionCompared, trials) { "\($0.tally.comparedTotal)" }
        counter(.functionDiffering, trials) { "\($0.tally.differing)" }
        counter(.functionLoosened, trials) { "\($0.tally.loosened)" }
        head(.functionReverted, "gauge")
        for state in runtime.states {
            sample(
                .functionReverted,
                labels: "function=\"\(state.name)\"",
                state.isReverted ? "1" : "0"
            )
        }
        head(.functionGeneration, "gauge")
        for state in runtime.states {
            sample(
                .functionGeneration,
                labels: "function=\"\(state.name)\"",
                "\(state.generation)"
            )
        }
        head(.functionMissing, "gauge")
        for state in runtime.states {
            let isMissing = state.problem != nil
            sample(.functionMissing, labels: "function=\"\(state.name)\"", isMissing ? "1" : "0")
        }
    }

    private mutating func counter(
        _ name: MetricName,
        _ versions: [FunctionVersion],
        _ value: (FunctionVersion) -> String
    ) {
        head(name, "counter")
        for version in versions { sample(name, labels: version.labels, value(version)) }
    }
}

extension FunctionVersion {
    /// `function="check",version="0123456789ab"`
    fileprivate var labels: String {
        "function=\"\(spec.name)\",version=\"\(digest.prefix(12))\""
    }
}
