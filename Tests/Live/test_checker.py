"""The checker itself: a bad history for each kind of violation, and good ones that resemble it."""

import pytest

from checker import Checker
from history import History, now, read

SECOND = 1_000_000_000
NODES = ("n1", "n2")


def line(op, at, outcome, key=1, node="n1", **more):
    """One operation that begins at a second and takes 10 ms."""
    line.number += 1
    return {
        "client": "c", "number": line.number, "node": node, "op": op, "key": key,
        "invoke": int(at * SECOND), "return": int((at + 0.01) * SECOND), "outcome": outcome,
        "durability": "quorum" if op == "optout" and outcome == "200" else None,
        "answers": 0 if outcome == "broken" else 1, **more}


line.number = 0


def finals(*outcomes, key=1, at=100):
    """A check of each node at the end."""
    return [
        line("final", at, outcome, key=key, node=node) for node, outcome in zip(NODES, outcomes)]


def kinds(operations, **named):
    """What the checker says, S = 5 s."""
    return [found.kind for found in Checker(operations, 5, NODES, **named).violations()]


def test_clean():
    """Nothing is wrong with a check that allows before the opt-out, or denies after it."""
    assert not kinds([
        line("check", 0, "allow"), line("optout", 1, "200"), line("check", 2, "deny"),
        line("optout", 3, "503"), line("optout", 4, "broken"), line("check", 5, "unknown"),
        *finals("deny", "deny")])


@pytest.mark.parametrize("left", ["allow", "unknown"])
def test_lost(left):
    """Durable and absent at the end, on one node alone."""
    assert kinds([line("optout", 1, "200"), *finals("deny", left)]) == ["lost"]


def test_not_acknowledged_may_be_lost():
    """A 503 or a broken connection promises nothing."""
    assert not kinds([
        line("optout", 1, "503"), line("optout", 2, "broken"), *finals("allow", "allow")])


def test_local():
    """`local` counts at the end, unless disks were taken away; it never bounds an allow by S."""
    operations = [
        line("optout", 1, "200", durability="local"), line("check", 20, "allow"),
        *finals("allow", "deny")]
    assert kinds(operations) == ["lost"]
    assert not kinds(operations, local_survives=False)


def test_unfinished():
    """A node that nobody asked at the end proves nothing."""
    assert kinds([line("optout", 1, "200"), *finals("deny")]) == ["unfinished"]


def test_allowed():
    """Allow for a check invoked later than durable + S; up to then it may be."""
    optout = line("optout", 1, "200")
    early, late = line("check", 6.005, "allow"), line("check", 6.02, "allow", node="n2")
    assert not kinds([optout, early, *finals("deny", "deny")])
    assert kinds([optout, late, *finals("deny", "deny")]) == ["allowed"]
    assert not kinds([optout, line("check", 9, "allow", key=2), *finals("deny", "deny")])


def test_allowed_before_the_consent():
    """A consent lifts from when it was sent; an allow before it is as bad as without one."""
    optout = line("optout", 1, "200")
    consent = line("consent", 20, "200", observed=19 * SECOND)
    assert kinds([optout, line("check", 10, "allow"), consent]) == ["allowed"]
    assert not kinds([optout, consent, line("check", 21, "allow")])


def test_undone():
    """Undone without a consent that names it: by time, where the opt-out told no id."""
    first, second = line("optout", 1, "200"), line("optout", 3, "200")
    consent = line("consent", 4, "200", observed=2 * SECOND)
    assert not kinds([first, consent, *finals("allow", "allow")])
    assert kinds([first, second, consent, *finals("deny", "allow")]) == ["undone"]


def test_undone_by_id():
    """With ids the times say nothing: only the id counts."""
    optout = line("optout", 1, "200", id="a")
    other = line("consent", 4, "200", observed=3 * SECOND, names=["b"])
    exact = line("consent", 4, "200", observed=3 * SECOND, names=["a", "b"])
    assert kinds([optout, other, *finals("allow", "deny")]) == ["undone"]
    assert not kinds([optout, exact, *finals("allow", "allow")])


def test_refused_consent():
    """A refused consent lifts nothing; one whose answer was lost, or 503, may have."""
    optout = line("optout", 1, "200")
    refused = line("consent", 4, "409", observed=3 * SECOND)
    assert kinds([optout, refused, *finals("deny", "allow")]) == ["undone"]
    for outcome in ("broken", "503"):
        perhaps = line("consent", 4, outcome, observed=3 * SECOND)
        assert not kinds([optout, perhaps, *finals("allow", "allow")])


@pytest.mark.parametrize("broken", [{"answers": 2}, {"answers": 0}, {"return": 0}])
def test_answers(broken):
    """Two answers, none at all, or one before the question."""
    assert kinds([{**line("check", 1, "deny"), **broken}]) == ["answers"]


def test_same_request_twice():
    """One line a request."""
    once = line("check", 1, "deny")
    assert kinds([once, dict(once)]) == ["answers"]


def test_unsaid():
    """A 200 says how durable the opt-out is."""
    operations = [line("optout", 1, "200", durability=None), *finals("deny", "deny")]
    assert kinds(operations) == ["unsaid"]


def test_failures():
    """Failed requests count for their node, unless it was down at some moment of them."""
    down = {**line("down", 10, "-", key=None, node="n2"), "return": 20 * SECOND}
    operations = [
        down, line("optout", 1, "503"), line("check", 2, "404"), line("check", 3, "unknown"),
        line("optout", 9.995, "broken", node="n2"), line("optout", 15, "broken", node="n2"),
        line("optout", 21, "broken", node="n2"), line("optout", 15, "broken", node="n1"),
        line("consent", 5, "409"), line("consent", 5, "403")]
    assert Checker(operations, 5, NODES).failures() == {"n1": 4, "n2": 1}


def test_file(tmp_path):
    """What is written is what is read."""
    history = History(tmp_path / "history.jsonl")
    with history.down("n1"):
        history.add("c", "n1", "optout", 7, now(), "200", "quorum", id="x")
    history.close()
    assert read(tmp_path / "history.jsonl") == history.operations
    assert [operation["op"] for operation in history.operations] == ["optout", "down"]
    assert all(one["invoke"] <= one["return"] for one in history.operations)
