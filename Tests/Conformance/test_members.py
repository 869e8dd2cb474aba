"""DESIGN 7 and 10.5: who is in the cluster, who answers, and how nodes find each other again."""

import json
import signal

import pytest

from cluster import call, eventually, quell
from joining import joiner

DETECTED = 20  # suspected at once when refused, unreachable 4 s later; the rest is a slow machine


def members(node):
    """`GET /v1/members` by name; one row a node id."""
    answer = call(
        node.admin, "GET", "/v1/members",
        headers={"Authorization": f"Bearer {node.cluster.admin_key}"})
    assert answer.status == 200, answer
    return {row["name"]: row for row in answer.json()["members"]}


def complete(node):
    """All three rows, once each other node has told its incarnation and has a round trip."""
    rows = members(node)
    measured = {name for name, row in rows.items() if row["incarnation"] and row["rtt_ms"]}
    return rows if measured | {node.name} == {"n1", "n2", "n3"} else None


def states(node):
    """What a node believes of the others, by `/v1/status`."""
    return {peer["name"]: peer["state"] for peer in node.status()["peers"]}


def metric(node, name):
    """One number of `/metrics`."""
    for line in call(node.admin, "GET", "/metrics").text.splitlines():
        if line.startswith(f"{name} "):
            return float(line.split()[1])
    raise AssertionError(f"no metric {name}")


def is_live(node):
    """True once the admin listener answers."""
    try:
        return call(node.admin, "GET", "/livez").status == 200
    except OSError:
        return False


@pytest.fixture
def three(fresh):
    """Three voters in three zones."""
    return fresh(nodes=3)


def test_shape(three):
    """10.5's fields for every node, itself included, and `quell members` prints the same."""
    for node in three.nodes:
        rows = eventually(lambda: complete(node), "every node with its round trip")
        for other in three.nodes:
            row, status = rows[other.name], other.status()
            assert set(row) == {
                "name", "node_id", "epoch", "zone", "region", "role", "holds", "address", "state",
                "incarnation", "rtt_ms"}
            assert [row[key] for key in ("node_id", "epoch", "zone", "region", "role")] == [
                status[key] for key in ("node_id", "epoch", "zone", "region", "role")]
            assert row["state"] == "alive" and row["holds"] == "all" and row["incarnation"] >= 1
            assert row["address"] == other.entry["peer"]
            assert row["rtt_ms"] is None if other is node else row["rtt_ms"] > 0
    printed = quell("members", "--json", "--cluster", three.file)
    assert printed.returncode == 0
    assert {row["name"] for row in json.loads(printed.stdout)["members"]} == {"n1", "n2", "n3"}
    plain = quell("members", "--cluster", three.file)
    assert plain.returncode == 0 and plain.stdout.count("\talive\tvoter\t") == 3


def test_killed_and_back(three):
    """kill -9: suspect at once, unreachable within the suspicion time, alive again on return."""
    n1, n2, n3 = three.nodes
    before = members(n1)["n3"]
    n3.kill()
    for node in (n1, n2):
        eventually(lambda: states(node)["n3"] == "suspect", "a suspicion", 5, every=0.02)
    for node in (n1, n2):
        eventually(lambda: states(node)["n3"] == "unreachable", "n3 unreachable", DETECTED)
        assert members(node)["n3"]["state"] == "unreachable"
        assert states(node)[n1.name if node is n2 else n2.name] == "alive"
        eventually(lambda: metric(node, "quell_member_unreachable_nodes") == 1, "the metric")
    status = quell("status", "--json", "--cluster", three.file)
    assert status.returncode == 2, "a node was not reached"
    assert len(json.loads(status.stdout)["nodes"]) == 2
    n3.run()
    for node in (n1, n2):
        eventually(lambda: states(node)["n3"] == "alive", "n3 alive again", DETECTED)
        after = members(node)["n3"]
        assert after["node_id"] == before["node_id"] and after["epoch"] != before["epoch"]
        assert after["incarnation"] > before["incarnation"]
        eventually(lambda: metric(node, "quell_member_unreachable_nodes") == 0, "the metric")
    assert set(states(n3).values()) == {"alive"}


def test_stopped_and_back(three):
    """SIGSTOP refuses nothing: probes find it, and it takes the verdict back when it goes on."""
    n1, n2, n3 = three.nodes
    n3.pause()
    try:
        for node in (n1, n2):
            eventually(lambda: states(node)["n3"] == "unreachable", "n3 unreachable", 40)
    finally:
        n3.signal(signal.SIGCONT)
    for node in three.nodes:
        eventually(lambda: set(states(node).values()) == {"alive"}, "all alive", 40)
    eventually(lambda: metric(n3, "quell_member_refutations_total") >= 1, "a refutation")


def test_gossip_joins_everybody(fresh):
    """A node that joins one member links to all, and finds them again without that one."""
    cluster = fresh()
    n1 = cluster.node
    e2 = joiner(cluster, "e2", "z2", n1.entry["peer"])
    e3 = joiner(cluster, "e3", "z3", n1.entry["peer"])
    for node, others in ((e2, {"n1", "e3"}), (e3, {"n1", "e2"}), (n1, {"e2", "e3"})):
        eventually(lambda: states(node) == {other: "alive" for other in others}, "all know all")
        eventually(lambda: metric(node, "quell_peer_linked_nodes") == 2, "all linked to all")
    assert members(e3)["e2"]["role"] == "edge" and members(e3)["n1"]["role"] == "voter"

    before = members(e2)["e3"]
    n1.kill()
    e3.kill()
    eventually(lambda: states(e2)["e3"] == "unreachable", "e3 unreachable", DETECTED)
    e3.run(wait=False)  # not ready without the one voter, but it finds e2
    eventually(lambda: is_live(e3), "e3 serves", every=0.1)
    eventually(lambda: metric(e3, "quell_peer_linked_nodes") == 1, "e3 linked to e2")
    eventually(lambda: states(e2)["e3"] == "alive", "e3 alive again", DETECTED)
    eventually(lambda: states(e3)["e2"] == "alive", "e2 alive for e3")
    eventually(lambda: states(e3)["n1"] == "unreachable", "n1 is not forgotten", 40)
    assert members(e2)["e3"]["incarnation"] > before["incarnation"]
    n1.run()
    for node in (e2, e3):
        eventually(lambda: states(node)["n1"] == "alive", "n1 alive again", DETECTED)


def test_damaged_book_starts(fresh):
    """The book is a convenience: a node whose book is gone starts, and joins as it did."""
    cluster = fresh(nodes=3)
    n3 = cluster.nodes[2]
    n3.stop()
    import lmdb
    with lmdb.open(str(n3.data / "state.mdb"), subdir=False, max_dbs=32, lock=False) as store:
        meta = store.open_db(b"meta", create=False)
        with store.begin(write=True) as transaction:
            book = transaction.get(b"members", db=meta)
            assert book and book[0] == 1, "the book lies in meta"
            torn = book[:-9] + bytes([book[-9] ^ 1]) + book[-8:]
            transaction.put(b"members", torn, db=meta)
    n3.run()
    for node in cluster.nodes:
        eventually(lambda: set(states(node).values()) == {"alive"}, "all alive", DETECTED)
