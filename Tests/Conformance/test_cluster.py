"""DESIGN 5, 6 and 10.1 with three voters: acknowledged means on a majority, allow means fresh."""

import concurrent.futures
import json

import shutil
import signal
import time

import pytest

from api import Api, one_click
from cluster import address, eventually, quell

BOUND = 5


@pytest.fixture
def three(fresh):
    """Three voters in three zones."""
    return fresh("--staleness-bound", f"{BOUND}s", nodes=3)


def apis(cluster):
    return [Api(node) for node in cluster.nodes]


def denied_everywhere(cluster, readers):
    for api in apis(cluster):
        decisions = [result["decision"] for result in api.check_many(readers)]
        if set(decisions) != {"deny"}:
            return False
    return True


def test_shape(three):
    """`dev` starts N real node processes (ports B, B+10, ...; zones z1, z2, ...; voters)."""
    assert [node.name for node in three.nodes] == ["n1", "n2", "n3"]
    every = [node.status() for node in three.nodes]
    assert [status["zone"] for status in every] == ["z1", "z2", "z3"]
    assert {status["role"] for status in every} == {"voter"}
    for status in every:
        assert len(status["peers"]) == 2
        assert {peer["state"] for peer in status["peers"]} == {"alive"}
        assert all(peer["rtt_ms"] > 0 for peer in status["peers"])
    printed = quell("status", "--json", "--cluster", str(three.file))
    assert printed.returncode in (0, 1) and len(json.loads(printed.stdout)["nodes"]) == 3


def test_every_node_takes_and_denies(three):
    """Gossip carries every change to all nodes; equal sets give equal digests."""
    every = apis(three)
    readers = []
    for n in range(60):
        reader = address()
        answer = one_click(three.nodes[n % 3], every[0].token(reader))
        assert answer.status == 200 and answer.header("quell-durability") == "quorum"
        readers.append(reader)
        assert every[n % 3].decision(reader) == "deny"
    eventually(lambda: denied_everywhere(three, readers), "a denial on every node")
    three.settle(20)


def test_kill_each_in_turn(three):
    """Kill -9 each node in turn: the others go on, nothing durable is lost, it catches up."""
    readers = []
    for victim in range(3):
        three.nodes[victim].kill()
        alive = [n for n in range(3) if n != victim]
        for n in range(40):
            node = three.nodes[alive[n % 2]]
            reader = address()
            answer = one_click(node, Api(node).token(reader))
            assert answer.status == 200, answer
            if answer.header("quell-durability") == "quorum":
                readers.append(reader)
        for other in alive:
            assert Api(three.nodes[other]).decision(address()) == "allow"
        three.nodes[victim].run()
        three.nodes[victim].wait_ready()
        assert all(Api(three.nodes[victim]).decision(r) == "deny" for r in readers)
    assert len(readers) > 100
    three.settle(20)


def test_isolated_node(three):
    """Two of three voters stopped: `available` answers local or 503, and after S nothing unknown is
    allowed; after healing all is durable everywhere."""
    for node in three.nodes[1:]:
        node.pause()
    stopped = time.monotonic()
    try:
        api = Api(three.nodes[0])
        known, reader = address(), address()
        answer = one_click(three.nodes[0], api.token(reader))
        assert answer.status == 200 and answer.header("quell-durability") == "local"
        strict = api.send("POST", "/v1/suppressions", {
            "address": known, "stream": "marketing", "topic": "news"})
        assert strict.status == 503 and strict.header("retry-after")
        time.sleep(max(0, stopped + BOUND + 1.5 - time.monotonic()))
        assert api.decision(reader) == "deny"
        assert api.decision(known) == "deny"
        assert api.decision(address()) == "unknown"
        assert api.send("GET", "/readyz").status == 503
        assert api.send("GET", "/readyz?for=unsubscribe").status == 200
        assert stale_in_resp(three) == "raised"
    finally:
        for node in three.nodes[1:]:
            node.signal(signal.SIGCONT)
    eventually(lambda: denied_everywhere(three, [reader, known]), "healing", seconds=10)
    eventually(lambda: api.decision(address()) == "allow", "a lease again", seconds=10)
    three.settle(20)


def stale_in_resp(cluster):
    """A stale answer in RESP is an error that redis-py raises; the positive form says nil."""
    import redis
    host, port = cluster.nodes[0].resp.split(":")
    client = redis.Redis(host=host, port=int(port), username="demo", password=cluster.api_key)
    assert client.get(f"allow:marketing:news:{address()}") is None
    try:
        client.sismember("marketing:news", address())
    except redis.ResponseError as error:
        assert "STALE" in str(error)
        return "raised"
    return "answered"


def test_paused_longer_than_the_bound(three):
    """SIGSTOP longer than S with checks waiting in the socket: no allow."""
    node = three.nodes[2]
    reader = address()
    node.pause()
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        waiting = [pool.submit(Api(node).decision, reader) for _ in range(20)]
        time.sleep(0.3)
        answer = one_click(three.nodes[0], Api(three.nodes[0]).token(reader))
        assert answer.header("quell-durability") == "quorum"
        time.sleep(BOUND + 1)
        node.signal(signal.SIGCONT)
        decisions = [future.result() for future in waiting]
    assert "allow" not in decisions, decisions
    eventually(lambda: Api(node).decision(reader) == "deny", "the opt-out on the paused node")


def test_registers_reach_every_node(three):
    """Registers over the cluster: a topic added on one node is known on all."""
    flags = ("--cluster", str(three.file), "--tenant", "demo")
    added = quell("topic", "add", "weekly", "--stream", "marketing", *flags)
    assert added.returncode == 0, added
    reader = address()

    def known(api):
        return api.send("POST", "/v1/check", {
            "stream": "marketing", "topic": "weekly", "addresses": [reader]}).status == 200

    eventually(lambda: all(known(api) for api in apis(three)), "the topic on every node")


def test_import_reaches_every_node(three, tmp_path):
    """A list imported on one node is denied by all of them, also by one that was away."""
    readers = [f"list{n}@people.example" for n in range(20_000)]
    file = tmp_path / "list.csv"
    file.write_text("address\n" + "\n".join(readers))
    three.nodes[2].kill()
    done = quell("import", str(file), "--cluster", str(three.file),
                 "--stream", "marketing", "--topic", "news", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["accepted"] == 20_000
    assert {r["decision"] for r in Api(three.nodes[0]).check_many(readers)} == {"deny"}
    three.nodes[2].run()
    three.nodes[2].wait_ready()
    assert {r["decision"] for r in Api(three.nodes[2]).check_many(readers)} == {"deny"}
    three.settle(20)


def test_wiped_voter_vouches_for_nobody(three):
    """Wipe the disk of a voter that holds a write, lose another: no allow anywhere for it."""
    reader = address()
    three.nodes[2].kill()
    answer = one_click(three.nodes[0], Api(three.nodes[0]).token(reader))
    assert answer.header("quell-durability") == "quorum"  # on n1 and n2
    three.nodes[0].kill()
    shutil.rmtree(three.nodes[0].data)
    three.nodes[1].kill()
    three.nodes[0].run(wait=False)
    three.nodes[2].run(wait=False)
    # An empty n1 and an n3 that missed the write: together they must not allow, nor found anything.
    deadline = time.monotonic() + BOUND + 3
    while time.monotonic() < deadline:
        for node in (three.nodes[0], three.nodes[2]):
            try:
                assert Api(node).decision(reader) != "allow"
            except (OSError, AssertionError) as error:
                if isinstance(error, AssertionError) and "allow" in str(error):
                    raise
        time.sleep(0.2)
    three.nodes[1].run()
    last = Api(three.nodes[2])
    eventually(lambda: last.decision(reader) == "deny", "the write on n3", seconds=15)
    assert three.nodes[0].status()["role"] == "learner"
