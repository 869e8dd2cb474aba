"""Ten times as many one-clicks as three slow nodes can take, from thousands of connections.

test_load.py pours what one client can send into nodes as fast as this machine; here the nodes get
an eighth of one processor between them, and the client the rest. A connection carries one request
at a time, as a mailbox provider's does: thousands of them wait at once.
"""

import resource

import pytest

import torrent
from api import Api
from cgroups import Share, Unavailable
from cluster import address, anonymous_bytes, eventually
from load import one_click_bytes
from test_load import kept, recovered

pytestmark = pytest.mark.alone
PEOPLE = 20_000
PERCENT, WHOLE = 12, 200
SPARE_DESCRIPTORS = 500
# RssAnon that a node may take more than before: 10,000 connections of 20 KiB (a read buffer that
# is kept is bounded apart) and what 8,192 waiting writes and their marks take.
MEMORY = 256 << 20


@pytest.fixture
def slow():
    """Takes nodes into a small share of a processor; lets them go at the end."""
    made = []

    def hold(cluster):
        try:
            made.append(Share(PERCENT))
        except Unavailable as reason:
            pytest.skip(f"nodes cannot be slowed down here: {reason}")
        for node in cluster.nodes:
            made[-1].hold(node.pid)
        return made[-1]

    yield hold
    for share in made:
        share.close()


def test_ten_times(fresh, full, slow, tmp_path, figure):
    """Ten times the sustainable one-click rate for 30 s: only 200 or 503 + Retry-After, no
    connection broken, memory bounded, durable and lost 0, and goodput comes back.
    """
    cluster, seconds = fresh(nodes=3), 30 if full else 4
    wanted = 9_000 if full else 3_000
    connections = min(wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - SPARE_DESCRIPTORS)
    readers = [address() for _ in range(PEOPLE)]
    requests = [one_click_bytes(link["token"]) for link in Api(cluster.node).links(readers)]
    group = slow(cluster)
    calm = torrent.finish(torrent.start(
        tmp_path, "calm", cluster.nodes, requests, connections=600, window=4,
        seconds=10 if full else 3))
    sustained = calm["outcomes"]["200"] / calm["sending"]
    before = {node.name: anonymous_bytes(node.pid) for node in cluster.nodes}
    # Connections are made while the nodes are fast: their price is not the question.
    group.limit(WHOLE)
    process = torrent.start(
        tmp_path, "burst", cluster.nodes, requests, rate=10 * sustained, connections=connections,
        window=1, seconds=seconds)
    eventually(process.begun.exists, "all connections", 120)
    group.limit(PERCENT)
    most = dict.fromkeys(before, 0)

    def is_over():
        for node in cluster.nodes:
            most[node.name] = max(most[node.name], anonymous_bytes(node.pid) - before[node.name])
        return process.over.exists()

    eventually(is_over, "the burst is over", seconds + 120, every=0.1)
    share, back, afters = recovered(cluster, tmp_path, requests, 0.5 * sustained)
    burst = torrent.finish(process)
    sending, outcomes = burst["sending"], burst["outcomes"]
    figure(
        f"sustainable {sustained:,.0f}/s, p50/p99/max {calm['millis']} ms; burst of "
        f"{burst['due'] / sending:,.0f}/s due from {connections} connections for {seconds} s: "
        f"{burst['sent'] / sending:,.0f}/s sent, the others found every connection waiting; "
        f"{outcomes}, {outcomes.get('200', 0) / sending:,.0f}/s well, ms {burst['millis']}, broken "
        f"{burst['broken']}, without Retry-After {burst['bare']}, drained in "
        f"{burst['drained']:.1f} s; memory +{max(most.values()) >> 20} MiB at most; goodput "
        f"{share:.3f} of half the sustainable rate {back:.1f} s after")
    assert burst["due"] > 9 * sustained * seconds, "the client was slower than ten times"
    assert max(most.values()) < MEMORY, most
    kept(cluster, readers, (calm, burst, *afters))
