"""DESIGN 10.2: `/readyz` and `/readyz?for=unsubscribe` tell a balancer the truth, on both ports.

The truth is what the node would do with the next request: answer `allow`, take an opt-out.
"""

import shutil
import signal
import subprocess
import sys
import time

import pytest

from api import Api, one_click
from cluster import BINARY, ROOT, address, call, eventually, exchange, free_block, quell, split

import http.client

sys.path.append(str(ROOT / "Tests" / "Live"))
from faults import Fault, built

BOUND = 5
CHECKS, OPT_OUTS = "/readyz", "/readyz?for=unsubscribe"


def said(node, path):
    """Status and words; both doors must say the same within a tick."""
    def agreed():
        doors = [call(door, "GET", path) for door in (node.admin, node.http)]
        told = {(answer.status, answer.text) for answer in doors}
        return told.pop() if len(told) == 1 else None
    return eventually(agreed, f"one answer to {path} on both ports", 5)


def becomes(node, path, status, word, seconds=10):
    """Waits until both doors say this status, in these words."""
    def is_said():
        answer = said(node, path)
        return answer[0] == status and word in answer[1]
    eventually(is_said, f"{path}: {status} {word!r}, not {said(node, path)}", seconds, every=0.05)


def test_voter_without_a_lease(fresh):
    """No majority confirms: past S checks are refused to the balancer, opt-outs are not."""
    three = fresh("--staleness-bound", f"{BOUND}s", nodes=3)
    node, others = three.nodes[0], three.nodes[1:]
    for path in (CHECKS, OPT_OUTS):
        assert said(node, path) == (200, "ready\n")
    for other in others:
        other.pause()
    try:
        becomes(node, CHECKS, 503, "older than the staleness bound", BOUND + 5)
        assert Api(node).decision(address()) == "unknown"
        assert said(node, OPT_OUTS) == (200, "ready\n")
        assert one_click(node, Api(node).token(address())).status == 200
        # Started again alone, it has no proof at all.
        node.kill()
        node.run(wait=False)
        eventually(lambda: quiet(node), "the node's ports")
        becomes(node, CHECKS, 503, "no lease")
        becomes(node, OPT_OUTS, 200, "ready")
    finally:
        for other in others:
            other.signal(signal.SIGCONT)
    becomes(node, CHECKS, 200, "ready")
    eventually(lambda: Api(node).decision(address()) == "allow", "an allow again")


def quiet(node):
    """True once both ports answer."""
    try:
        return all(call(door, "GET", "/livez").status == 200 for door in (node.admin, node.http))
    except OSError:
        return False


def test_learner_and_empty_node(fresh):
    """A wiped voter takes nothing before it has the catalog, and says ready only when it allows."""
    three = fresh("--staleness-bound", f"{BOUND}s", nodes=3)
    node = three.nodes[2]
    opted_out = [address() for _ in range(50)]
    for reader in opted_out:
        Api(three.nodes[0]).suppress(reader)
    node.kill()
    shutil.rmtree(node.data)
    for other in three.nodes[:2]:
        other.pause()
    try:
        node.run(wait=False)
        eventually(lambda: quiet(node), "the node's ports")
        for path in (CHECKS, OPT_OUTS):
            becomes(node, path, 503, "no tenant")
    finally:
        for other in three.nodes[:2]:
            other.signal(signal.SIGCONT)
    api = Api(node)
    end = time.monotonic() + 30
    while said(node, CHECKS)[0] != 200:
        assert time.monotonic() < end, said(node, CHECKS)
        answer = api.send("GET", f"/v1/check?stream=marketing&topic=news&address={opted_out[0]}")
        assert answer.status != 200 or b'"allow"' not in answer.body, answer
    # Ready: so a stranger is allowed, and nobody who opted out is.
    assert api.decision(address()) == "allow"
    assert {result["decision"] for result in api.check_many(opted_out)} == {"deny"}
    assert node.status()["role"] == "learner"
    assert said(node, OPT_OUTS)[0] == 200
    # A learner counts for no majority: with one other voter away it is without a proof soon.
    three.nodes[0].pause()
    try:
        becomes(node, CHECKS, 503, "older than the staleness bound", BOUND + 5)
        assert said(node, OPT_OUTS)[0] == 200
    finally:
        three.nodes[0].signal(signal.SIGCONT)
    becomes(node, CHECKS, 200, "ready")


def test_full_disk(fresh, tmp_path):
    """Opt-outs go elsewhere while the disk is full, and come back without anybody trying one."""
    made = fresh()
    node, api = made.node, Api(made.node)
    tokens = [link["token"] for link in api.links([address() for _ in range(9)])]
    assert node.stop() in (0, None)
    fault = Fault(built(tmp_path), tmp_path, 1, "ENOSPC", "log.mdb", sticky=True)
    node.run(env=fault.env)
    fault.arm()
    assert one_click(node, tokens[0]).status == 503
    becomes(node, OPT_OUTS, 503, "disk is full")
    assert said(node, CHECKS) == (200, "ready\n"), "checks need no room"
    before = len(fault.failed)
    # The node tries by itself, and still fails.
    eventually(lambda: len(fault.failed) > before + 1, "another trial of the disk", 10)
    assert said(node, OPT_OUTS)[0] == 503
    assert 'quell_node_writable_state 0' in call(node.admin, "GET", "/metrics").text
    fault.end()
    becomes(node, OPT_OUTS, 200, "ready")
    assert one_click(node, tokens[1]).status == 200


def test_draining(fresh):
    """From SIGTERM on, no new question is told to come here."""
    node = fresh().node
    links = [http.client.HTTPConnection(*split(door), timeout=10)
             for door in (node.admin, node.http)]
    for link in links:
        assert exchange(link, "GET", CHECKS).status == 200
    # A client that has not finished keeps the node draining.
    host, port = split(node.http)
    slow = http.client.HTTPConnection(host, port, timeout=10)
    slow.putrequest("POST", "/v1/import?stream=marketing&topic=news")
    for name, value in (("Authorization", f"Bearer {node.cluster.api_key}"),
                        ("Content-Type", "text/csv"), ("Content-Length", "100000")):
        slow.putheader(name, value)
    slow.endheaders(b"address\n")
    node.signal(signal.SIGTERM)
    refused = []

    def ended():
        for door in (node.admin, node.http):
            for path in (CHECKS, OPT_OUTS):
                try:
                    refused.append(call(door, "GET", path, timeout=2).status != 200)
                except (OSError, http.client.HTTPException):
                    refused.append(True)
        return len(refused) >= 400 or all(refused[-8:]) and len(refused) >= 40
    eventually(ended, "refusals only", 5)
    first = refused.index(True)
    assert all(refused[first:]), "ready again after it was not"
    for link in (*links, slow):
        link.close()
    node.reap(seconds=10)


def test_nothing_is_known_yet(tmp_path):
    """An empty node that joins nobody has no keys: it would answer 404 to a valid link."""
    assert quell("init", tmp_path / "keys").returncode == 0
    base = free_block()
    with open(tmp_path / "log", "wb") as log:
        child = subprocess.Popen([
            str(BINARY), "serve", "--name", "n9", "--data", str(tmp_path / "data"), "--zone", "z9",
            "--base-port", str(base), "--cluster-key", str(tmp_path / "keys" / "cluster.key"),
            "--join", f"127.0.0.1:{base + 7}"], cwd="/", env={}, stdin=subprocess.DEVNULL,
            stdout=log, stderr=log)
    try:
        node = type("Doors", (), {
            "http": f"127.0.0.1:{base}", "admin": f"127.0.0.1:{base + 1}"})
        eventually(lambda: quiet(node), "the node's ports")
        for path in (CHECKS, OPT_OUTS):
            becomes(node, path, 503, "no tenant")
    finally:
        child.terminate()
        assert child.wait(timeout=10) == 0


@pytest.mark.parametrize("path", [CHECKS, OPT_OUTS])
def test_other_questions(node, path):
    """HEAD answers as GET, and what else is asked for is answered as for checks."""
    assert call(node.http, "HEAD", path).status == 200
    assert call(node.http, "GET", "/readyz?for=checks").status == 200
