"""DESIGN 9: what a node refuses to run is refused on every node, named in `fn status`, and what
serves goes on. Artifacts are put together here by hand (Docs/formats.md): the command line would
not build them.
"""

import json

import pytest

from api import Api, one_click, visit
from cluster import Cluster, address, eventually, is_running
from fn import (
    LATER, admin, artifact, built, deploy, edit, fn, function, get, greet, greets, runs, seed,
    shipped)

EMPTY = b"\0asm\1\0\0\0"


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Three voters of this file's own, and a version of greet that serves."""
    with Cluster(tmp_path_factory.mktemp("fn") / "dev", "--loops", "1", nodes=3) as cluster:
        deploy(cluster, greet(tmp_path_factory.mktemp("greet")))
        yield cluster


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Manifest, wasm and smoke requests of greet, as built."""
    folder = greet(tmp_path_factory.mktemp("parts"))
    return built(folder)


def section(number, content):
    """A section of a module, its length in five bytes."""
    size = len(content)
    length = bytes((size >> shift & 0x7f) | 0x80 for shift in (0, 7, 14, 21)) + bytes([size >> 28])
    return bytes([number]) + length + content


IMPORTING = EMPTY + section(1, b"\1\x60\0\0") + section(2, b"\1\3env\5abort\0\0")
HOSTILE = {
    "garbage": (b"\x7fELF" + bytes(100), "not a wasm module"),
    "undeclared import": (IMPORTING, "imports env.abort, which no capability gives"),
    "wrong ABI": (EMPTY, "not of ABI 1"),
    "oversized": (EMPTY + section(0, b"\1x" + bytes(200_000)), "bytes of wasm, at most"),
}


def named_everywhere(cluster, digest, words):
    """Waits until every node says of a version why it cannot serve."""
    def told():
        rows = json.loads(fn(cluster, "status", "--json"))["versions"]
        places = next((row["nodes"] for row in rows if row["digest"] == digest), [])
        return len(places) == 3 and all(
            place["state"] == "failed" and words in place["why"] for place in places)
    eventually(told, f"`{words}` on three nodes", seconds=20, every=0.1)
    assert words in fn(cluster, "status", "greet")


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_module_that_no_node_runs(three, parts, tmp_path, kind):
    """Hostile modules, each named in `fn status`; nothing is activated and no node ends."""
    wasm, words = HOSTILE[kind]
    made, digest = artifact(parts[0], wasm, parts[2], seed(three), tmp_path)
    answer = admin(three, three.node, "POST", body=made, kind="application/octet-stream")
    assert answer.status == 200 and answer.json()["digest"] == digest, answer
    named_everywhere(three, digest, words)
    answer = admin(three, three.node, "POST", "/v1/functions/activate",
                   {"name": "greet", "digest": digest})
    assert answer.status == 409, answer
    for node in three.nodes:
        assert greets(node, "Hello, Ada!\n") and is_running(node.pid)


def test_a_signature_counts_where_it_arrives(three, parts, tmp_path):
    """Every node verifies: what one node has on its disk unsigned, no node runs."""
    manifest = parts[0].replace(b"version: 0.1.0", b"version: 0.1.9")
    made, digest = artifact(manifest, *parts[1:])
    node = three.nodes[1]
    node.stop()
    (node.data / "functions" / f"{digest}.qfn").write_bytes(made)
    listed = node.data / "functions" / "shelf.txt"
    # As if it had been published a long time from now, so that nobody passes over it.
    listed.write_text(listed.read_text() + f"artifact {digest} greet 4000000000000\n")
    node.run()
    named_everywhere(three, digest, "not signed")
    for one in three.nodes:
        assert greets(one, "Hello, Ada!\n")


def test_a_signature_counts_at_the_start(three, parts, tmp_path):
    """What an earlier life ran serves again, where somebody trusted has signed it."""
    made, digest = artifact(parts[0].replace(b"name: greet", b"name: sneaky"), *parts[1:])
    node = three.nodes[2]
    node.stop()
    (node.data / "functions" / f"{digest}.qfn").write_bytes(made)
    listed = node.data / "functions" / "shelf.txt"
    listed.write_text(listed.read_text() + f"artifact {digest} sneaky 4000000000000\n"
                      f"running sneaky 1 {digest}\n")
    node.run()
    assert get(node, "/f/sneaky/Ada").status == 503
    assert "not signed" in function(node, "sneaky")["error"]
    assert greets(node, "Hello, Ada!\n")


def test_a_file_of_another_artifact_is_no_artifact(three, tmp_path):
    """Digest is identity: what lies under a name and is something else is fetched again."""
    node, folder = three.nodes[2], greet(tmp_path)
    edit(folder, "function.yaml", "version: 0.1.0", "version: 0.1.8")
    older = deploy(three, folder)["digest"]
    newer = deploy(three, greet(tmp_path, "Newer"))["digest"]
    files = node.data / "functions"
    whole = (files / f"{newer}.qfn").read_bytes()
    cut = bytearray(whole)
    cut[len(cut) // 2] ^= 1
    for other in ((files / f"{older}.qfn").read_bytes(), bytes(cut), whole[:-9], b""):
        node.stop()
        (files / f"{newer}.qfn").write_bytes(other)
        node.run()
        eventually(lambda: greets(node, "Newer, Ada!\n"), "the artifact again", seconds=20)
        assert function(node, "greet")["digest"] == newer
        assert (files / f"{newer}.qfn").read_bytes() == whole
    fn(three, "rollback", "greet")


def test_a_node_that_cannot_load_it_keeps_what_served(three, tmp_path):
    """What runs goes on where the new version does not load, and follows once it can."""
    folder = greet(tmp_path)
    edit(folder, "function.yaml", "version: 0.1.0", "version: 0.1.7")
    older = deploy(three, folder)["digest"]
    node = three.nodes[2]
    files, aside = node.data / "functions", node.data / "functions.aside"
    files.rename(aside)
    files.write_bytes(b"a file: nothing can be kept below it")
    try:
        told = json.loads(fn(three, "publish", str(greet(tmp_path, "Newer")), "--json"))
        newer = told["digest"]
        answer = eventually(
            lambda: (found := admin(three, three.node, "POST", "/v1/functions/activate", {
                "name": "greet", "digest": newer})).status == 200 and found,
            "activated by n1 and n2", every=0.2)
        for other in three.nodes[:2]:
            runs(other, "greet", newer)
        eventually(lambda: any(
            row["name"] == "greet" and row["generation"] == answer.json()["generation"]
            for row in admin(three, node).json()["activations"]), "the register on n3")
        for _ in range(300):
            assert greets(node, "Hello, Ada!\n")
        assert function(node, "greet")["digest"] == older
    finally:
        files.unlink()
        aside.rename(files)
    eventually(lambda: function(node, "greet")["digest"] == newer, "n3 follows", seconds=90)
    assert greets(node, "Newer, Ada!\n")
    fn(three, "rollback", "greet")


def test_effects_on_get_are_a_bad_response(three, tmp_path):
    """Effects on GET, HEAD, OPTIONS are a bad response; the built-in answers, nobody is suppressed.
    """
    folder = shipped("unsubscribe", tmp_path)
    edit(folder, "Sources/Unsubscribe.swift", "switch request.outcome {",
         f"if request.{LATER} {{\n"
         "            context.suppress(.tenant, .unsubscribe)\n        }\n"
         "        switch request.outcome {")
    edit(folder, "function.yaml", "version: 1.0.0", "version: 3.1.0")
    deploy(three, folder)
    try:
        api, reader = Api(three.node), address()
        for method in ("GET", "HEAD"):
            assert visit(three.node, method, api.token(reader)).status == 200
        assert visit(three.node, "OPTIONS", api.token(reader)).status == 204
        assert api.decision(reader) == "allow"
        assert "last error: bad_response" in fn(three, "status", "unsubscribe")
        # After an opt-out the same effect is one that it may stage, for this person alone.
        other = address()
        assert one_click(three.node, api.token(reader)).status == 200
        eventually(lambda: api.decision(reader) == "deny", "the opt-out")
        assert api.decision(other) == "allow"
    finally:
        fn(three, "rollback", "unsubscribe")


def test_a_two_hundred_with_nothing_staged_loses_no_opt_out(three, tmp_path):
    """200 for a valid one-click with nothing staged cannot lose the opt-out: the host stages it."""
    folder = shipped("unsubscribe", tmp_path)
    edit(folder, "Sources/Unsubscribe.swift", "switch request.outcome {",
         "context = Context()\n        switch request.outcome {")
    edit(folder, "function.yaml", "version: 1.0.0", "version: 3.2.0")
    done = deploy(three, folder)
    try:
        for node in three.nodes:
            assert function(node, "unsubscribe")["digest"] == done["digest"]
            api, reader = Api(node), address()
            assert one_click(node, api.token(reader)).status == 200
            eventually(lambda api=api, reader=reader: api.decision(reader) == "deny", "the opt-out")
    finally:
        fn(three, "rollback", "unsubscribe")
