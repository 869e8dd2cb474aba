"""Reads a history and names every promise that was broken in it.

    lost        a durable opt-out that some node does not deny at the end; nobody consented
    undone      the same, though there were consents: none of them names it
    allowed     `allow` for a check invoked later than durable + S
    answers     a request with two answers or none, twice the same number, an answer before its
                question
    unsaid      200 for an opt-out that does not say how durable it is
    unfinished  a durable opt-out that some node was never asked about at the end

An opt-out is durable at the latest when its 200 `quorum` has come back: that moment is taken. One
answered `local` may be lost with the disks that hold it: it counts at the end unless a test took
disks away. What a consent names is known by id where the opt-out told one, and otherwise by time: a
consent can name only what had been sent when its ids were read.
"""

import bisect
import collections

ANSWERED = {"allow", "deny", "unknown"}


class Violation(collections.namedtuple("Violation", "kind text")):
    """One broken promise."""

    def __str__(self):
        return f"{self.kind}: {self.text}"


def may_name(consent, optout):
    """Whether a consent can have named an opt-out.

    One that was refused with 4xx is nowhere; one answered 503 stays and keeps spreading (DESIGN 5).
    """
    if consent["outcome"].startswith("4"):
        return False
    if optout.get("id") and consent.get("names") is not None:
        return optout["id"] in consent["names"]
    return consent.get("observed") is not None and optout["invoke"] <= consent["observed"]


class Checker:
    """A history, sorted by what the rules ask for."""

    def __init__(self, operations, bound_seconds, nodes, local_survives=True):
        self.operations, self.nodes = operations, list(nodes)
        self.bound = int(bound_seconds * 1e9)
        self.local_survives = local_survives
        self.optouts = collections.defaultdict(list)
        self.consents = collections.defaultdict(list)
        self.checks = collections.defaultdict(list)
        self.finals = {}
        for operation in operations:
            key = operation["key"]
            if operation["op"] == "optout" and operation["outcome"] == "200":
                self.optouts[key].append(operation)
            elif operation["op"] == "consent":
                self.consents[key].append(operation)
            elif operation["op"] == "check" and operation["outcome"] == "allow":
                self.checks[key].append(operation)
            elif operation["op"] == "final":
                self.finals[(key, operation["node"])] = operation["outcome"]

    def violations(self):
        """All of them, in the order of the table above."""
        return [*self.at_the_end(), *self.allowed(), *self.answers(), *self.unsaid()]

    def binding(self, key):
        """The opt-outs of a person that no consent can have named."""
        return [
            optout for optout in self.optouts[key]
            if not any(may_name(consent, optout) for consent in self.consents[key])]

    def at_the_end(self):
        """Durable and absent, undone, or never looked at."""
        for key in list(self.optouts):
            kept = [
                optout for optout in self.binding(key)
                if optout["durability"] == "quorum" or self.local_survives]
            if not kept:
                continue
            for node in self.nodes:
                final = self.finals.get((key, node))
                if final is None:
                    yield Violation("unfinished", f"key {key} was never asked at {node}")
                elif final != "deny":
                    kind = "undone" if self.consents[key] else "lost"
                    yield Violation(kind, f"key {key} is {final} at {node}; {kept[0]}")

    def allowed(self):
        """Allow for a check invoked later than durable + S."""
        for key, checks in self.checks.items():
            durable = sorted(
                (optout for optout in self.optouts[key] if optout["durability"] == "quorum"),
                key=lambda optout: optout["return"])
            ends = [optout["return"] + self.bound for optout in durable]
            for check in checks:
                for optout in durable[:bisect.bisect_left(ends, check["invoke"])]:
                    if not any(
                            may_name(consent, optout) and consent["invoke"] <= check["return"]
                            for consent in self.consents[key]):
                        late = (check["invoke"] - optout["return"]) / 1e9
                        yield Violation(
                            "allowed", f"key {key} at {check['node']} {late:.3f} s after {optout}")
                        break

    def answers(self):
        """One answer per request, after it."""
        seen = set()
        for operation in self.operations:
            name = (operation["client"], operation["number"])
            if name in seen:
                yield Violation("answers", f"{name} twice")
            seen.add(name)
            if operation["op"] == "down":
                continue
            expected = 0 if operation["outcome"] == "broken" else 1
            if operation["answers"] != expected:
                yield Violation("answers", f"{operation['answers']} answers to {operation}")
            if operation["return"] < operation["invoke"]:
                yield Violation("answers", f"answered before it was asked: {operation}")

    def unsaid(self):
        """200 for an opt-out says how durable it is."""
        for optouts in self.optouts.values():
            for optout in optouts:
                if optout["durability"] not in ("quorum", "local"):
                    yield Violation("unsaid", str(optout))

    def failures(self, failed=None):
        """Node -> requests that failed while the node was in service.

        `failed` says what else than an unserved request is to be counted, if anything.
        """
        failed = failed or (lambda operation: not succeeded(operation))
        downs = collections.defaultdict(list)
        for operation in self.operations:
            if operation["op"] == "down":
                downs[operation["node"]].append((operation["invoke"], operation["return"]))
        counts = collections.Counter({node: 0 for node in self.nodes})
        for operation in self.operations:
            if operation["op"] in ("down", "final") or not failed(operation):
                continue
            if not any(
                    begin <= operation["return"] and operation["invoke"] <= end
                    for begin, end in downs[operation["node"]]):
                counts[operation["node"]] += 1
        return counts

    def count(self, op, outcome=None, durability=None, node=None):
        """How many operations are like this."""
        return sum(
            operation["op"] == op and outcome in (None, operation["outcome"])
            and durability in (None, operation["durability"])
            and node in (None, operation["node"]) for operation in self.operations)


def succeeded(operation):
    """Whether the client was served: an opt-out taken, a check answered, a consent taken or told
    what it would have to name (409)."""
    if operation["op"] == "check":
        return operation["outcome"] in ANSWERED
    if operation["op"] == "consent" and operation["outcome"] == "409":
        return True
    return operation["outcome"] == "200"
