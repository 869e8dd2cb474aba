"""DESIGN 7 and 10.5: differences planted with a foreign tool are named, mended, and forgotten."""

import time

import pytest

from api import Api
from cluster import address, call, eventually, quell
from planted import delete, fill, flip, linked, repair, repair_at

NEVER = ("--repair-interval", "0")
FIELDS = {
    "peer", "differences", "pushed", "pulled", "bytes_sent", "bytes_received", "bytes_floor",
    "ratio", "round_trips", "seconds"}


@pytest.fixture
def three(fresh):
    """Three voters that compare only when told."""
    return fresh("--staleness-bound", "5s", *NEVER, nodes=3)


def rows(answer):
    return {row["peer"]: row for row in answer["peers"]}


def test_equal(three, tmp_path):
    """In sync: exit 0, one round trip, at most 64 bytes of payload a peer; ratio null at 0."""
    fill(three, 200, tmp_path)
    code, answer = repair(three)
    assert code == 0 and answer["equal"] is True
    assert set(rows(answer)) == {"n2", "n3"}
    for row in answer["peers"]:
        assert set(row) == FIELDS
        assert row["differences"] == 0 and row["ratio"] is None and row["round_trips"] == 1
        assert row["bytes_sent"] + row["bytes_received"] <= 64
    printed = quell("repair", "--cluster", str(three.file))
    assert printed.returncode == 0 and "all equal" in printed.stdout


def test_planted(three, tmp_path):
    """1 % of the keys deleted while stopped: the digest differs, no lease, never allow for those
    people; dry-run names exactly that number, repair mends exactly those; digests equal."""
    readers = fill(three, 20_000, tmp_path)
    victim = three.nodes[2]
    assert victim.stop() in (0, None)
    planted = delete(victim, every=100)
    assert planted == 200
    victim.run(wait=False)
    linked(victim)

    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        status = victim.status()
        assert status["lease"]["valid"] is False and status["ready"] is False
        assert status["role"] == "learner"
        assert len(three.digests()) == 2
        decisions = [result["decision"] for result in Api(victim).check_many(readers)]
        assert decisions.count("deny") == 20_000 - planted and "allow" not in decisions
        assert Api(three.nodes[0]).decision(address()) == "allow", "the others go on"
        time.sleep(0.3)

    for asked in (three.nodes[0], victim):
        code, answer = repair_at(three, asked, "--dry-run")
        assert code == 1 and answer["equal"] is False
        found = {name: row["differences"] for name, row in rows(answer).items()}
        assert set(found.values()) <= {0, planted} and planted in found.values(), found
        assert all(row["pushed"] == row["pulled"] == 0 for row in answer["peers"])
    assert victim.status()["marks"]["count"] == 20_000 - planted

    code, answer = repair_at(three, victim)
    assert code == 0 and answer["equal"] is True
    assert sum(row["pulled"] for row in answer["peers"]) == planted
    assert sum(row["differences"] for row in answer["peers"]) == planted
    first = answer["peers"][0]
    assert first["ratio"] <= 1.5 and first["bytes_floor"] >= 64 * planted, first
    eventually(lambda: victim.status()["ready"], "n3 trusts itself again")
    assert len(three.digests()) == 1
    assert {r["decision"] for r in Api(victim).check_many(readers)} == {"deny"}
    assert Api(victim).decision(address()) == "allow"

    # It is written down: the next start has no doubt.
    assert victim.stop() in (0, None)
    victim.run()
    victim.wait_ready()
    assert victim.status()["role"] == "voter" and len(three.digests()) == 1


def test_mended_by_another(three, tmp_path):
    """`quell repair` at any node mends a peer that lacks marks, and proves it; that peer asks the
    voter that it still needs by itself, and is ready again."""
    fill(three, 3_000, tmp_path)
    victim = three.nodes[1]
    assert victim.stop() in (0, None)
    planted = delete(victim, count=37)
    victim.run(wait=False)
    linked(victim, three.nodes[0])
    code, answer = repair(three)
    assert code == 0, answer
    row = rows(answer)["n2"]
    assert row["differences"] == row["pushed"] == planted and row["pulled"] == 0
    three.settle()
    eventually(lambda: victim.status()["ready"], "n2 trusts itself again")


def test_said_again(three):
    """An opt-out whose mark has vanished, said again under the same key, is done anew: whoever
    hears yes is suppressed at once, where it was said."""
    person, key = address(), "said-twice"
    api = Api(three.nodes[2])
    assert api.suppress(person, request_id=key)["durability"] == "quorum"
    victim = three.nodes[2]
    assert victim.stop() in (0, None)
    assert delete(victim, count=1) == 1
    victim.run(wait=False)
    linked(victim)
    assert Api(victim).decision(person) == "unknown", "its mark is gone, and it is in doubt"
    assert Api(victim).suppress(person, request_id=key)["durability"] == "quorum"
    assert Api(victim).decision(person) == "deny"


def test_damaged_voters_vouch_for_nobody(three, tmp_path):
    """Two of three damaged: no majority of proofs, so neither ends its doubt by the other."""
    fill(three, 500, tmp_path)
    for node in three.nodes[1:]:
        assert node.stop() in (0, None)
        delete(node, count=5)
    for node in three.nodes[1:]:
        node.run(wait=False)
    linked(*three.nodes)
    code, answer = repair_at(three, three.nodes[1])
    assert answer["equal"] is True and code == 0
    for node in three.nodes[1:]:
        assert node.status()["lease"]["valid"] is False, "equal to one sound voter is not enough"


def test_unreached(three, tmp_path):
    """Exit 2: a peer not reached. A name that nobody has: an error."""
    fill(three, 50, tmp_path)
    three.nodes[2].kill()
    eventually(lambda: any(
        peer["state"] == "unreachable" for peer in three.nodes[0].status()["peers"]), "n3 gone")
    code, answer = repair(three)
    assert code == 2 and answer["equal"] is False
    assert rows(answer)["n2"]["differences"] == 0 and rows(answer)["n3"]["failure"]
    code, answer = repair(three, "--peer", "n2")
    assert code == 0 and set(rows(answer)) == {"n2"}
    code, why = repair(three, "--peer", "nobody")
    assert code == 64 and "nobody" in why
    refused = call(three.nodes[0].admin, "POST", "/v1/repair")
    assert refused.status == 401


def test_deep(three, tmp_path):
    """`--deep` reads every mark of the node again and verifies its checksum."""
    fill(three, 2_000, tmp_path)
    code, answer = repair(three, "--deep")
    assert code == 0 and answer["deep"] == {"marks_damaged": 0, "memory_equal": True}
    victim = three.nodes[0]
    assert victim.stop() in (0, None)
    assert flip(victim, count=3) == 3
    victim.run(wait=False)
    linked(victim)
    code, answer = repair_at(three, victim, "--deep", "--dry-run")
    assert code == 1 and answer["deep"]["marks_damaged"] == 3, answer


def test_background(fresh, tmp_path):
    """The same code runs every --repair-interval, also on a damaged node."""
    cluster = fresh("--staleness-bound", "5s", "--repair-interval", "1s", nodes=3)
    fill(cluster, 1_000, tmp_path)
    victim = cluster.nodes[0]
    assert victim.stop() in (0, None)
    delete(victim, count=100)
    victim.run(wait=False)
    linked(victim)
    cluster.settle(20)
    eventually(lambda: victim.status()["ready"], "ready again", seconds=20, every=0.1)
