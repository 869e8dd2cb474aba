// The process's descriptors: as many as we may have, because each connection is one.
//
// The soft limit is 1,024 on most systems, for programs that use select(2); epoll has no such
// bound. So the soft limit is raised to the hard one, as Go's runtime does.

import Glibc

enum Descriptors {
    /// Raises the limit as far as it goes, and tells it. Repeats change nothing; any thread.
    static func raised() -> Int {
        var limit = rlimit()
        let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard unsafe getrlimit(kind, &limit) == 0 else { return Limits.descriptorsAtLeast }
        let wanted = min(limit.rlim_max, rlim_t(Limits.descriptorsAtMost))
        if limit.rlim_cur < wanted {
            let before = limit.rlim_cur
            limit.rlim_cur = wanted
            // Refused, perhaps by a sandbox: then what there was holds.
            if unsafe setrlimit(kind, &limit) != 0 { limit.rlim_cur = before }
        }
        return Int(min(limit.rlim_cur, rlim_t(Limits.descriptorsAtMost)))
    }
}
