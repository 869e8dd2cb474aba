"""kill -9 of one node after the other under load, and the history of it checked (DESIGN 14)."""

import time

from api import Api
from checker import Checker
from clients import Crowd, People
from cluster import eventually

CLICKS, CHECKS = 64, 8
# S of these clusters: the smallest, so that checks later than durable + S happen.
BOUND = 5


def digests(cluster):
    """The digests of all nodes; one when they hold the same."""
    return {node.status()["marks"]["digest"] for node in cluster.nodes}


def settled(cluster, seconds=30):
    """All nodes hold the same."""
    eventually(lambda: len(digests(cluster)) == 1, "equal digests", seconds, every=0.1)


def summary(checker):
    """One line: what was acknowledged, what was asked, what failed."""
    return (
        f"{checker.count('optout', '200', 'quorum')} quorum, "
        f"{checker.count('optout', '200', 'local')} local, {checker.count('optout', '503')} 503, "
        f"{checker.count('optout', 'broken')} broken, {checker.count('consent', '200')} consents; "
        f"checks {checker.count('check', 'allow')} allow, {checker.count('check', 'deny')} deny, "
        f"{checker.count('check', 'unknown')} unknown, {checker.count('check', 'broken')} broken")


def checked(history, cluster, bound, figure, **named):
    """Checks a history that has its finals; answers the checker."""
    checker = Checker(
        history.operations, bound, [node.name for node in cluster.nodes], **named)
    found = [str(one) for one in checker.violations()]
    failed = dict(checker.failures())
    figure(f"{summary(checker)}; violations {len(found)}; failed at nodes in service {failed}")
    assert not found, found[:5]
    return checker


def test_kill_each_in_turn(fresh, full, history, figure):
    """Under 64 one-click and 8 check clients: kill -9 each node in turn, restart, 10 rounds:
    durable and lost 0; allow after durable + S 0; failed requests at surviving nodes 0."""
    cluster = fresh("--staleness-bound", f"{BOUND}s", nodes=3)
    crowd = Crowd(cluster, history, People(Api(cluster.node), 10_000))

    def strike():
        for _ in range(10 if full else 1):
            for node in cluster.nodes:
                time.sleep(0.5)
                with history.down(node.name):
                    node.kill()
                    time.sleep(0.2)
                    node.run()
        time.sleep(0.5)

    crowd.run(CLICKS, CHECKS, strike, consents=2)
    settled(cluster)
    crowd.finish()
    checker = checked(history, cluster, BOUND, figure)
    assert checker.count("optout", "200", "quorum") > 1_000
    assert checker.count("check", "allow") and checker.count("check", "deny")
    assert not any(checker.failures().values()), checker.failures()
    unknown = checker.failures(lambda one: one["outcome"] == "unknown")
    assert not any(unknown.values()), f"no lease at a node in service: {unknown}"
