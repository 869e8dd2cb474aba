// The check function: a last word on messages that the node would allow.
//
// The built-in adds nothing to what the marks say: nobody is denied who has not asked for it. It
// exists as the function that a tenant's own rules replace (quiet hours, a list of domains), which
// may turn an allow into a deny and never the other way round: the host sees to that with
// `tightened`.

public import FunctionKit

/// Decides about messages that the node would allow.
public enum Check {
    /// One message.
    ///
    /// - Parameters:
    ///   - item: which mail to whom.
    ///   - nowMillis: wall clock, milliseconds since 1970.
    /// - Returns: allow, or deny to withhold it.
    public static func decide(_ item: CheckItem, nowMillis: UInt64) -> Decision { .allow }

    /// A batch, in the same order.
    ///
    /// - Parameters:
    ///   - items: at most 512 messages of one tenant.
    ///   - tenant: whose.
    ///   - nowMillis: wall clock, milliseconds since 1970.
    ///   - decisions: emptied, then one for each item.
    public static func decide(
        _ items: [CheckItem],
        tenant: TenantID,
        nowMillis: UInt64,
        into decisions: inout [Decision]
    ) {
        decisions.removeAll(keepingCapacity: true)
        for item in items { decisions.append(decide(item, nowMillis: nowMillis)) }
    }
}
