// How the command line fails: one line on standard error that names cause and fix, and an exit code.

import ArgumentParser
import Foundation

/// Exit codes (DESIGN 10.1).
enum FailureCode: Int32 {
    case no = 1
    case unknown = 2
    case usage = 64
    case rejectedRows = 65
    case unreachable = 69
    case `internal` = 70
    case notPermitted = 77
    case configuration = 78
}

/// A command that cannot do what was asked.
struct Failure: Error, CustomStringConvertible {
    let code: FailureCode
    let description: String

    init(_ code: FailureCode, _ line: String) {
        self.code = code
        description = line
    }
}
