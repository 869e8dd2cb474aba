"""DESIGN 7 with real nodes: an empty node that joins, until it may answer `allow`."""

import json

import pytest

from api import Api, call
from cluster import address, eventually, quell
from joining import asked, joiner
from planted import fill

COUNT = 3_000
# So slow that what it says on the way can be seen: 48 KB of pages at 16 KiB a second.
SLOWLY = (("--pull-rate", "16KiB"),)


@pytest.fixture
def filled(fresh, tmp_path):
    """Three nodes that deny many, and who these are."""
    cluster = fresh("--staleness-bound", "5s", nodes=3)
    return cluster, fill(cluster, COUNT, tmp_path)


def peers(cluster):
    """Where the nodes of a cluster are reached by others."""
    return [node.entry["peer"] for node in cluster.nodes]


def decisions(node, readers):
    """What a node says of people; None before it knows its keys."""
    body = json.dumps({"stream": "marketing", "topic": "news", "addresses": readers})
    answer = call(
        node.http, "POST", "/v1/check", body=body,
        headers={
            "Authorization": f"Bearer {node.cluster.api_key}",
            "Content-Type": "application/json"})
    if answer.status != 200:
        return None
    return [result["decision"] for result in answer.json()["results"]]


def test_a_joiner_allows_nobody_before_it_is_whole(filled):
    """Deny for what it has, unknown otherwise; not ready, and its status says how far it is."""
    cluster, readers = filled
    stranger = address()
    node = joiner(cluster, "n4", "z4", *peers(cluster), flags=SLOWLY, run=False)
    node.run(wait=False)
    cluster.node_pids.add(node.pid)
    seen, said = set(), []

    def ready():
        try:
            found = decisions(node, readers[:500] + [stranger])
            # Asked later: who joins now joined when it answered. /readyz may be a tick behind.
            status = asked(node)
            ready = call(node.admin, "GET", "/readyz")
        except OSError:
            return False
        if status and status["joining"]:
            assert not status["ready"] and not status["lease"]["valid"]
            said.append(status["joining"])
            if found:
                seen.update(found[:-1])
                assert found[-1] == "unknown"
                assert set(found) <= {"deny", "unknown"}
        return ready.status == 200

    eventually(ready, "the joiner is ready", seconds=60, every=0.05)
    assert seen, "nothing was asked while it joined"
    assert [one["percent"] for one in said] == sorted(one["percent"] for one in said)
    assert any(0 < one["bytes"] and one["of"] for one in said)
    status = node.status()
    assert status["joining"] is None and status["marks"]["count"] == COUNT
    assert set(decisions(node, readers)) == {"deny"}
    assert decisions(node, [stranger]) == ["allow"]
    log = node.log.read_text()
    assert "join.percent=100" in log and "joined: the marks" in log


def test_status_names_a_joiner(filled):
    """`quell status` says how far a node is instead of only that it is not ready."""
    cluster, _ = filled
    node = joiner(cluster, "n4", "z4", *peers(cluster), flags=SLOWLY, run=False)
    node.run(wait=False)
    cluster.node_pids.add(node.pid)
    door = {"QUELL_ADMIN_URL": f"http://{node.admin}", "QUELL_ADMIN_KEY": cluster.admin_key}

    def line():
        done = quell("status", env=door)
        return done.stdout if "joining" in done.stdout else None

    shown = eventually(line, "a line about joining", seconds=20, every=0.02)
    assert "NOT READY" in shown and "% of" in shown
    node.wait_ready()
    assert "joining" not in quell("status", env=door).stdout


def test_killed_joiner_goes_on(filled):
    """kill -9 in the middle: the next life is still a joiner, and goes on where the other was."""
    cluster, readers = filled
    node = joiner(cluster, "n4", "z4", *peers(cluster), flags=SLOWLY, run=False)
    node.run(wait=False)
    cluster.node_pids.add(node.pid)
    eventually(
        lambda: (asked(node) or {}).get("marks", {}).get("count", 0) > 0, "some marks",
        every=0.02)
    assert not node.is_ready()
    node.kill()
    node.run(wait=False)
    cluster.node_pids.add(node.pid)
    again = eventually(lambda: asked(node), "its status", every=0.02)
    assert again["joining"] and again["marks"]["count"] > 0
    assert not again["lease"]["valid"]
    node.wait_ready()
    assert set(decisions(node, readers)) == {"deny"}
    # Whole once is whole for ever: the next start does not join.
    node.stop()
    node.run()
    assert node.status()["joining"] is None
    assert "join.percent" not in node.log.read_text().rpartition("started")[2]


def test_two_joiners_at_once(filled):
    """Neither is the other's donor, and neither waits for the other."""
    cluster, readers = filled
    nodes = [
        joiner(cluster, name, name, *peers(cluster), run=False) for name in ("n4", "n5")]
    for node in nodes:
        node.run(wait=False)
        cluster.node_pids.add(node.pid)
    for node in nodes:
        node.wait_ready()
        assert {found["decision"] for found in Api(node).check_many(readers)} == {"deny"}
