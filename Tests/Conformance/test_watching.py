"""DESIGN 10.5 and issue 4: what an operator sees of writes on their way, in status and metrics."""

import json
import re
import signal

import pytest

from api import Api, one_click
from cluster import address, call, eventually, quell

CLICKS = 20


@pytest.fixture
def three(fresh):
    """Three voters in three zones."""
    return fresh("--staleness-bound", "5s", nodes=3)


def sample(node, name):
    """One number of the node's /metrics, by name and labels."""
    text = call(node.admin, "GET", "/metrics").text
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)
    assert found, f"{name} is not in\n{text}"
    return float(found[1])


def clicks(node, count):
    """So many opt-outs; the durabilities that their answers name."""
    answers = [one_click(node, Api(node).token(address())) for _ in range(count)]
    assert {answer.status for answer in answers} == {200}, answers
    return {answer.header("quell-durability") for answer in answers}


def behind(node, peer):
    """How far the node says the peer is behind."""
    return next(p["behind"] for p in node.status()["peers"] if p["name"] == peer.name)


def printed(cluster, *flags):
    """`quell status`: exit code and output."""
    done = quell("status", "--cluster", cluster.file, *flags)
    return done.returncode, done.stdout


def test_spread(three):
    """Time to visible on every node, receipts, acknowledgments by durability."""
    n1, n2, n3 = three.nodes
    before = sample(n1, "quell_write_visible_seconds_count")
    assert clicks(n1, CLICKS) == {"quorum"}
    eventually(
        lambda: sample(n1, "quell_write_visible_seconds_count") >= before + CLICKS,
        "every click seen on every node", 10)
    assert sample(n1, 'quell_write_acknowledged_total{durability="quorum"}') >= CLICKS
    assert sample(n1, 'quell_write_acknowledged_total{durability="local"}') == 0
    assert sample(n1, 'quell_peer_receipts_total{direction="received"}') >= 2 * CLICKS
    for other in (n2, n3):
        assert sample(other, 'quell_peer_receipts_total{direction="sent"}') >= CLICKS
        assert sample(other, "quell_write_visible_seconds_count") <= before + 1
    for node in three.nodes:
        for other in three.nodes:
            if other is not node:
                eventually(lambda: behind(node, other) == 0, f"{other.name} has what {node.name}"
                           " has", 10)
                for name in ("behind", "lacking"):
                    assert sample(
                        node, f'quell_peer_{name}_changes{{peer="{other.name}"}}') == 0
        assert sample(node, "quell_write_owed_changes") == 0
        assert sample(node, "quell_write_unseen_seconds") == 0


def test_a_peer_that_stands_still(three):
    """Behind counts what a stopped peer has not confirmed; everybody knows, and it ends."""
    n1, n2, n3 = three.nodes
    eventually(lambda: behind(n1, n3) == 0 and behind(n2, n3) == 0, "n3 has all", 15)
    n3.pause()
    try:
        assert clicks(n1, CLICKS) == {"quorum"}
        assert behind(n1, n3) == CLICKS and behind(n1, n2) == 0
        eventually(lambda: behind(n2, n3) == CLICKS, "n2 knows as well", 5)
        assert sample(n1, 'quell_peer_behind_changes{peer="n3"}') == CLICKS
        eventually(
            lambda: sample(n1, "quell_write_unseen_seconds") > 0.3 or behind(n1, n3) == 0,
            "the age of the oldest unseen write", 5)
        assert behind(n1, n3) == CLICKS
    finally:
        n3.signal(signal.SIGCONT)
    eventually(lambda: behind(n1, n3) == 0 and behind(n2, n3) == 0, "n3 has all", 15)


def test_what_is_owed(three):
    """Writes answered `local` are owed until a majority has them, also over a restart."""
    n1, n2, n3 = three.nodes
    for other in (n2, n3):
        other.pause()
    try:
        assert clicks(n1, 2) == {"local"}
        assert n1.status()["owed"] == 2
        assert sample(n1, "quell_write_owed_changes") == 2
        assert sample(n1, 'quell_write_acknowledged_total{durability="local"}') == 2
        n1.kill()
        n1.run(wait=False)
        eventually(lambda: quiet(n1), "n1's admin port")
        assert n1.status()["owed"] >= 2, "forgotten by the restart"
    finally:
        for other in (n2, n3):
            other.signal(signal.SIGCONT)
    eventually(lambda: n1.status()["owed"] == 0, "a majority has what was owed", 15)
    eventually(lambda: printed(three)[0] == 0, "equal", 15)
    assert "nothing owed" in printed(three)[1]


def quiet(node):
    """True once the admin port answers."""
    try:
        return call(node.admin, "GET", "/livez").status == 200
    except OSError:
        return False


def test_equal_right_after_a_write(three):
    """`equal` is not false merely because a checkpoint is a tenth of a second late."""
    for turn in range(8):
        assert clicks(three.nodes[turn % 3], 1) == {"quorum"}
        code, text = printed(three, "--json")
        status = json.loads(text)
        assert code == 0 and status["equal"] is True, text
        assert 1 <= status["asked"] <= 6


def test_debts_in_words(three):
    """`quell status` names who is behind and what is owed."""
    n1, n2, n3 = three.nodes
    for other in (n2, n3):
        other.pause()
    clicks(n1, 1)
    n3.signal(signal.SIGCONT)
    n2.kill()
    eventually(lambda: n1.status()["owed"] == 0, "n3 has it too", 15)
    eventually(lambda: any(
        peer["name"] == "n2" and peer["state"] == "unreachable"
        for peer in n1.status()["peers"]), "n2 is gone", 15)
    code, text = printed(three)
    line = next(line for line in text.splitlines() if line.startswith("n1\t"))
    assert code == 2 and re.search(r"\tn2 [1-9]\d* behind\t", line), text
