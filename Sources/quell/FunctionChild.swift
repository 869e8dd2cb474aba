// What a node runs itself for: work with functions that may end the process that does it.
//
// Hidden: no person has a use for it. The work itself stands in Runtime/FunctionHost/Child.swift.

import ArgumentParser
import Node

struct FunctionChild: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "function-child",
        abstract: "Work of a node in a process of its own.",
        discussion: """
            EXAMPLE: whether an engine works here, in 24 slots beside 4 GiB of other memory
              quell function-child probe LIBRARY wide 24 4294967296
            """,
        shouldDisplay: false
    )

    @Argument(parsing: .captureForPassthrough) var words: [String] = []

    func run() throws {
        do throws(NodeFailure) {
            if let said = try Node.work(words) { print(said) }
        } catch { throw Failure(.internal, error.description) }
    }
}
