"""DESIGN 7's targets with real processes: bytes, round trips and seconds by number of differences.

`make live` takes 1 M marks and up to 1 M differences; `make test` a hundredth of both. The same
steps stand under load: 1,000 opt-outs a second go on at the other two nodes, each of somebody else,
so that what was planted stays what it is. Two frozen copies of nodes that are written to then
differ by what is on its way as well; it is counted, and nothing else may be.
"""

import contextlib
import random

import pytest

import torrent
from api import Api
from cluster import address, eventually
from load import one_click_bytes
from planted import (
    delete, fill, linked, marks_of, put, repair_at)

LOAD, LOADERS = 1_000, 64
# Links a step; a load that goes on for more than 40 s begins again with the first of them.
LOAD_PEOPLE = 40_000
TRIPS, TRIPS_UNDER_LOAD = 4, 16
# Nothing but samples say how much differs on both sides: 4 or 5, and the goal of DESIGN 7 is 4.
TRIPS_BOTH_SIDES = 6
CHANGED = 1_000
ALONE = ("--staleness-bound", "5s", "--repair-interval", "0")


def told(row, wanted, count):
    """One line of the table."""
    spent = row["bytes_sent"] + row["bytes_received"]
    over = (spent - row["bytes_floor"]) / max(1, row["differences"])
    ratio = f"{row['ratio']:.3f}" if row["ratio"] is not None else "none"
    return (
        f"{wanted} of {count} missing, {row['differences']} found: {spent} bytes, floor "
        f"{row['bytes_floor']}, ratio {ratio}, {over:.1f} bytes over each, "
        f"{row['round_trips']} round trips, {row['seconds']:.3f} s")


@contextlib.contextmanager
def written_to(nodes, tmp_path, name):
    """Opt-outs at these nodes for the length of a block; the result is complete after it."""
    result = {}
    people = [address() for _ in range(LOAD_PEOPLE)]
    requests = [one_click_bytes(link["token"]) for link in Api(nodes[0]).links(people)]
    process = torrent.start(
        tmp_path, name, nodes, requests, rate=LOAD, connections=LOADERS, window=16, seconds=600)
    try:
        eventually(process.begun.exists, "the load has begun", 60)
        yield result
    finally:
        process.terminate()  # it sends no more, and waits for what it sent
        result.update(torrent.finish(process))


def test_table(fresh, full, figure, tmp_path):
    """One-sided differences: exactly those are mended, close to the floor."""
    count = 1_000_000 if full else 10_000
    cluster = fresh(*ALONE, nodes=3)
    fill(cluster, count, tmp_path)
    victim = cluster.nodes[2]
    steps = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000]
    dice = random.Random(1)
    for wanted in [step for step in steps if step <= count]:
        assert victim.stop() in (0, None)
        assert delete(victim, count=wanted, shuffled=dice) == wanted
        victim.run(wait=False)
        linked(victim, *cluster.nodes[:2])
        code, answer = repair_at(cluster, victim, "--peer", "n1")
        row, = answer["peers"]
        assert code == 0 and row["differences"] == row["pulled"] == wanted, row
        figure(told(row, wanted, count))
        assert row["round_trips"] <= TRIPS
        # The other proof that a damaged node needs, so that the next round begins sound.
        assert repair_at(cluster, victim)[0] == 0


@pytest.mark.alone
def test_table_under_load(fresh, full, figure, tmp_path):
    """The same while 1,000 opt-outs a second go on: all that was missing is there afterwards."""
    count = 1_000_000 if full else 10_000
    cluster = fresh(*ALONE, nodes=3)
    fill(cluster, count, tmp_path)
    victim, others = cluster.nodes[2], cluster.nodes[:2]
    dice = random.Random(2)
    for wanted in [1, 10, 100, 1_000] + ([10_000, 100_000] if full else []):
        assert victim.stop() in (0, None)
        assert delete(victim, count=wanted, shuffled=dice) == wanted
        with written_to(others, tmp_path, f"load{wanted}") as load:
            victim.run(wait=False)
            linked(victim, *others)
            _, answer = repair_at(cluster, victim, "--peer", "n1")
        row, = answer["peers"]
        figure(
            told(row, wanted, count) +
            f"; meanwhile {load['sent'] / load['sending']:,.0f} opt-outs/s, {load['outcomes']}")
        assert set(load["outcomes"]) == {"200"} and not load["broken"] and not load["unanswered"]
        assert not row.get("failure") and row["pulled"] >= wanted, row
        # The first guess is the difference of two counts, which says nothing of what is on its way.
        assert row["round_trips"] <= TRIPS_UNDER_LOAD
        cluster.settle(60)
        assert repair_at(cluster, victim)[0] == 0
        victim.wait_ready()


def clicked(node, tokens, tmp_path, name):
    """Sends each link, some more than once; all are answered 200."""
    plan = torrent.finish(torrent.start(
        tmp_path, name, [node], [one_click_bytes(token) for token in tokens], rate=len(tokens),
        connections=len(tokens), window=1, seconds=2))
    assert set(plan["outcomes"]) == {"200"}, plan["outcomes"]
    assert len(plan["acknowledged"]) == len(tokens)


def runs(node):
    """Runs a node that cannot be ready, and waits until it answers."""
    node.run(wait=False)

    def answers():
        try:
            return node.status()
        except (OSError, AssertionError):
            return None
    eventually(answers, f"{node.name} answers")


def test_changed_on_both_sides(fresh, full, figure, tmp_path):
    """1,000 keys that two nodes have changed, each in its own way: both end with the merged mark.

    n1 opts them out while it is alone, n2 and n3 while n1 is down: two values of the same keys,
    neither above the other. Once all are equal, these values are put back: n1's into n1, the
    others' into n3.
    """
    count = 1_000_000 if full else 10_000
    cluster = fresh(*ALONE, nodes=3)
    fill(cluster, count, tmp_path)
    first, second, victim = cluster.nodes
    readers = [address() for _ in range(CHANGED)]
    tokens = [link["token"] for link in Api(first).links(readers)]
    assert first.stop() in (0, None)
    clicked(second, tokens, tmp_path, "theirs")
    for node in (second, victim):
        assert node.stop() in (0, None)
    runs(first)
    clicked(first, tokens, tmp_path, "ours")
    assert first.stop() in (0, None)
    one, other = marks_of(first), marks_of(second)
    changed = [key for key in one if key in other and one[key] != other[key]]
    assert len(changed) == CHANGED
    for node in cluster.nodes:
        node.run(wait=False)
    linked(*cluster.nodes)
    cluster.settle(60)
    for node, values in ((first, one), (victim, other)):
        assert node.stop() in (0, None)
        put(node, {key: values[key] for key in changed})
    for node in (first, victim):
        node.run(wait=False)
    linked(*cluster.nodes)
    assert len(cluster.digests()) == 3
    code, answer = repair_at(cluster, victim, "--peer", "n1")
    row, = answer["peers"]
    figure(told(row, f"{CHANGED} on both sides, none", count))
    assert code == 0 and row["differences"] == CHANGED, row
    assert row["pushed"] == row["pulled"] == CHANGED, row
    assert row["round_trips"] <= TRIPS_BOTH_SIDES, row
    for node in (first, victim):
        assert repair_at(cluster, node)[0] == 0
    cluster.settle(60)
