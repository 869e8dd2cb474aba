"""Voters that lose their disks, or get old ones back: who vouches for what is not there any more?

The stories of DESIGN 6: a write is durable on two of three disks; one of them goes, the other is
out of reach, and the third never heard of it. No majority that is left may allow.
"""

import concurrent.futures
import shutil
import subprocess
import time

import pytest

from api import Api, one_click
from cluster import address, eventually
from outcome import BOUND

FLAGS = ("--staleness-bound", f"{BOUND}s")


def decision(node, reader):
    """allow, deny or unknown; None when the node does not answer checks at all."""
    try:
        answer = Api(node).send("POST", "/v1/check", {
            "stream": "marketing", "topic": "news", "addresses": [reader]})
    except OSError:
        return None
    return answer.json()["results"][0]["decision"] if answer.status == 200 else None


def never_allowed(nodes, reader, durable, seconds=BOUND + 3):
    """Asks until the time is over; later than durable + S nobody allows. Answers who said what."""
    end, said = max(time.monotonic(), durable + BOUND) + seconds, {}
    while time.monotonic() < end:
        for node in nodes:
            is_late = time.monotonic() > durable + BOUND
            what = decision(node, reader)
            if is_late:
                said[(node.name, what)] = said.get((node.name, what), 0) + 1
                assert what != "allow", f"{node.name} allows; {said}"
        time.sleep(0.05)
    assert any(what for _, what in said), f"nobody answered: {said}"
    return said


def written(node, reader):
    """A durable opt-out; answers when it was durable at the latest."""
    answer = one_click(node, Api(node).token(reader))
    assert answer.status == 200 and answer.header("quell-durability") == "quorum", answer
    return time.monotonic()


def wipe(node):
    """The disk is gone."""
    shutil.rmtree(node.data)


def copied(source, target):
    """A copy as an operator makes it."""
    subprocess.run(["rm", "-rf", str(target)], check=True)
    subprocess.run(["cp", "-a", str(source), str(target)], check=True)


def isolate(network, index):
    """Cuts a node from the two others."""
    for other in range(3):
        if other != index:
            network.cut(index, other)


def told_by_the_third(cluster, reader):
    """n2 comes back with the write: n3 learns it."""
    cluster.network.heal()
    cluster.nodes[1].run()
    eventually(lambda: decision(cluster.nodes[2], reader) == "deny", "the write on n3", 15)


@pytest.mark.parametrize("wiped", ["receiver", "origin"])
def test_wiped_while_another_is_cut(networked, figure, wiped):
    """Wipe the disk of a voter that holds a write while another voter is cut, lose the third: no
    allow anywhere."""
    cluster = networked(*FLAGS)
    first, second, third = cluster.nodes
    isolate(cluster.network, 2)
    reader = address()
    origin = second if wiped == "receiver" else first
    durable = written(origin, reader)  # on n1 and n2
    first.kill()
    wipe(first)
    second.kill()
    cluster.network.mend(0, 2)  # alone: what n2's kernel still holds for n3 must not arrive
    first.run(wait=False)
    figure(str(never_allowed([first, third], reader, durable)))
    told_by_the_third(cluster, reader)
    assert first.role() in ("learner", None)


@pytest.mark.parametrize("restarts", [0, 2])
def test_old_copy_while_another_is_cut(networked, tmp_path, figure, restarts):
    """Again with an old copy of the disk, taken while the node was stopped, restored by cp -a."""
    cluster = networked(*FLAGS)
    first, second, third = cluster.nodes
    assert first.stop() in (0, None)
    copied(first.data, tmp_path / "copy")
    for _ in range(restarts + 1):
        if first.pid and first.cluster.children[first.pid].poll() is None:
            first.stop()
        first.run()
    cluster.wait_linked()
    isolate(cluster.network, 2)
    reader = address()
    durable = written(second, reader)  # on n1 and n2
    first.kill()
    copied(tmp_path / "copy", first.data)
    second.kill()
    cluster.network.mend(0, 2)  # alone: what n2's kernel still holds for n3 must not arrive
    first.run(wait=False)
    figure(str(never_allowed([first, third], reader, durable)))
    told_by_the_third(cluster, reader)


def test_wiped_with_its_receipt_in_flight(networked, figure):
    """And with its receipt in flight: n1's receipt reaches n2 when n1's disk is gone already."""
    cluster = networked(*FLAGS, kind="proxies")
    first, second, third = cluster.nodes
    isolate(cluster.network, 2)
    reader = address()
    token = Api(second).token(reader)
    cluster.network.delay(0, 1, 1_500)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        begun = time.monotonic()
        answering = pool.submit(one_click, second, token)
        eventually(lambda: decision(first, reader) == "deny", "the write on n1")
        time.sleep(0.1)  # its commit takes a millisecond
        first.kill()
        wipe(first)
        first.run(wait=False)
        wiped = time.monotonic() - begun
        answer = answering.result()
        answered = time.monotonic() - begun
    assert answer.status == 200 and answer.header("quell-durability") == "quorum", answer
    assert wiped < answered, "the receipt was not in flight any more"
    second.kill()
    cluster.network.mend(0, 2)  # alone: what n2's kernel still holds for n3 must not arrive
    said = never_allowed([first, third], reader, begun + answered)
    figure(f"wiped after {wiped:.2f} s, acknowledged after {answered:.2f} s; {said}")
    told_by_the_third(cluster, reader)


def test_two_empty_voters(fresh, figure):
    """Two voters restarted empty never form a cluster."""
    cluster = fresh(*FLAGS, nodes=3)
    first, second, third = cluster.nodes
    reader = address()
    durable = written(third, reader)
    cluster.settle()
    for node in cluster.nodes:
        node.kill()
    for node in (first, second):
        wipe(node)
        node.run(wait=False)
    end = time.monotonic() + BOUND + 3
    while time.monotonic() < end:
        for node in (first, second):
            assert node.role() != "voter" and not node.is_ready(), node.log_end()
            assert decision(node, reader) != "allow"
        time.sleep(0.1)
    third.run(wait=False)
    said = never_allowed(cluster.nodes, reader, durable)
    assert said.get(("n3", "deny")), said
    assert decision(third, address()) == "unknown", "one voter of three is no majority"
    assert [node.role() for node in (first, second)].count("voter") == 0
    figure(str(said))


def test_restored_after_two_restarts(fresh, tmp_path, history, figure):
    """A directory restored after two restarts takes 500 opt-outs and all are everywhere."""
    cluster = fresh(*FLAGS, nodes=3)
    first = cluster.node
    written(first, address())
    assert first.stop() in (0, None)
    copied(first.data, tmp_path / "copy")
    before = [address() for _ in range(50)]
    for _ in range(2):
        first.run()
        for reader in before[:25] if _ else before[25:]:
            written(first, reader)
        assert first.stop() in (0, None)
    copied(tmp_path / "copy", first.data)
    first.run(wait=False)
    eventually(lambda: first.is_ready() or takes(first), "opt-outs are taken")
    after = [address() for _ in range(500)]
    tokens = [link["token"] for link in Api(cluster.nodes[1]).links(after)]
    said = {}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for answer in pool.map(lambda token: one_click(first, token), tokens):
            assert answer.status == 200, answer
            what = answer.header("quell-durability")
            said[what] = said.get(what, 0) + 1
    cluster.settle()
    for node in cluster.nodes:
        results = Api(node).check_many(before + after)
        missing = sum(result["decision"] != "deny" for result in results)
        assert missing == 0, f"{missing} of {len(results)} are not denied by {node.name}"
    figure(f"{said}, 50 of before: all denied everywhere")


def takes(node):
    """Whether the node says that it takes opt-outs."""
    try:
        return Api(node).send("GET", "/readyz?for=unsubscribe").status == 200
    except OSError:
        return False
