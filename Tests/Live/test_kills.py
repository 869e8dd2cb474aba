"""kill -9 of one node after the other under load, and the history of it checked (DESIGN 14)."""

import time

import pytest

from api import Api
from clients import Crowd, People
from outcome import BOUND, checked

pytestmark = pytest.mark.alone
CLICKS, CHECKS = 64, 8


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
    cluster.settle()
    crowd.finish()
    checker = checked(history, cluster, BOUND, figure)
    assert checker.count("optout", "200", "quorum") > 1_000
    assert checker.count("check", "allow") and checker.count("check", "deny")
    assert not any(checker.failures().values()), checker.failures()
    unknown = checker.failures(lambda one: one["outcome"] == "unknown")
    assert not any(unknown.values()), f"no lease at a node in service: {unknown}"
