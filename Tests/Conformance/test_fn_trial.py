"""DESIGN 9: `--canary 10` is sticky by recipient hash; shadow compares decisions with effects
discarded, and an allow where the active version says deny blocks promotion; automatic revert by
votes of a majority of voters; two activations at once.
"""

import concurrent.futures
import json

import pytest

from api import Api, one_click, visit
from cluster import Cluster, address, call, eventually, is_running
from fn import LATER, admin, deploy, edit, fn, function, get, greet, greets, runs, shipped
from test_fn_guards import check_function, resp


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Three voters of this file's own."""
    with Cluster(tmp_path_factory.mktemp("fn") / "dev", "--loops", "1", nodes=3) as cluster:
        yield cluster


def told(cluster, *arguments, code=0):
    """`quell fn ... --json`, decoded."""
    return json.loads(fn(cluster, *arguments, "--json", code=code))


def metrics(node):
    """A node's numbers."""
    return call(node.admin, "GET", "/metrics").text


def activation(cluster, name):
    """What the register of a function says, as n1 sees it."""
    rows = admin(cluster, cluster.node).json()["activations"]
    return next(row for row in rows if row["name"] == name)


def tried(node, folder=None, count=200):
    """Whose greeting is the canary's."""
    people = [f"p{n}" for n in range(count)]
    said = {who: get(node, f"/f/greet/{who}") for who in people}
    assert {answer.status for answer in said.values()} == {200}
    return {who for who in people if said[who].text.startswith("New")}


def breaking(folder, code):
    """A next version of greet that runs this code instead, later than any fixture's time."""
    made = greet(folder)
    edit(made, "Sources/Greet.swift", 'body.append("Hello, ")',
         f'if request.{LATER} {{ {code} }}\nbody.append("Hello, ")')
    edit(made, "function.yaml", "version: 0.1.0", "version: 0.6.6")
    return made


def test_canary(three, tmp_path):
    """A canary answers its share, the same people on every node; promote, rollback, status."""
    first = deploy(three, greet(tmp_path))
    folder = greet(tmp_path, "New")
    canary = told(three, "deploy", str(folder), "--canary", "10")
    assert canary["digest"] == first["digest"] and canary["percent"] == 10
    assert canary["nodes"] == [{"name": f"n{n}", "state": "canary"} for n in (1, 2, 3)]
    few = tried(three.node)
    assert 5 <= len(few) <= 45, few
    assert tried(three.nodes[1]) == few and tried(three.nodes[2]) == few
    text = fn(three, "status", "greet")
    assert f"canary {canary['canary'][:12]} for 10 %" in text, text
    more = told(three, "canary", "greet", "60")
    assert more["generation"] == canary["generation"] + 1
    many = tried(three.node)
    assert few < many and 80 <= len(many) <= 160
    told(three, "canary", "greet", "0")
    assert tried(three.node) == set()
    told(three, "canary", "greet", "10", "--digest", canary["canary"])
    assert tried(three.node) == few
    assert told(three, "rollback", "greet")["digest"] == first["digest"]
    assert tried(three.node) == set()
    told(three, "canary", "greet", "10", "--digest", canary["canary"])
    done = told(three, "promote", "greet")
    assert done["digest"] == canary["canary"]
    for node in three.nodes:
        assert len(tried(node)) == 200
    assert "is on trial" in fn(three, "promote", "greet", code=64)


def test_a_canary_for_links_and_checks_is_sticky_by_recipient(three, tmp_path):
    """The token's recipient, the checked recipient: on every node and through every listener."""
    deny = check_function(tmp_path, "        _ = item\n        return .deny")
    told(three, "deploy", str(deny), "--canary", "30")
    readers = [address() for _ in range(100)]
    batch = [one["decision"] for one in Api(three.node).check_many(readers)]
    assert 10 <= batch.count("deny") <= 55
    for node in three.nodes:
        api = Api(node)
        assert [one["decision"] for one in api.check_many(readers)] == batch
        assert [api.decision(reader) for reader in readers[:20]] == batch[:20]
        found = resp(three, node).mget([f"allow:marketing:news:{reader}" for reader in readers])
        assert ["deny" if one is None else "allow" for one in found] == batch
    told(three, "canary", "check", "0")
    assert {one["decision"] for one in Api(three.node).check_many(readers)} == {"allow"}
    page = shipped("unsubscribe", tmp_path)
    edit(page, "Sources/Words.swift", '"Unsubscribe"', '"Really stop?"')
    edit(page, "function.yaml", "version: 1.0.0", "version: 9.0.0")
    told(three, "deploy", str(page), "--canary", "40")
    api = Api(three.node)
    tokens = [api.token(reader) for reader in readers[:40]]
    seen = [["Really stop?" in visit(node, "GET", token).text for token in tokens]
            for node in three.nodes]
    assert seen[0] == seen[1] == seen[2] and 4 <= sum(seen[0]) <= 32
    assert all(one_click(three.node, token).status == 200 for token in tokens)
    for reader in readers[:40]:
        eventually(lambda reader=reader: api.decision(reader) == "deny", "the opt-out", every=0.02)
    told(three, "canary", "unsubscribe", "0")


def test_a_canary_that_always_traps(three, tmp_path):
    """A 10 % canary that always traps: failed requests 0, and it is reverted by itself."""
    first = deploy(three, greet(tmp_path))
    bad = breaking(tmp_path, "fatalError()")
    canary = told(three, "deploy", str(bad), "--canary", "10")
    asked = 0
    for count in range(3_000):
        node = three.nodes[count % 3]
        answer = get(node, f"/f/greet/p{count}")
        assert (answer.status, answer.text) == (200, f"Hello, p{count}!\n")
        asked += 1
        if count % 50 == 0 and "reverted" in activation(three, "greet"):
            break
    row = activation(three, "greet")
    print(f"{asked} requests, 0 failed, reverted in generation {row['generation']}")
    assert row["reverted"]["digest"] == canary["canary"], row
    assert row["digest"] == first["digest"] and "trial" not in row
    assert len(row["reverted"]["votes"]) >= 2
    for vote in row["reverted"]["votes"]:
        assert vote["node"] in ("n1", "n2", "n3") and vote["cause"] == "trap"
        assert vote["failed"] >= 3
    text = fn(three, "status", "greet")
    assert f"voters took back {canary['canary'][:12]}" in text, text
    assert ": trap, " in text
    for node in three.nodes:
        eventually(lambda node=node: function(node, "greet")["generation"] == row["generation"],
                   "the generation of the revert", every=0.05)
        assert 'quell_function_reverted_state{function="greet"} 1' in metrics(node)
        assert is_running(node.pid)
    assert any("taken back by votes" in node.log.read_text(errors="replace")
               for node in three.nodes)


def test_a_fresh_version_that_breaks_goes_back(three, tmp_path):
    """Automatic revert: a new generation names the previous digest; the next deploy ends it."""
    first = deploy(three, greet(tmp_path))
    bad = breaking(tmp_path, "while true {}")
    second = deploy(three, bad)
    for count in range(1_000):
        assert greets(three.nodes[count % 3], f"Hello, p{count}!\n", f"/f/greet/p{count}")
        if count % 10 == 0 and "reverted" in activation(three, "greet"):
            break
    row = activation(three, "greet")
    assert row["reverted"]["digest"] == second["digest"]
    assert row["digest"] == first["digest"] and row["generation"] == second["generation"] + 1
    assert row["previous"] is None
    assert {vote["cause"] for vote in row["reverted"]["votes"]} == {"deadline"}
    for node in three.nodes:
        runs(node, "greet", first["digest"])
    third = deploy(three, greet(tmp_path, "New"))
    assert third["generation"] == row["generation"] + 1
    assert "reverted" not in activation(three, "greet")


def test_a_check_never_goes_back_to_none(three, tmp_path):
    """`check` ends in deny: a first version that breaks is not taken back to no check at all."""
    folder = check_function(
        tmp_path,
        f"        if {LATER} {{ fatalError() }}\n        return .allow")
    done = deploy(three, folder)
    try:
        for count in range(60):
            assert Api(three.nodes[count % 3]).decision(address()) == "deny"
        eventually(
            lambda: {one["node"]: one["broken"] for one in activation(three, "check")["reports"]}
            == {"n1": True, "n2": True, "n3": True}, "three votes on n1", every=0.05)
        assert activation(three, "check")["generation"] == done["generation"]
    finally:
        fn(three, "rollback", "check")


def test_a_shadow_that_loosens_is_not_promoted(three, tmp_path):
    """Shadow: decisions compared; an allow where the active says deny blocks promotion."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    odd = "        item.recipient.low % 2 == 0 ? .deny : .allow"
    first = deploy(three, check_function(tmp_path / "a", odd))
    loose = check_function(tmp_path / "b", "        _ = item\n        return .allow")
    edit(loose, "function.yaml", "version: 2.0.0", "version: 3.0.0")
    shadow = told(three, "shadow", "check", str(loose), "--percent", "100")
    assert shadow["digest"] == first["digest"] and shadow["percent"] == 100
    readers = [address() for _ in range(300)]
    said = Api(three.nodes[2]).check_many(readers)
    denied = [one["decision"] for one in said].count("deny")
    assert 100 < denied < 200

    def counted():
        rows = [one for one in activation(three, "check")["reports"]
                if one["digest"] == shadow["shadow"] and one["node"] == "n3"]
        return rows and rows[0]["compared"] == 300 and rows[0]["loosened"] == denied

    eventually(counted, "n3's report on n1", seconds=10, every=0.05)
    words = fn(three, "promote", "check", code=1)
    assert f"allowed {denied} times what the active one denies" in words, words
    assert f"{denied} would allow more" in fn(three, "status", "check")
    assert function(three.node, "check")["digest"] == first["digest"]
    version = shadow["shadow"][:12]
    assert (f'quell_function_loosened_total{{function="check",version="{version}"}} {denied}'
            in metrics(three.nodes[2]))
    told(three, "shadow", "check", "--percent", "0")
    # One that only tightens is promoted.
    tight = check_function(tmp_path, "        _ = item\n        return .deny")
    edit(tight, "function.yaml", "version: 2.0.0", "version: 4.0.0")
    shadow = told(three, "deploy", str(tight), "--shadow", "100")
    assert {one["decision"] for one in Api(three.node).check_many(readers)} == {"allow", "deny"}
    done = told(three, "promote", "check")
    assert done["digest"] == shadow["shadow"]
    assert {one["decision"] for one in Api(three.node).check_many(readers)} == {"deny"}


def test_a_shadow_delays_no_answer(three, tmp_path):
    """A shadow is asked once the answer has left: who has the answer finds it not compared yet."""
    deploy(three, greet(tmp_path))
    slow = greet(tmp_path)
    edit(slow, "Sources/Greet.swift", 'body.append("Hello, ")',
         "var mixed = request.nowMillis | 1\n"
         f"if request.{LATER} {{ for _ in 0..<6_000_000 {{\n"
         "mixed ^= mixed << 13; mixed ^= mixed >> 7; mixed ^= mixed << 17 } }\n"
         'body.append(mixed == 0 ? "Bye, " : "Hello, ")')
    edit(slow, "function.yaml", "version: 0.1.0", "version: 0.7.0")
    edit(slow, "function.yaml", "deadline_ms: 5", "deadline_ms: 50")
    version = told(three, "deploy", str(slow), "--shadow", "100")["shadow"][:12]
    name = f'quell_function_compared_total{{function="greet",version="{version}"}} '

    def compared():
        return int(metrics(three.node).partition(name)[2].split()[0])

    behind = 0
    for count in range(1, 21):
        assert greets(three.node, f"Hello, p{count}!\n", f"/f/greet/p{count}")
        behind += compared() < count
    assert behind > 0
    eventually(lambda: compared() == 20, "all of them compared", every=0.05)
    told(three, "shadow", "greet", "--percent", "0")


def test_a_canary_that_fails_is_answered_for_by_what_serves(three, tmp_path):
    """A failing canary: the same request is answered by the version that serves, not the built-in.
    """
    for place in ("a", "b"):
        (tmp_path / place).mkdir()
    # Links: a page that is not the built-in's.
    page = shipped("unsubscribe", tmp_path / "a")
    edit(page, "Sources/Words.swift", '"Unsubscribe"', '"Really stop?"')
    edit(page, "function.yaml", "version: 1.0.0", "version: 9.1.0")
    told(three, "deploy", str(page))
    edit(page, "Sources/Unsubscribe.swift", "switch request.outcome {",
         f"if request.{LATER} {{ fatalError() }}\n"
         "        switch request.outcome {")
    edit(page, "function.yaml", "version: 9.1.0", "version: 9.2.0")
    told(three, "deploy", str(page), "--canary", "100")
    api = Api(three.node)
    for _ in range(5):
        assert "Really stop?" in visit(three.node, "GET", api.token(address())).text
    assert "100 %" in fn(three, "status", "unsubscribe")
    told(three, "canary", "unsubscribe", "0")
    told(three, "rollback", "unsubscribe")
    # Checks: neither an allow of what serves becomes a denial, nor the reverse.
    odd = "item.recipient.low % 2 == 0 ? .deny : .allow"
    told(three, "deploy", str(check_function(tmp_path / "a", "        " + odd)))
    readers = [address() for _ in range(40)]
    said = [one["decision"] for one in api.check_many(readers)]
    assert set(said) == {"allow", "deny"}
    bad = check_function(
        tmp_path / "b",
        f"        if {LATER} {{ fatalError() }}\n        return {odd}")
    edit(bad, "function.yaml", "version: 2.0.0", "version: 3.1.0")
    told(three, "deploy", str(bad), "--canary", "100")
    assert [one["decision"] for one in api.check_many(readers)] == said
    assert [api.decision(reader) for reader in readers] == said
    told(three, "canary", "check", "0")
    told(three, "rollback", "check")


def test_two_activations_at_once(three, tmp_path):
    """Of two activations at once one serves, and the other is answered 409."""
    digests = []
    for version in ("1.0.0", "1.0.1"):
        folder = greet(tmp_path)
        text = (folder / "function.yaml").read_text().splitlines()
        (folder / "function.yaml").write_text("\n".join(
            f"version: {version}" if line.startswith("version:") else line for line in text) + "\n")
        digests.append(json.loads(fn(three, "publish", str(folder), "--json"))["digest"])
    for node in three.nodes:
        eventually(lambda node=node: all(
            place["state"] in ("ready", "active")
            for row in admin(three, node).json()["versions"] if row["digest"] in digests
            for place in row["nodes"]), "ready everywhere")
    seen = set()
    for count in range(30):
        def ask(at, count=count):
            return admin(three, three.nodes[at], "POST", "/v1/functions/activate",
                         {"name": "greet", "digest": digests[(at + count) % 2]})
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            answers = list(pool.map(ask, (0, 1)))
        statuses = sorted(answer.status for answer in answers)
        assert set(statuses) <= {200, 409}, answers
        seen.add(tuple(statuses))
        good = [answer.json() for answer in answers if answer.status == 200]
        assert len({one["generation"] for one in good}) == len(good), good
        if not good:
            # Both gave their votes to themselves, and the third's came too late: free again soon.
            eventually(lambda: ask(0).status == 200, "one of them", seconds=10, every=0.2)
            continue
        last = max(good, key=lambda one: one["generation"])
        for node in three.nodes:
            runs(node, "greet", last["digest"])
    assert (200, 409) in seen, seen
