"""`leave` and `evict` (DESIGN 7 and 10.1): explicit, and never of a voter."""

import json

import pytest

from api import Api, one_click
from cluster import address, eventually, is_running, quell


@pytest.fixture
def four(fresh):
    """Three voters and an edge node."""
    return fresh(nodes=4)


def run(cluster, *words):
    return quell(*words, "--cluster", str(cluster.file))


def state(cluster, name, asked=0):
    node = cluster.nodes[asked]
    return {peer["name"]: peer["state"] for peer in node.status()["peers"]}.get(name)


def test_a_voter_is_refused(four):
    """`evict` of a voter is refused."""
    for verb in ("evict", "leave"):
        refused = run(four, verb, "n2")
        assert refused.returncode != 0 and "is a voter" in refused.stderr, refused
    assert state(four, "n2") == "alive"


def test_leave(four):
    """`left` is explicit: the node tells the others and ends, exit 0; nothing of it is lost."""
    reader = address()
    answer = one_click(four.nodes[3], Api(four.nodes[3]).token(reader))
    assert answer.header("quell-durability") == "quorum"
    child = four.children.get(four.nodes[3].pid)
    done = run(four, "leave", "n4")
    assert done.returncode == 0 and "has left" in done.stdout, done
    eventually(lambda: not is_running(four.nodes[3].pid), "the end of n4", seconds=15)
    assert child is None or child.wait(10) == 0
    for asked in range(3):
        eventually(lambda n=asked: state(four, "n4", n) == "left", "n4 has left", seconds=10)
        assert Api(four.nodes[asked]).decision(reader) == "deny"
    repaired = run(four, "repair", "--json")
    assert json.loads(repaired.stdout)["equal"], "a node that left is not waited for"


def test_evict(four):
    """`evicted` is explicit, and lists what is owed."""
    unknown = run(four, "evict", "n9")
    assert unknown.returncode != 0 and "No member is called n9" in unknown.stderr
    four.nodes[3].kill()
    done = run(four, "evict", "n4", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["state"] == "evicted" and said["owed"] == 0 and said["name"] == "n4"
    for asked in range(3):
        eventually(lambda n=asked: state(four, "n4", n) == "evicted", "n4 is out", seconds=10)
