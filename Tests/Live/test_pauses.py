"""SIGSTOP: nodes that stand still, with questions waiting in their sockets, under load or idle."""

import signal
import time

import pytest

import dial
import stall
from api import Api, one_click
from clients import Crowd, People
from cluster import address, eventually, split
from outcome import BOUND, checked

FLAGS = ("--staleness-bound", f"{BOUND}s")


@pytest.mark.parametrize("policy", ["available", "strict"])
def test_two_stopped_under_load(fresh, history, figure, policy):
    """Two of three voters stopped (SIGSTOP), S = 5 s: the remaining node answers one-click 200
    `local` (`available`) or 503 (`strict`); check turns `unknown` for unmarked people after S;
    after healing all durable, digests equal, nothing lost."""
    cluster = fresh(*FLAGS, "--policy", policy, nodes=3)
    crowd = Crowd(cluster, history, People(Api(cluster.node), 20_000))

    def strike():
        time.sleep(1)
        for node in cluster.nodes[1:]:
            node.pause()
        try:
            time.sleep(BOUND + 2)
            assert Api(cluster.node).decision(address()) == "unknown"
        finally:
            for node in cluster.nodes[1:]:
                node.signal(signal.SIGCONT)
        api = Api(cluster.node)
        eventually(lambda: api.decision(address()) == "allow", "a lease again", 15)

    crowd.run(32, 6, strike)
    cluster.settle()
    crowd.finish()
    checker = checked(history, cluster, BOUND, figure)
    # A stopped node wakes long after its deadline and may refuse; the one that went on may not.
    local = checker.count("optout", "200", "local", node="n1")
    refused = checker.count("optout", "503", node="n1")
    if policy == "available":
        assert local and not refused
    else:
        assert refused and not local
    assert checker.count("optout", "200", "quorum") > 500 and checker.count("check", "unknown")


def resp(*words):
    """One RESP command."""
    parts = [f"*{len(words)}\r\n"]
    parts += [f"${len(word)}\r\n{word}\r\n" for word in words]
    return "".join(parts).encode()


QUESTIONS = {
    "GET": lambda reader: resp("GET", f"allow:marketing:news:{reader}"),
    "EXISTS": lambda reader: resp("EXISTS", f"allow:marketing:news:{reader}"),
    "MGET": lambda reader: resp("MGET", f"allow:marketing:news:{reader}"),
    "SISMEMBER": lambda reader: resp("SISMEMBER", "marketing:news", reader),
    "SMISMEMBER": lambda reader: resp("SMISMEMBER", "marketing:news", reader),
}
# What would mean: send.
ALLOWS = {
    "GET": b"$1\r\n1\r\n", "EXISTS": b":1\r\n", "MGET": b"*1\r\n$1\r\n1\r\n",
    "SISMEMBER": b":0\r\n", "SMISMEMBER": b"*1\r\n:0\r\n"}


def connected(cluster, node):
    """A RESP connection with its key shown."""
    link = dial.connect(*split(node.resp), 30)
    link.sendall(resp("AUTH", "demo", cluster.api_key))
    assert link.recv(64) == b"+OK\r\n"
    return link


def test_resp_waits_longer_than_the_bound(fresh, figure):
    """SIGSTOP longer than S with checks waiting in the socket: no allow, in RESP either."""
    cluster = fresh(*FLAGS, nodes=3)
    node, reader, stranger = cluster.nodes[2], address(), address()
    links = [(word, connected(cluster, node)) for word in QUESTIONS for _ in range(4)]
    for word, link in links:
        link.sendall(QUESTIONS[word](stranger))
        assert link.recv(64) == ALLOWS[word], f"the form that allows has changed: {word}"
    node.pause()
    try:
        for word, link in links:
            link.sendall(QUESTIONS[word](reader))
        answer = one_click(cluster.node, Api(cluster.node).token(reader))
        assert answer.header("quell-durability") == "quorum"
        time.sleep(BOUND + 1)
    finally:
        node.signal(signal.SIGCONT)
    said = {}
    for word, link in links:
        reply = link.recv(256)
        said[reply] = said.get(reply, 0) + 1
        assert reply and reply != ALLOWS[word], (word, reply)
        link.close()
    figure(str(said))
    eventually(lambda: Api(node).decision(reader) == "deny", "the opt-out on the paused node")


def test_one_loop_stalled(fresh, figure):
    """One serving loop stalled while the node loop runs: what waits in it for longer than S is
    answered with what became durable meanwhile, never allowed; the other loop goes on."""
    if not stall.may_trace():
        pytest.skip("this machine lets nobody trace a thread (ptrace_scope)")
    cluster = fresh(*FLAGS, "--loops", "2", nodes=3)
    node, reader = cluster.nodes[2], address()
    idle = [connected(cluster, node) for _ in range(32)]
    with stall.stalled(node.pid, "serving-0"):
        answer = one_click(cluster.node, Api(cluster.node).token(reader))
        assert answer.header("quell-durability") == "quorum"
        for link in idle:
            link.sendall(QUESTIONS["GET"](reader))
        time.sleep(BOUND + 1)
        early = []
        for link in idle:
            link.settimeout(0.05)
            try:
                early.append((link, link.recv(64)))
            except TimeoutError:
                early.append((link, b""))
        waiting = [link for link, got in early if not got]
        prompt = [got for _, got in early if got]
        assert waiting, "no connection was on the stalled loop"
        assert prompt and set(prompt) == {b"$-1\r\n"}, prompt
        assert Api(cluster.nodes[0]).decision(reader) == "deny"
    late = []
    for link in waiting:
        link.settimeout(10)
        late.append(link.recv(64))
    assert set(late) == {b"$-1\r\n"}, late
    figure(f"one loop stalled for {BOUND + 1} s: {len(prompt)} answered at once, "
           f"{len(late)} after it, none allowed")
    for link in idle:
        link.close()
