"""Three nodes under more than they can take, or under all that the design asks of a lease."""

import base64
import threading
import time

import pytest

import torrent
from api import Api
from cluster import address, eventually
from load import one_click_bytes
from test_pauses import resp

pytestmark = pytest.mark.alone
PEOPLE = 20_000


class Staleness:
    """Asks every node ten times a second about somebody unknown; what it says, and how stale."""

    def __init__(self, nodes):
        self.nodes, self.stopping = nodes, threading.Event()
        self.staleness = {node.name: [] for node in nodes}
        self.decisions = {node.name: [] for node in nodes}
        self.threads = [threading.Thread(target=self.ask, args=(node,)) for node in nodes]

    def ask(self, node):
        api = Api(node)
        while not self.stopping.wait(0.1):
            body = api.ok("POST", "/v1/check", {
                "stream": "marketing", "topic": "news", "addresses": ["nobody@example.org"]})
            self.staleness[node.name].append(body["staleness_ms"])
            self.decisions[node.name].append(body["results"][0]["decision"])

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        for thread in self.threads:
            thread.join(60)

    def line(self):
        """p50, p99 and the worst, by node."""
        parts = []
        for name, values in self.staleness.items():
            ordered = sorted(value if value is not None else 1e9 for value in values)
            parts.append(
                f"{name} {ordered[len(ordered) // 2]}/{ordered[len(ordered) * 99 // 100]}/"
                f"{ordered[-1]}")
        return "staleness_ms p50/p99/max " + ", ".join(parts)


def denied(cluster, readers):
    """Waits until all are equal; asserts that every node denies all of them."""
    cluster.settle(60)
    for node in cluster.nodes:
        missing = sum(one["decision"] != "deny" for one in Api(node).check_many(readers))
        assert missing == 0, f"{missing} of {len(readers)} acknowledged are lost at {node.name}"


def greeting(cluster):
    """AUTH, as the plan carries it."""
    return base64.b64encode(resp("AUTH", "demo", cluster.api_key)).decode()


def test_lease_under_writes(fresh, full, tmp_path, figure):
    """A lease held under a constant 10,000 writes a second."""
    cluster, seconds = fresh(nodes=3), 30 if full else 5
    readers = [address() for _ in range(PEOPLE)]
    requests = [resp("SADD", "marketing:news", one) for one in readers]
    with Staleness(cluster.nodes) as watch:
        process = torrent.start(
            tmp_path, "sadd", cluster.nodes, requests, kind="resp", rate=10_000, connections=12,
            window=4_096, seconds=seconds, greeting=greeting(cluster))
        result = torrent.finish(process)
    outcomes, per_second = result["outcomes"], result["outcomes"].get("200", 0) / seconds
    figure(
        f"{result['due'] / result['sending']:,.0f} writes/s due for {seconds} s, {outcomes}, "
        f"withheld {result['withheld']}, drained in {result['drained']:.2f} s, "
        f"{per_second:,.0f} acknowledged/s; {watch.line()}")
    assert result["broken"] == result["unanswered"] == 0
    assert all(set(said) == {"allow"} for said in watch.decisions.values()), watch.decisions
    denied(cluster, [readers[one] for one in result["acknowledged"]])


def goodput(cluster, tmp_path, requests, rate):
    """One second at a rate that was sustained before: the share of it that was served, and all."""
    result = torrent.finish(torrent.start(
        tmp_path, "after", cluster.nodes, requests, rate=rate, connections=96, window=8, seconds=1))
    return result["outcomes"].get("200", 0) / max(1, result["due"]), result


def recovered(cluster, tmp_path, requests, rate):
    """Waits until 99 % of a rate is served again: the share, the seconds, and what was sent."""
    begun, share, afters = time.monotonic(), 0.0, []
    while share < 0.99:
        assert time.monotonic() < begun + 60, f"goodput is back at {share:.3f} only"
        share, after = goodput(cluster, tmp_path, requests, rate)
        afters.append(after)
    return share, time.monotonic() - begun, afters


def kept(cluster, readers, results):
    """Only 200 or 503 + Retry-After, no connection broken, and all acknowledged are denied."""
    for result in results:
        assert set(result["outcomes"]) <= {"200", "503"} and result["bare"] == 0, result["outcomes"]
        assert result["broken"] == result["unanswered"] == 0
    acknowledged = set().union(*(result["acknowledged"] for result in results))
    denied(cluster, [readers[one] for one in acknowledged])


def test_burst(fresh, full, tmp_path, figure):
    """Burst: ten times the sustainable one-click rate for 30 s: only 200 or 503 + Retry-After,
    durable and lost 0, goodput back to >= 99 % within 10 s.

    Goodput is that of other clients at half the sustainable rate, from the last request of the
    burst on, while what is left of it is still being answered.
    """
    cluster, seconds = fresh(nodes=3), 30 if full else 4
    readers = [address() for _ in range(PEOPLE)]
    tokens = [link["token"] for link in Api(cluster.node).links(readers)]
    requests = [one_click_bytes(token) for token in tokens]
    calm = torrent.finish(torrent.start(
        tmp_path, "calm", cluster.nodes, requests, connections=192, window=16,
        seconds=10 if full else 2))
    sustained = calm["outcomes"]["200"] / calm["sending"]
    process = torrent.start(
        tmp_path, "burst", cluster.nodes, requests, rate=10 * sustained, connections=600,
        window=256 if full else 64, seconds=seconds)
    eventually(process.over.exists, "the burst is over", seconds + 60)
    share, back, afters = recovered(cluster, tmp_path, requests, 0.5 * sustained)
    burst = torrent.finish(process)
    figure(
        f"sustainable {sustained:,.0f}/s; burst {burst['due'] / burst['sending']:,.0f}/s due, "
        f"{burst['sent'] / burst['sending']:,.0f}/s of them sent for {seconds} s: "
        f"{burst['outcomes']}, broken {burst['broken']}, without Retry-After {burst['bare']}, "
        f"drained in {burst['drained']:.1f} s; goodput {share:.3f} of half the sustainable rate, "
        f"whole {back:.1f} s after")
    kept(cluster, readers, (calm, burst, *afters))
