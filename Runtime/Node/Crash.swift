// How a node dies when it must: at once, and without telling.
//
// Swift's runtime answers a crash with a helper process that prints registers and memory around them.
// In this process such memory holds addresses, tokens and keys, which no log may have (DESIGN 11), and
// a node that lingers for half a minute holds its data directory for as long. A read of a page that
// the disk cannot give (SIGBUS) is no bug of ours at all. So the default actions are put back, unless
// the operator asked for backtraces by setting SWIFT_BACKTRACE.

import Foundation
import Glibc

enum Crash {
    /// Restores the default action of the signals that mean a crash.
    static func endAtOnce() {
        guard ProcessInfo.processInfo.environment["SWIFT_BACKTRACE"] == nil else { return }
        for crash in [SIGBUS, SIGSEGV, SIGILL, SIGTRAP, SIGFPE, SIGABRT, SIGQUIT] {
            // SIG_ERR is impossible for these numbers.
            _ = signal(crash, SIG_DFL)
        }
    }
}
