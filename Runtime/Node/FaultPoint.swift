// Places at which a node kills itself, for tests alone: a crash in the middle of a deploy is too
// rare to wait for.
//
// All of it, the calls as well, is compiled in with -DFAULTS only (Scripts/faults.sh); what is
// shipped has neither the places nor the name of the variable.

#if FAULTS
    import Foundation
    import Glibc

    /// A stage of a deploy.
    enum FaultPoint: String {
        /// Half of an artifact's bytes are in the file beside.
        case artifactHalf = "artifact-half"
        /// The artifact is on the disk, nobody has looked at its signature.
        case written
        /// Verified, compiled, tried; the node loop has not heard.
        case compiled
        /// Peers have heard that it is ready.
        case readySaid = "ready-said"
        /// The register that names it is shown here.
        case registerSeen = "register-seen"
        /// Serving loops have been given it, nothing is written down.
        case flipped

        /// Ends the process as `kill -9` does, if this is the place that was asked for.
        func reach() {
            // A file, so that a start, which passes most of the places, is not the one that is hit.
            guard let path = ProcessInfo.processInfo.environment["QUELL_FAULT_POINT"],
                FileManager.default.contents(atPath: path) == Data(rawValue.utf8)
            else { return }
            _ = kill(getpid(), SIGKILL)
        }
    }
#endif
