"""DESIGN 6 with real nodes: voters are slots; a lost disk is a learner until it has caught up."""

import concurrent.futures
import json
import shutil
import time

import pytest

from api import Api, call, one_click
from cluster import address, eventually, quell

BOUND = 5


@pytest.fixture
def three(fresh):
    return fresh("--staleness-bound", f"{BOUND}s", nodes=3)


@pytest.fixture
def five(fresh):
    return fresh("--staleness-bound", f"{BOUND}s", nodes=5)


def voters(cluster, *words):
    done = quell("voters", *words, "--cluster", str(cluster.file))
    return done


def listing(cluster):
    done = voters(cluster, "list", "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def opt_out(node):
    reader = address()
    answer = one_click(node, Api(node).token(reader))
    assert answer.status == 200 and answer.header("quell-durability") == "quorum"
    return reader


def seated(cluster, count):
    found = listing(cluster)
    return not found["joint"] and sum(v["seated"] for v in found["voters"]) == count


def put_back(node, copy):
    shutil.rmtree(node.data)
    shutil.copytree(copy, node.data, symlinks=True)


def test_wiped_voter_is_replaced(three):
    """An empty voter is a learner: `quell voters replace` binds it, it catches up, and only then
    does its word count."""
    readers = [opt_out(three.nodes[n % 3]) for n in range(30)]
    three.nodes[1].kill()
    shutil.rmtree(three.nodes[1].data)
    three.nodes[1].run(wait=False)
    eventually(lambda: three.nodes[1].role() == "learner", "the empty node is a learner")
    before = listing(three)
    assert before["generation"] == 1
    done = eventually(lambda: replaced(three, "n2"), "the change", seconds=10)
    assert done
    eventually(lambda: seated(three, 3), "three seated voters", seconds=15)
    assert listing(three)["generation"] == 2
    three.nodes[1].wait_ready()
    assert three.nodes[1].status()["role"] == "voter"
    # Its disk counts now: with n1 lost it and n3 know everything.
    three.nodes[0].kill()
    for node in three.nodes[1:]:
        api = Api(node)
        eventually(lambda api=api: api.decision(address()) == "allow", "a lease", seconds=10)
        assert {r["decision"] for r in api.check_many(readers)} == {"deny"}


def replaced(cluster, name):
    return voters(cluster, "replace", name).returncode == 0


def test_two_commands_at_once(three):
    """Two conflicting `quell voters` commands at once: one generation."""
    three.nodes[1].kill()
    shutil.rmtree(three.nodes[1].data)
    three.nodes[1].run(wait=False)
    eventually(lambda: three.nodes[1].role() == "learner", "a learner", seconds=10)
    time.sleep(1)

    def ask(node):
        wanted = {"action": "replace", "name": "n2"}
        return call(node.admin, "POST", "/v1/voters", json.dumps(wanted), {
            "Authorization": f"Bearer {three.admin_key}",
            "Content-Type": "application/json"}).status

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        answers = sorted(pool.map(ask, [three.nodes[0], three.nodes[2]]))
    assert answers in ([200, 200], [200, 409], [200, 503]), answers
    eventually(lambda: seated(three, 3), "three seated voters", seconds=15)
    assert listing(three)["generation"] == 2


def test_old_copy_of_a_disk(three, tmp_path):
    """An old copy of the disk that held a write, the third voter lost: no allow anywhere; when the
    lost one is back the node is bound again by itself and knows everything."""
    opt_out(three.nodes[0])
    three.nodes[1].kill()
    copy = tmp_path / "copy"
    shutil.copytree(three.nodes[1].data, copy)
    three.nodes[1].run()
    three.nodes[1].wait_ready()
    three.nodes[2].kill()
    reader = opt_out(three.nodes[0])  # on n1 and n2
    three.nodes[0].kill()
    three.nodes[1].kill()
    put_back(three.nodes[1], copy)
    three.nodes[2].run(wait=False)
    three.nodes[1].run(wait=False)
    deadline = time.monotonic() + BOUND + 2
    answers = set()
    while time.monotonic() < deadline:
        for node in three.nodes[1:]:
            try:
                answers.add(Api(node).decision(reader))
            except OSError:
                continue
        time.sleep(0.1)
    assert "allow" not in answers and "unknown" in answers, answers
    assert three.nodes[1].role() == "learner"
    three.nodes[0].run(wait=False)
    eventually(lambda: seated(three, 3), "the copy is bound again", seconds=30)
    assert listing(three)["generation"] == 2
    for node in three.nodes:
        node.wait_ready()
        assert Api(node).decision(reader) == "deny"
        assert node.status()["role"] == "voter"


def test_adding_and_removing(five):
    """Adding or removing a slot passes a joint generation, and needs an odd size."""
    cluster = five
    assert listing(cluster)["generation"] == 1
    assert len(listing(cluster)["voters"]) == 5
    readers = [opt_out(cluster.nodes[n % 5]) for n in range(20)]
    wrong = voters(cluster, "remove", "n5")
    assert wrong.returncode != 0 and "1, 3 or 5" in wrong.stderr
    done = voters(cluster, "remove", "n4", "n5")
    assert done.returncode == 0, done.stderr
    eventually(lambda: seated(cluster, 3), "three voters", seconds=20)
    assert listing(cluster)["generation"] == 3
    assert cluster.nodes[4].status()["role"] == "edge"
    done = voters(cluster, "add", "n4", "n5")
    assert done.returncode == 0, done.stderr
    eventually(lambda: seated(cluster, 5), "five voters", seconds=20)
    assert listing(cluster)["generation"] == 5
    for node in cluster.nodes:
        api = Api(node)
        eventually(lambda api=api: api.decision(address()) == "allow", "a lease", seconds=10)
        assert {r["decision"] for r in api.check_many(readers)} == {"deny"}


def test_commands_say_what_is_wrong(three):
    unknown = voters(three, "replace", "n9")
    assert unknown.returncode != 0 and "No voter is called n9" in unknown.stderr
    bound = voters(three, "replace", "n2")
    assert bound.returncode != 0 and "bound" in bound.stderr
    text = voters(three, "list")
    assert text.returncode == 0 and text.stdout.count("seated") == 3
