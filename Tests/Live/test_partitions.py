"""Cut, lossy and slow links between real nodes: what is durable stays, `allow` stays fresh."""

import concurrent.futures
import os
import time

import pytest

from api import Api, one_click
from clients import Crowd, People
from cluster import address, eventually
from outcome import BOUND, checked


def spread(figure, name, seconds):
    """Prints the middle and the worst of some times."""
    ordered = sorted(seconds)
    figure(
        f"{name}: {len(ordered)} opt-outs, p50 {ordered[len(ordered) // 2] * 1e3:.1f} ms, "
        f"p90 {ordered[len(ordered) * 9 // 10] * 1e3:.1f} ms, max {ordered[-1] * 1e3:.1f} ms")


def seen_after(taker, seer, reader, token):
    """Opts out at one node; seconds from its answer until another denies."""
    answer = one_click(taker, token)
    assert answer.status == 200 and answer.header("quell-durability") == "quorum", answer
    begun, api = time.monotonic(), Api(seer)
    eventually(lambda: api.decision(reader) == "deny", "a denial", BOUND, every=0.002)
    return time.monotonic() - begun


@pytest.mark.parametrize("kind", ["namespaces", "proxies"])
def test_through_the_third(networked, full, figure, kind):
    """n1 and n3 cut from each other: an opt-out on n1 reaches n3 through n2 within 500 ms."""
    cluster = networked("--staleness-bound", f"{BOUND}s", kind=kind)
    first, _, third = cluster.nodes
    people = People(Api(first), 120)
    cluster.network.cut(0, 2)
    time.sleep(0.3)
    cases = list(zip(people.addresses, people.tokens))
    half = 60 if full else 50 if kind == "namespaces" else 10
    spread(figure, "n1 to n3", [seen_after(first, third, *one) for one in cases[:half]])
    spread(figure, "n3 to n1", [seen_after(third, first, *one) for one in cases[60:70]])
    # Past the silence that ends a link nothing changes.
    time.sleep(BOUND + 1)
    spread(figure, "unlinked", [seen_after(first, third, *one) for one in cases[70:80]])
    for node in cluster.nodes:
        assert Api(node).decision(address()) == "allow", "a majority is in reach of everybody"
    cluster.network.heal()
    cluster.wait_linked()
    cluster.settle()


def every_pair(network, fault):
    """Applies a fault to each direction of each pair."""
    for source in range(3):
        for target in range(3):
            if source != target:
                fault(source, target)


FAULTS = {
    "n1 not heard by n3": ("namespaces", lambda network: network.cut(0, 2, both=False)),
    "n3 not heard by n1": ("namespaces", lambda network: network.cut(2, 0, both=False)),
    "a ring, each hears one": ("namespaces", lambda network: [
        network.cut(*pair, both=False) for pair in ((0, 1), (1, 2), (2, 0))]),
    "n2 not heard at all": ("namespaces", lambda network: [
        network.cut(1, other, both=False) for other in (0, 2)]),
    "20 % loss": ("namespaces", lambda network: every_pair(
        network, lambda a, b: network.lose(a, b, 20))),
    "100 ms more each way": ("proxies", lambda network: every_pair(
        network, lambda a, b: network.delay(a, b, 100))),
    "1,500 ms from n1": ("proxies", lambda network: [
        network.delay(0, other, 1_500) for other in (1, 2)]),
    "links that break": ("proxies", lambda network: every_pair(
        network, lambda a, b: network.lose(a, b, 2))),
}
SHORT = ["n1 not heard by n3", "20 % loss", "100 ms more each way"]


@pytest.mark.parametrize("fault", FAULTS if os.environ.get("QUELL_LIVE") == "full" else SHORT)
def test_bad_links(networked, full, history, figure, fault):
    """One-way cuts, 20 % loss, delays: history checked."""
    kind, strike = FAULTS[fault]
    cluster = networked("--staleness-bound", f"{BOUND}s", kind=kind)
    crowd = Crowd(cluster, history, People(Api(cluster.node), 3_000))

    def strikes():
        time.sleep(0.5)
        strike(cluster.network)
        time.sleep(3 * BOUND if full else BOUND + 2)
        cluster.network.heal()
        time.sleep(1)

    crowd.run(24, 6, strikes, consents=1)
    cluster.wait_linked()
    cluster.settle()
    crowd.finish()
    checker = checked(history, cluster, BOUND, figure)
    assert checker.count("optout", "200") > 100


def topic_added(cluster, node):
    """Adds the topic `weekly` at a node; whether that was acknowledged."""
    done = cluster.cli(node, "topic", "add", "weekly", "--stream", "marketing", "--tenant", "demo")
    return done.returncode == 0


def is_known(api):
    """Whether a node knows the topic."""
    return api.send("POST", "/v1/check", {
        "stream": "marketing", "topic": "weekly", "addresses": [address()]}).status == 200


def test_same_topic_on_two_sides(networked, figure):
    """The same topic created on two sides of a partition with opt-outs on both: denied everywhere
    after healing."""
    cluster = networked("--staleness-bound", f"{BOUND}s")
    one, two = cluster.nodes[0], cluster.nodes[1]
    for other in (1, 2):
        cluster.network.cut(0, other)
    added = [topic_added(cluster, node) for node in (one, two)]
    assert added[1], "the majority takes a topic"
    eventually(lambda: is_known(Api(one)), "the topic on the minority's side, durable or not")
    readers = {address(): node for node in (one, two) for _ in range(20)}
    tokens = {
        reader: Api(node).token(reader, topic="weekly") for reader, node in readers.items()}
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda case: one_click(case[1], tokens[case[0]]), readers.items()))
    assert {answer.status for answer in answers} == {200}, answers
    said = {answer.header("quell-durability") for answer in answers}
    assert said == {"local", "quorum"}, said
    cluster.network.heal()
    cluster.wait_linked()
    cluster.settle()
    for node in cluster.nodes:
        results = Api(node).check_many(list(readers), topic="weekly")
        assert {result["decision"] for result in results} == {"deny"}, node.name
        assert Api(node).check(address(), topic="weekly")["decision"] == "allow"
    figure(f"topic acknowledged by the minority: {added[0]}; {len(readers)} denied everywhere")
