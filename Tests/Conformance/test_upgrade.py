"""DESIGN 15 with real nodes: formats, who is refused, and when the new one may be written.

There is one release, so the others are this one told to be another (Docs/decisions/0009).
"""

import json
import re
import signal

import lmdb
import pytest

from api import one_click, Api
from cluster import address, eventually, is_running, quell
from joining import joiner

RELEASE = "QUELL_AS_FORMAT"
NEWEST = int(re.search(r"disk (\d+)", quell("--version").stdout).group(1))


def upgrade(cluster, *words):
    """`quell upgrade`."""
    return quell("upgrade", *words, "--cluster", str(cluster.file))


def become(node, release=None):
    """Starts a stopped node as this release, or as what it is."""
    node.run(env={RELEASE: str(release)} if release else {}, wait=False)
    node.cluster.node_pids.add(node.pid)


def formats(node):
    """What the two files of a stopped node say they are written in."""
    found = []
    for name in ("state.mdb", "log.mdb"):
        with lmdb.open(str(node.data / name), subdir=False, max_dbs=64, readonly=True) as file:
            with file.begin(db=file.open_db(b"meta", create=False)) as reading:
                found.append(int.from_bytes(reading.get(b"format")[:8], "big"))
    return found


def linked(node, count):
    """True once a node sees so many others alive."""
    try:
        return sum(peer["state"] == "alive" for peer in node.status()["peers"]) == count
    except (OSError, AssertionError):
        return False


@pytest.fixture
def older(fresh):
    """Three nodes that run the release before."""
    cluster = fresh("--staleness-bound", "5s", nodes=3)
    for node in cluster.nodes:
        node.signal(signal.SIGTERM)
    for node in cluster.nodes:
        node.reap()
        become(node, NEWEST - 1)
    for node in cluster.nodes:
        node.wait_ready()
        eventually(lambda node=node: linked(node, 2), "all linked")
    return cluster


def test_version_names_all_numbers():
    """`quell --version` prints version, commit, disk, wire and ABI numbers."""
    said = quell("--version").stdout
    assert re.fullmatch(
        r"quell \d+\.\d+\.\d+ \(commit \S+, disk \d+, wire \d+, abi \d+\)\n", said), said
    before = quell("--version", env={RELEASE: str(NEWEST - 1)}).stdout
    assert f"disk {NEWEST - 1}, wire {NEWEST - 1}" in before


def test_a_member_that_runs_the_release_before_keeps_the_format_back(older):
    """`finalize` is possible only once every member runs N, and names who does not."""
    for node in older.nodes[:2]:
        node.stop()
        become(node)
        node.wait_ready()
        eventually(lambda node=node: linked(node, 2), "all linked")
    refused = upgrade(older, "finalize")
    assert refused.returncode != 0
    assert f"n3 runs {NEWEST - 1}" in refused.stderr and "n2" not in refused.stderr
    older.nodes[2].kill()
    eventually(lambda: not linked(older.nodes[0], 2), "n3 is missed", seconds=20)
    refused = upgrade(older, "finalize")
    assert refused.returncode != 0 and "n3 is not reached" in refused.stderr
    become(older.nodes[2])
    older.nodes[2].wait_ready()
    eventually(lambda: upgrade(older, "finalize").returncode == 0, "finalized", every=0.5)
    for node in older.nodes:
        eventually(
            lambda node=node: node.status()["format"]["disk"] == NEWEST, "the new format")
    shown = json.loads(upgrade(older, "status", "--json").stdout)
    assert shown["finalized"] and shown["format"] == NEWEST
    assert {row["runs"] for row in shown["members"]} == {NEWEST}
    words = upgrade(older, "status").stdout.splitlines()
    assert words == [f"disk format {NEWEST}, finalized"] + [
        f"{node.name}\truns {NEWEST}" for node in older.nodes]


def test_until_finalized_the_release_before_starts_again(older):
    """The new release writes what it found; after `finalize` the old one is refused with 78."""
    node, reader = older.nodes[2], address()
    node.stop()
    become(node)
    node.wait_ready()
    assert one_click(node, Api(node).token(reader)).status == 200
    assert node.status()["format"] == {"runs": NEWEST, "disk": NEWEST - 1, "refused": []}
    node.stop()
    assert formats(node) == [NEWEST - 1] * 2
    become(node, NEWEST - 1)
    node.wait_ready()
    assert Api(node).decision(reader) == "deny"
    for each in older.nodes:
        each.stop()
        become(each)
        each.wait_ready()
    eventually(lambda: upgrade(older, "finalize").returncode == 0, "finalized", every=0.5)
    eventually(lambda: node.status()["format"]["disk"] == NEWEST, "the new format")
    node.stop()
    assert formats(node) == [NEWEST] * 2
    become(node, NEWEST - 1)
    assert node.reap() == 78
    assert f"disk format {NEWEST}" in node.log_end() and f"up to {NEWEST - 1}" in node.log_end()
    become(node)
    node.wait_ready()
    assert Api(node).decision(reader) == "deny"


def test_two_releases_at_once_pull_from_each_other(older, tmp_path):
    """A joiner of the new release and one of the old get everything from a mixed cluster."""
    older.nodes[0].stop()
    become(older.nodes[0])
    older.nodes[0].wait_ready()
    readers = [address() for _ in range(40)]
    for at, reader in enumerate(readers):
        node = older.nodes[at % 3]
        assert one_click(node, Api(node).token(reader)).status == 200
    peers = [node.entry["peer"] for node in older.nodes]
    for name, release in (("n4", None), ("n5", NEWEST - 1)):
        node = joiner(older, name, name, *peers, run=False)
        become(node, release)
        node.wait_ready()
        assert {found["decision"] for found in Api(node).check_many(readers)} == {"deny"}
        assert "no version says" not in node.log.read_text()


def test_a_peer_outside_the_range_is_refused(older):
    """No common protocol: no link, and status and log of both say who speaks what."""
    peers = [node.entry["peer"] for node in older.nodes]
    node = joiner(older, "n4", "z4", *peers, run=False)
    far = NEWEST + 2
    become(node, far)
    first = older.nodes[0]
    refused = eventually(lambda: first.status()["format"]["refused"], "a refusal in status")
    assert refused == [{"address": node.entry["peer"], "speaks": f"{far - 1} to {far}"}]
    eventually(
        lambda: f"peer.speaks={far - 1} to {far}" in first.log.read_text(), "a line in the log")
    line = next(
        line for line in first.log.read_text().splitlines() if "peer.speaks" in line)
    assert "speaks none of our versions" in line and f"node.speaks={NEWEST - 1}" in line
    eventually(lambda: "speaks none of our versions" in node.log.read_text(), "the other's log")
    assert is_running(node.pid) and not node.is_ready()


def test_data_of_a_release_two_behind_is_refused(fresh):
    """N reads N and N - 1: older data need the release between, and both numbers are named."""
    cluster = fresh()
    node = cluster.node
    node.stop()
    become(node, NEWEST + 1)
    assert node.reap() == 78
    assert f"disk format {NEWEST - 1}" in node.log_end()
    assert f"reads {NEWEST} and {NEWEST + 1}" in node.log_end()
