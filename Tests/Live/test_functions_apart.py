"""Functions on both sides of a cut: a minority keeps what served and activates nothing; healed, it
runs what the majority runs, and a trial that ended meanwhile has ended there too.
"""

import sys

from cluster import BINARY, ROOT, eventually

sys.path.insert(0, str(ROOT / "Tests" / "Conformance"))

from fn import admin, artifact, built, function, get, greet, runs, seed  # noqa: E402


def ask(cluster, node, verb, **body):
    """A change of what serves, asked at one node."""
    return admin(cluster, node, "POST", f"/v1/functions/{verb}", {"name": "greet", **body})


def served_by(node):
    """What serves greet on a node, and under which generation."""
    row = function(node, "greet")
    return row and (row["digest"], row["generation"])


def publish(cluster, folder, scratch):
    """Hands the folder's artifact to n1, and waits until every node has it ready."""
    made, digest = artifact(*built(folder), seed(cluster), scratch)
    kind = "application/octet-stream"
    answer = admin(cluster, cluster.node, "POST", body=made, kind=kind)
    assert answer.status == 200 and answer.json()["digest"] == digest, answer
    for node in cluster.nodes:
        eventually(lambda node=node: any(
            row["digest"] == digest and row["nodes"][0]["state"] == "ready"
            for row in admin(cluster, node).json()["versions"]), f"ready on {node.name}")
    return digest


def test_a_minority_keeps_what_served(networked, tmp_path):
    """An isolated minority keeps its last active version and refuses new activations."""
    # Not through proxies: nodes know each other's own addresses as well.
    cluster = networked("--staleness-bound", "5s", kind="namespaces")
    first, second, third = cluster.nodes
    served = publish(cluster, greet(tmp_path), tmp_path)
    assert ask(cluster, first, "activate", digest=served).status == 200
    newer = publish(cluster, greet(tmp_path, "Newer"), tmp_path)
    assert ask(cluster, first, "canary", percent=10, digest=newer).status == 200
    for node in cluster.nodes:
        eventually(lambda node=node: served_by(node) == (served, 2), "generation 2")
    people = [f"p{n}" for n in range(100)]
    before = {who: get(third, f"/f/greet/{who}").text for who in people}
    assert 1 <= sum(text.startswith("Newer") for text in before.values()) <= 40
    cluster.network.cut(0, 2)
    cluster.network.cut(1, 2)
    for verb, body in (("activate", {"digest": newer}), ("promote", {}), ("rollback", {})):
        refused = ask(cluster, third, verb, **body)
        assert refused.status == 503, (verb, refused)
    promoted = eventually(
        lambda: (answer := ask(cluster, first, "promote")).status == 200 and answer,
        "a promotion by the majority", every=0.2)
    assert promoted.json() == {"name": "greet", "digest": newer, "generation": 3}
    for node in (first, second):
        runs(node, "greet", newer)
    # Past every deadline of a lease: still what served, the canary's share as well.
    assert {who: get(third, f"/f/greet/{who}").text for who in people} == before
    assert served_by(third) == (served, 2)
    cluster.network.heal()
    cluster.wait_linked()
    runs(third, "greet", newer)
    assert served_by(third) == (newer, 3)
    assert get(third, "/f/greet/Ada").text == "Newer, Ada!\n"
    rows = admin(cluster, third).json()["activations"]
    assert "trial" not in next(one for one in rows if one["name"] == "greet")


def test_what_is_shipped_has_no_fault_points():
    """Fault points are compiled in only with -DFAULTS (deploy_faults.py)."""
    assert b"QUELL_FAULT_POINT" not in BINARY.read_bytes()
