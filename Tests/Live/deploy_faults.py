"""kill -9 of a node at every stage of a deploy: it, a joiner and a healed minority converge to the
cluster's version. Not collected by itself: `make faults` builds the node that kills itself, and
runs this with it.
"""

import json
import os
import shutil
import signal
import sys

import pytest

from cluster import BINARY, ROOT, Cluster, eventually, is_running

sys.path.insert(0, str(ROOT / "Tests" / "Conformance"))

from fn import admin, deploy, edit, fn, function, greet, greets, runs  # noqa: E402

STAGES = ["artifact-half", "written", "compiled", "ready-said", "register-seen", "flipped"]
assert b"QUELL_FAULT_POINT" in BINARY.read_bytes(), "run `make faults`"


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    """Three voters of this file's own."""
    flags = ("--loops", "1", "--staleness-bound", "5s")
    with Cluster(tmp_path_factory.mktemp("faults") / "dev", *flags, nodes=3) as cluster:
        yield cluster


@pytest.mark.parametrize("stage", STAGES)
def test_killed_at(three, tmp_path, stage):
    """kill -9 at this stage: the others deploy without it, and it follows when it is back."""
    folder = greet(tmp_path)
    edit(folder, "function.yaml", "version: 0.1.0", f"version: 1.0.{STAGES.index(stage)}")
    node = three.nodes[2]
    node.stop()
    asked = tmp_path / "fault"
    node.run(env={"QUELL_FAULT_POINT": str(asked)})
    asked.write_text(stage)
    before = function(node, "greet")
    # n3 dies under way; what is asked of it until then is answered by the version before.
    text = fn(three, "publish", str(folder), "--json")
    digest = json.loads(text)["digest"]
    if stage in ("register-seen", "flipped"):
        eventually(lambda: place(three, digest, "n3") == "ready", "ready on n3")
    if stage not in ("artifact-half", "written", "compiled", "ready-said"):
        assert is_running(node.pid)
    else:
        node.reap()
    for other in three.nodes[:2]:
        eventually(lambda other=other: any(
            row["digest"] == digest and row["nodes"][0]["state"] == "ready"
            for row in admin(three, other).json()["versions"]), f"ready on {other.name}")
    answer = eventually(lambda: activated(three, digest), "an activation", every=0.2)
    assert answer.json()["digest"] == digest
    assert node.reap() == -signal.SIGKILL
    for other in three.nodes[:2]:
        runs(other, "greet", digest)
        assert greets(other, "Hello, Ada!\n")
    node.run()
    runs(node, "greet", digest)
    assert greets(node, "Hello, Ada!\n")
    assert not list((node.data / "functions").glob("*.tmp")), "half a file is left"
    print(f"{stage}: n3 was killed, the others activated, n3 runs {digest[:8]}; before: {before}")


def place(cluster, digest, name):
    """The state of a version on a node, as n1 has heard."""
    rows = admin(cluster, cluster.node).json()["versions"]
    nodes = next((row["nodes"] for row in rows if row["digest"] == digest), [])
    return next((one["state"] for one in nodes if one["name"] == name), None)


def activated(cluster, digest):
    """The answer to an activation on n1; None while a majority is not ready."""
    answer = admin(cluster, cluster.node, "POST", "/v1/functions/activate",
                   {"name": "greet", "digest": digest})
    return answer if answer.status == 200 else None


def test_an_emptied_shelf_and_a_stopped_minority(three, tmp_path):
    """A node without artifacts and a minority that stood still converge to the cluster's version.
    """
    folder = greet(tmp_path)
    edit(folder, "function.yaml", "version: 0.1.0", "version: 2.0.0")
    node = three.nodes[2]
    before = function(node, "greet")["digest"]
    node.pause()
    try:
        done = deploy(three, folder, code=0)
    finally:
        os.kill(node.pid, signal.SIGCONT)
    assert done["digest"] != before
    runs(node, "greet", done["digest"])
    node.kill()
    shutil.rmtree(node.data / "functions")
    node.run()
    runs(node, "greet", done["digest"])
