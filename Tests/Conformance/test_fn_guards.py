"""DESIGN 9: a deployed check is asked at every listener and can only tighten; a version that fails
is answered for in the same request; a late joiner fetches what is active and withholds until then.
"""

import json
import shutil

import pytest
import redis

from api import Api, one_click, visit
from cluster import Cluster, address, call, eventually, is_running, split
from fn import LATER, deploy, edit, fn, function, get, greet, greets, shipped

ALL = "decide(_ item: CheckItem, nowMillis: UInt64) -> Decision { .allow }"


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Three voters of this file's own."""
    with Cluster(tmp_path_factory.mktemp("fn") / "dev", "--loops", "1", nodes=3) as cluster:
        yield cluster


def check_function(folder, body):
    """The shipped check with another decision."""
    made = shipped("check", folder)
    edit(made, "Sources/Check.swift", ALL, ALL.replace("{ .allow }", "{\n" + body + "\n    }"))
    edit(made, "function.yaml", "version: 1.0.0", "version: 2.0.0")
    return made


def resp(cluster, node):
    """A client of a node's RESP listener."""
    host, port = split(node.resp)
    return redis.Redis(
        host, port, username="demo", password=cluster.api_key, decode_responses=True)


def test_a_check_is_asked_at_every_listener(three, tmp_path):
    """An active deployed `check` is asked at every listener, RESP and batch included."""
    folder = check_function(
        tmp_path, "        item.recipient.low % 2 == 0 ? .deny : .allow")
    readers = [address() for _ in range(64)]
    before = Api(three.node).check_many(readers)
    assert {result["decision"] for result in before} == {"allow"}
    done = deploy(three, folder)
    assert function(three.node, "check")["digest"] == done["digest"]
    said = []
    for node in three.nodes:
        api = Api(node)
        batch = [result["decision"] for result in api.check_many(readers)]
        single = [api.decision(reader) for reader in readers]
        client = resp(three, node)
        positive = client.mget([f"allow:marketing:news:{reader}" for reader in readers])
        compatible = [client.sismember("marketing:news", reader) for reader in readers]
        assert batch == single
        assert [one is not None for one in positive] == [word == "allow" for word in batch]
        assert [not one for one in compatible] == [word == "allow" for word in batch]
        said.append(batch)
    assert said[0] == said[1] == said[2]
    assert 8 < said[0].count("deny") < 56
    back = json.loads(fn(three, "rollback", "check", "--json"))
    assert back["digest"] is None
    for node in three.nodes:
        assert {one["decision"] for one in Api(node).check_many(readers)} == {"allow"}


def test_a_check_that_allows_the_suppressed_is_overruled(three, tmp_path):
    """Monotone guard: a check function may turn allow into deny, never deny into allow."""
    deploy(three, check_function(tmp_path, "        _ = item\n        return .allow"))
    api = Api(three.node)
    reader = address()
    assert one_click(three.node, api.token(reader)).status == 200
    for node in three.nodes:
        eventually(lambda node=node: Api(node).decision(reader) == "deny", "a denial")
    found = call(
        three.node.admin, "GET", "/v1/functions",
        headers={"Authorization": f"Bearer {three.admin_key}"}).json()
    row = next(one for one in found["functions"] if one["name"] == "check")
    assert row["overruled"] > 0


def test_a_failing_check_denies_and_is_named(three, tmp_path):
    """`check` ends in deny; the error is named in `fn status`."""
    folder = check_function(
        tmp_path,
        f"        if {LATER} {{ while true {{}} }}\n        return .allow")
    deploy(three, folder)
    try:
        for node in three.nodes:
            assert Api(node).decision(address()) == "deny"
        status = fn(three, "status", "check")
        assert "last error: deadline" in status, status
        # After a few of them nobody waits for the deadline any more.
        for _ in range(5):
            assert Api(three.node).decision(address()) == "deny"
        assert all(is_running(node.pid) for node in three.nodes)
    finally:
        fn(three, "rollback", "check")


BAD = {
    "loop": "while true {}",
    "trap": "let none: [UInt8] = []; body.append(none[request.path.count])",
    "memory": "for n in 0..<10_000_000 { body.append(UInt8(truncatingIfNeeded: n)) }",
    "deep": "body.append(UInt8(truncatingIfNeeded: deep(request.path.count)))",
    "status": "return Response(status: 302, contentType: body, body: body)",
    "stages": "context.suppress(.tenant, .unsubscribe)",
}


def test_a_failing_version_falls_back_in_the_same_request(three, tmp_path):
    """Trap, deadline, bad response -> last good version; never a failed request, a dead node."""
    deploy(three, greet(tmp_path))
    folder = greet(tmp_path)
    cases = "\n".join(
        f'if request.path.equals("{word}") {{ {code} }}' for word, code in BAD.items())
    edit(folder, "Sources/Greet.swift", 'body.append("Hello, ")',
         cases + '\nbody.append("Second, ")')
    edit(folder, "Sources/Greet.swift", "enum Greet {",
         "@inline(never) func deep(_ n: Int) -> Int { n == .max ? 0 : 1 + deep(n + 1) }\n"
         "enum Greet {")
    for file in ("hello", "nobody"):
        edit(folder, f"fixtures/{file}.txt", "Hello,", "Second,")
    deploy(three, folder)
    words = list(BAD)
    # Five failures open a node's breaker, and two such voters take a version back: one has all six.
    for node, some in zip(three.nodes, (words, words[2:], words[:4])):
        for count, word in enumerate(some):
            assert greets(node, f"Hello, {word}!\n", f"/f/greet/{word}"), (
                word, get(node, f"/f/greet/{word}"))
            # A good call between two failures keeps the breaker closed, up to the fifth.
            assert count >= 4 or greets(node, "Second, Ada!\n"), word
        assert is_running(node.pid)
    status = fn(three, "status", "greet")
    assert "last error: " in status
    for _ in range(10):
        assert greets(three.node, "Hello, trap!\n", "/f/greet/trap")
    found = call(
        three.node.admin, "GET", "/v1/functions",
        headers={"Authorization": f"Bearer {three.admin_key}"}).json()
    failures = next(
        one for one in found["functions"] if one["name"] == "greet")["failures"]
    assert failures["breaker_open"] >= 5 and failures["deadline"] >= 1 and failures["trap"] >= 1
    # Open, everything goes to the version before.
    assert greets(three.node, "Hello, Ada!\n")


def test_a_failing_unsubscribe_ends_in_the_built_in(three, tmp_path):
    """`unsubscribe` ends in the built-in; no opt-out is lost."""
    folder = shipped("unsubscribe", tmp_path)
    edit(folder, "Sources/Unsubscribe.swift", "switch request.outcome {",
         f"if request.{LATER} {{ fatalError() }}\n        "
         "switch request.outcome {")
    edit(folder, "function.yaml", "version: 1.0.0", "version: 3.0.0")
    deploy(three, folder)
    try:
        for node in three.nodes:
            api = Api(node)
            reader = address()
            assert "<h1>Unsubscribe</h1>" in visit(node, "GET", api.token(reader)).text
            answer = one_click(node, api.token(reader))
            assert answer.status == 200 and answer.header("quell-durability") == "quorum"
            eventually(lambda: api.decision(reader) == "deny", "the opt-out")
        assert "last error: trap" in fn(three, "status", "unsubscribe")
    finally:
        fn(three, "rollback", "unsubscribe")


def test_a_late_joiner_withholds_until_it_has_the_check(three, tmp_path):
    """Late joiners fetch active artifacts from any peer."""
    done = deploy(three, check_function(tmp_path, "        _ = item\n        return .deny"))
    node = three.nodes[2]
    try:
        node.stop()
        shutil.rmtree(f"{node.data}/functions")
        node.run(wait=False)
        seen = set()

        def has_it():
            try:
                seen.add(Api(node).decision(address()))
            except (OSError, AssertionError):
                return False
            one = function(node, "check")
            return one and one["digest"] == done["digest"]

        eventually(has_it, "the check on n3", seconds=30, every=0.02)
        assert seen <= {"deny", "unknown"}, seen
        assert Api(node).decision(address()) == "deny"
    finally:
        fn(three, "rollback", "check")
    assert Api(node).decision(address()) == "allow"
