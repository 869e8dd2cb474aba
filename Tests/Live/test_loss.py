"""A cluster whose network loses packets by chance, those of links and datagrams alike."""

import re
import socket
import subprocess

import pytest

from api import Api, one_click
from cluster import address, split

# TCP_RTO_MIN_US of Linux 6.15, which Python does not name; 200 ms is the kernel's own.
OPTION, KERNELS_MILLIS = 45, 200
LOSS, OPT_OUTS = 30, 40


def repeats(node):
    """Milliseconds until the kernel repeats a lost segment, by link of a node."""
    listed = subprocess.run(
        ["ss", "-tinHp", "state", "established"], capture_output=True, text=True, timeout=20,
        check=True).stdout.splitlines()
    # Either of two has dialed: a link has the peer port of one of them.
    ports = "|".join(str(split(one.entry["peer"])[1]) for one in node.cluster.nodes)
    return [
        float(re.search(r" rto:([\d.]+)", figures)[1])
        for ends, figures in zip(listed[::2], listed[1::2])
        if f"pid={node.pid}," in ends and re.search(rf":({ports})\b", ends)]


def test_lost_segments_are_repeated_soon(fresh):
    """Links ask the kernel to repeat what was lost sooner than after its 200 ms."""
    with socket.socket() as probe:
        try:
            probe.setsockopt(socket.IPPROTO_TCP, OPTION, 10_000)
        except OSError:
            pytest.skip("this kernel has no TCP_RTO_MIN_US (Linux 6.15); links wait 200 ms")
    cluster = fresh(nodes=3)
    for node in cluster.nodes:
        found = repeats(node)
        assert len(found) == 2 and all(one < KERNELS_MILLIS for one in found), found


def test_opt_outs_under_loss(networked, full, figure):
    """30 % of all packets lost in every direction: each opt-out is answered 200, and is denied
    everywhere as soon as the nodes are equal.
    """
    cluster = networked(kind="namespaces")
    readers = [address() for _ in range(10 * OPT_OUTS if full else OPT_OUTS)]
    tokens = [link["token"] for link in Api(cluster.node).links(readers)]
    for one in range(3):
        for other in {0, 1, 2} - {one}:
            cluster.network.lose(one, other, LOSS)
    kinds = {"quorum": 0, "local": 0}
    for turn, token in enumerate(tokens):
        answer = one_click(cluster.nodes[turn % 3], token)
        assert answer.status == 200, answer
        kinds[answer.header("Quell-Durability")] += 1
    # Still at 30 %: nodes become equal on such a network, not only on one that was healed.
    cluster.settle(60)
    for node in cluster.nodes:
        assert {one["decision"] for one in Api(node).check_many(readers)} == {"deny"}
    figure(f"{LOSS} % lost: {kinds}, all denied everywhere")
