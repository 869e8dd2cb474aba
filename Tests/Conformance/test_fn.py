"""DESIGN 9 and 10.5: a function from an empty folder to every node, and back."""

import json
import signal

import pytest

from api import Api, one_click, visit
from cluster import Cluster, address, call, eventually, quell
from fn import admin, deploy, edit, fn, function, get, greet, greets, runs, shipped


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Three voters of this file's own, each with two loops."""
    flags = ("--loops", "2", "--staleness-bound", "5s")
    with Cluster(tmp_path_factory.mktemp("fn") / "dev", *flags, nodes=3) as cluster:
        yield cluster


def test_newcomer(three, tmp_path):
    """`fn deploy DIR --json`: {"name","digest","generation","nodes":[{"name","state"}],"millis"}.
    """
    folder = greet(tmp_path)
    assert get(three.nodes[0], "/f/greet/Ada").status == 404
    first = deploy(three, folder)
    assert set(first) == {"name", "digest", "generation", "nodes", "millis"}
    assert (first["name"], first["generation"]) == ("greet", 1)
    assert first["nodes"] == [{"name": f"n{n}", "state": "active"} for n in (1, 2, 3)]
    assert first["millis"] > 0
    for node in three.nodes:
        assert greets(node, "Hello, Ada!\n")
        assert greets(node, "Hello, whoever you are!\n", "/f/greet")
        assert function(node, "greet") == {
            "name": "greet", "digest": first["digest"], "generation": 1, "source": "deployed"}
    second = deploy(three, greet(tmp_path, "Good day"))
    assert second["generation"] == 2 and second["digest"] != first["digest"]
    assert all(greets(node, "Good day, Ada!\n") for node in three.nodes)
    back = json.loads(fn(three, "rollback", "greet", "--json"))
    assert (back["digest"], back["generation"]) == (first["digest"], 3)
    assert all(greets(node, "Hello, Ada!\n") for node in three.nodes)
    again = json.loads(fn(three, "rollback", "greet", "--json"))
    assert (again["digest"], again["generation"]) == (second["digest"], 4)


def test_the_host_keeps_the_headers(three, tmp_path):
    """`/f/NAME/...`: a deployed HTTP function; methods that its manifest does not name are 405."""
    deploy(three, greet(tmp_path))
    answer = get(three.node, "/f/greet/x")
    assert answer.header("cache-control") == "no-store"
    assert answer.header("x-content-type-options") == "nosniff"
    refused = call(three.node.http, "POST", "/f/greet/x", b"a=b")
    assert refused.status == 405 and refused.header("allow") == "GET, HEAD"
    assert call(three.node.http, "HEAD", "/f/greet/x").body == b""
    assert get(three.node, "/f/nobody/x").status == 404


def test_list_status_logs(three, tmp_path):
    """`fn status`, `fn list`, `fn logs`, all with --json."""
    digest = deploy(three, greet(tmp_path))["digest"]
    assert digest in fn(three, "list")
    rows = json.loads(fn(three, "status", "--json"))["versions"]
    row = next(row for row in rows if row["digest"] == digest)
    eventually(
        lambda: {place["state"] for row in json.loads(
            fn(three, "status", "--json"))["versions"] if row["digest"] == digest
            for place in row["nodes"]} == {"active"}, "active everywhere")
    assert [place["name"] for place in row["nodes"]] == ["n1", "n2", "n3"]
    assert json.loads(fn(three, "logs", "greet", "--json")) == {"name": "greet", "lines": []}


def test_the_same_folder_gives_the_same_digest(tmp_path):
    """Reproducible: two builds, in two places, have one digest."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b" / "deep").mkdir(parents=True)
    built = [
        json.loads(fn(None, "build", str(greet(place)), "--json"))
        for place in (tmp_path / "a", tmp_path / "b" / "deep")]
    assert built[0]["digest"] == built[1]["digest"]
    assert built[0]["wasm_bytes"] < 16_384


@pytest.mark.parametrize("old, new, said", [
    ("memory_pages: 1", "memory_pages: 99", "limits.memory_pages: is 99; choose 1 to 16"),
    ("deadline_ms: 5", "deadline: 5", "limits.deadline: is not known; did you mean `deadline_ms`?"),
    ("kind: http  ", "kind: page  ", "kind: is `page`; choose http, check, unsubscribe"),
    ("name: greet", "name: Greet", "name: is `Greet`; use 1 to 32 of a-z 0-9 -, a letter first"),
    ("path: /f/greet/*", "path: /x", "routes.path: is `/x`; write `/f/greet/*`"),
    ("policy: last-good", "policy: open", "failure.policy: is `open`; choose last-good, closed"),
    ("version: 0.1.0\n", "", "version: is missing; add `version: ...`"),
    ("fixtures/hello.http", "fixtures/none.http", "fixtures/none.http cannot be read"),
])
def test_mistakes_are_named(tmp_path, old, new, said):
    """Manifest errors name file, line, key and the fix."""
    folder = greet(tmp_path)
    edit(folder, "function.yaml", old, new)
    text = fn(None, "build", str(folder), code=78)
    assert said in text and f"{folder}/function.yaml:" in text, text


def test_a_failing_fixture_is_not_deployed(three, tmp_path):
    """`fn test` runs under the limits of production; what fails it goes nowhere."""
    digest = deploy(three, greet(tmp_path))["digest"]
    edit(tmp_path / "greet", "Sources/Greet.swift", '"Hello, "', '"Bye, "')
    told = fn(None, "test", str(tmp_path / "greet"), code=1)
    assert 'FAILED: body "Bye, Ada!' in told and 'expected "Hello, Ada!' in told
    assert "nothing was deployed" in deploy(three, tmp_path / "greet", code=78)
    assert function(three.node, "greet")["digest"] == digest


def test_whose_signature_counts(three, tmp_path):
    """Function artifacts only with a trusted signature; unsigned and a stranger's are refused."""
    folder = greet(tmp_path)
    fn(None, "build", str(folder))
    unsigned = (folder / ".build" / "greet.qfn").read_bytes()
    answer = admin(three, three.node, "POST", body=unsigned, kind="application/octet-stream")
    assert answer.status == 403 and "not signed" in answer.json()["detail"]
    for at in (20, len(unsigned) // 2):
        spoiled = bytearray(unsigned)
        spoiled[at] ^= 1
        answer = admin(
            three, three.node, "POST", body=bytes(spoiled), kind="application/octet-stream")
        assert answer.status in (400, 403)
    assert quell("init", str(tmp_path / "strangers")).returncode == 0
    key = str(tmp_path / "strangers" / "deployer.key")
    told = fn(three, "publish", str(folder), "--deployer-key", key, code=77)
    assert "nobody whom this cluster trusts" in told
    public = quell("deployer", "add", key, "--cluster", str(three.file), "--json")
    assert public.returncode == 0, public.stderr
    edit(folder, "function.yaml", "version: 0.1.0", "version: 0.1.1")
    fn(three, "deploy", str(folder), "--deployer-key", key)
    shown = quell("deployer", "list", "--cluster", str(three.file)).stdout
    assert len(shown.strip().splitlines()) == 2
    ended = quell(
        "deployer", "rm", json.loads(public.stdout)["key"], "--cluster", str(three.file))
    assert ended.returncode == 0, ended.stderr
    edit(folder, "function.yaml", "version: 0.1.1", "version: 0.1.2")
    assert "trusts" in fn(three, "publish", str(folder), "--deployer-key", key, code=77)
    assert greets(three.node, "Hello, Ada!\n")


def test_a_deployed_unsubscribe_shapes_the_page(three, tmp_path):
    """The host guards the opt-out; the function shapes the page."""
    folder = shipped("unsubscribe", tmp_path)
    edit(folder, "Sources/Words.swift", '"Unsubscribe"', '"Really stop?"')
    edit(folder, "function.yaml", "version: 1.0.0", "version: 9.0.0")
    done = deploy(three, folder)
    api = Api(three.node)
    for node in three.nodes:
        reader = address()
        assert "Really stop?" in visit(node, "GET", api.token(reader)).text
        assert one_click(node, api.token(reader)).status == 200
        eventually(lambda reader=reader: api.decision(reader) == "deny", "the opt-out")
    assert function(three.nodes[2], "unsubscribe")["digest"] == done["digest"]
    back = json.loads(fn(three, "rollback", "unsubscribe", "--json"))
    assert back["digest"] is None
    for node in three.nodes:
        eventually(
            lambda node=node: "<h1>Unsubscribe</h1>" in
            visit(node, "GET", api.token(address())).text, "the built-in's page")


def test_a_restarted_and_an_empty_node(three, tmp_path):
    """A node that starts serves what it served; a late joiner fetches what is active."""
    digest = deploy(three, greet(tmp_path, "Welcome"))["digest"]
    node = three.nodes[2]
    node.kill()
    node.run()
    assert greets(node, "Welcome, Ada!\n")
    assert function(node, "greet")["digest"] == digest


def test_a_minority_activates_nothing(three, tmp_path):
    """An isolated minority keeps its last active version and refuses new activations."""
    folder = greet(tmp_path)
    first = deploy(three, folder)
    edit(folder, "function.yaml", "version: 0.1.0", "version: 0.2.0")
    fn(three, "publish", str(folder))
    rows = json.loads(fn(three, "status", "--json"))["versions"]
    newest = next(
        row["digest"] for row in rows if row["name"] == "greet")
    assert newest != first["digest"]
    node = three.nodes[0]
    eventually(lambda: any(
        place["name"] == "n1" and place["state"] == "ready"
        for row in admin(three, node).json()["versions"] if row["digest"] == newest
        for place in row["nodes"]), "ready on n1")
    try:
        for other in three.nodes[1:]:
            other.pause()
        answer = admin(
            three, node, "POST", "/v1/functions/activate", {"name": "greet", "digest": newest})
        assert answer.status == 503, answer
        assert function(node, "greet")["digest"] == first["digest"]
        assert greets(node, "Hello, Ada!\n")
    finally:
        for other in three.nodes[1:]:
            other.signal(signal.SIGCONT)
    eventually(three.nodes[0].is_ready, "a lease again", seconds=20)
    answer = admin(
        three, node, "POST", "/v1/functions/activate", {"name": "greet", "digest": newest})
    assert answer.status == 200, answer
    for one in three.nodes:
        runs(one, "greet", newest)


def test_fn_dev_keeps_what_serves(three, tmp_path):
    """`fn dev` rebuilds on a change and keeps the old version when a build or a fixture fails."""
    folder = greet(tmp_path)
    first = json.loads(fn(three, "dev", str(folder), "--json", "--rounds", "1"))
    edit(folder, "Sources/Greet.swift", "var body", "let body")
    told = json.loads(fn(three, "dev", str(folder), "--json", "--rounds", "1"))
    assert "swiftc says" in told["error"]
    assert function(three.node, "greet")["digest"] == first["digest"]
