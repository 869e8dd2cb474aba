"""A fourth and a fifth node join under load: how soon, at what cost, and nothing wrongly allowed.

Half of the marks come from an import (many people under one dot), half one by one, as opt-outs do.
The history holds every answer that the joiners gave on their way.
"""

import contextlib
import socket
import time

from api import Api
from checker import ANSWERED
from clients import Crowd, People
from cluster import eventually, split
from joining import asked, joiner
from history import now
from outcome import BOUND, checked
from planted import fill

CLICKS, CHECKS = 8, 5
# Bytes of a mark that one opt-out made, key and value: what a joiner must get at the very least.
FLOOR = 33 + 57


def one_by_one(node, count):
    """Opts people out, each under a dot of its own, pipelined."""
    with socket.create_connection(split(node.resp)) as link:
        link.sendall(f"AUTH demo {node.cluster.api_key}\r\n".encode())
        link.recv(100)
        for first in range(0, count, 256):
            run = range(first, min(first + 256, count))
            link.sendall("".join(
                f"SADD marketing:news one.{n}@people.example\r\n" for n in run).encode())
            answers = b""
            while answers.count(b"\r\n") < len(run):
                part = link.recv(65536)
                assert part, "the node closed the connection"
                answers += part
            assert b"-" not in answers, answers[:200]


def read_bytes(node):
    """What a process has read from its sockets; LMDB's pages are mapped and not counted."""
    with open(f"/proc/{node.pid}/io", encoding="ascii") as lines:
        return int(next(lines).split()[1])


def seconds_of(node):
    """Processor time of a process."""
    with open(f"/proc/{node.pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def percent(node):
    """How far a joiner is; 100 once it is through, None while it cannot be asked."""
    status = asked(node)
    if status is None:
        return None
    return status["joining"]["percent"] if status["joining"] else 100


class Rig:
    """Three full nodes and the places of two more."""

    def __init__(self, fresh, full, history, tmp_path, rate):
        self.count = 1_000_000 if full else 20_000
        flags = (("--pull-rate", rate),) if rate else ()
        self.cluster = fresh("--staleness-bound", f"{BOUND}s", nodes=3)
        self.full, self.history = full, history
        fill(self.cluster, self.count // 2, tmp_path)
        one_by_one(self.cluster.node, self.count - self.count // 2)
        self.cluster.settle(120)
        self.crowd = Crowd(self.cluster, history, People(Api(self.cluster.node), 5_000))
        peers = [node.entry["peer"] for node in self.cluster.nodes]
        self.joiners = [
            joiner(self.cluster, name, name, *peers, flags=flags, run=False)
            for name in ("n4", "n5")]

    def run(self, strike):
        """Opt-outs at the three and checks at all five, while `strike` joins nodes."""
        clicks = self.crowd.click

        async def click(index, _, chance):
            return await clicks(index, self.cluster.nodes[index % 3], chance)

        self.crowd.click = click
        self.cluster.nodes += self.joiners
        self.crowd.run(CLICKS, CHECKS, strike)
        self.cluster.settle(60)
        self.crowd.finish()

    def start(self, node):
        """Begins to join; answers when."""
        node.run(wait=False)
        self.cluster.node_pids.add(node.pid)
        return time.monotonic()

    def ready(self, node, begun):
        """Waits until it is; answers the seconds, and when it was last seen not to be."""
        unready = [now()]

        def is_ready():
            asking = now()
            if node.is_ready():
                return True
            unready.append(asking)
            return False

        eventually(is_ready, f"{node.name} ready; {node.log_end()}", 240, every=0.05)
        return time.monotonic() - begun, unready[-1]


def never_allowed(history, name, until):
    """The joiner's answers before it was ready: deny and unknown, and how many."""
    answers = [
        one["outcome"] for one in history.operations
        if one["op"] == "check" and one["node"] == name and one["return"] < until
        and one["outcome"] in ANSWERED]
    assert "allow" not in answers, f"{name} allowed somebody before it was ready"
    assert answers, f"{name} was asked nothing before it was ready"
    return len(answers)


def test_two_join_under_load(fresh, full, history, figure, tmp_path):
    """Seconds to ready, bytes over the floor; no allow before ready, none wrong after."""
    # The short form is slowed down, so that something is asked on the way.
    rig = Rig(fresh, full, history, tmp_path, None if full else "256KiB")
    ready, waiting = {}, {}
    for node in rig.joiners:
        waiting[node.name] = contextlib.ExitStack()
        waiting[node.name].enter_context(history.down(node.name))

    def strike():
        for node in rig.joiners:
            before = {one.name: seconds_of(one) for one in rig.cluster.nodes[:3]}
            with waiting[node.name]:
                took, ready[node.name] = rig.ready(node, rig.start(node))
            marks, got = node.status()["marks"]["count"], read_bytes(node)
            donors = sum(seconds_of(one) - before[one.name] for one in rig.cluster.nodes[:3])
            figure(
                f"{node.name}: ready after {took:.1f} s with {marks} marks; {got} bytes read, "
                f"{got / marks:.1f} a mark, {got / (marks * FLOOR):.2f} of {FLOOR} bytes a mark; "
                f"processor {seconds_of(node):.1f} s, the three others {donors:.1f} s")

    rig.run(strike)
    asked_early = sum(never_allowed(history, name, ready[name]) for name in ready)
    checker = checked(history, rig.cluster, BOUND, figure)
    seconds = (history.operations[-1]["return"] - history.operations[0]["invoke"]) / 1e9
    figure(f"{checker.count('optout', '200') / seconds:.0f} opt-outs a second meanwhile; "
           f"{asked_early} answers of joiners before they were ready, none of them allow")
    assert not any(checker.failures()[node.name] for node in rig.cluster.nodes[:3])


def test_donor_and_joiner_are_killed(fresh, full, history, figure, tmp_path):
    """kill -9 of the donors and of the joiner in the middle: it goes on, and nothing is lost."""
    rig = Rig(fresh, full, history, tmp_path, "1MiB" if full else "64KiB")
    cluster, (node, _) = rig.cluster, rig.joiners
    rig.joiners = [node]
    seen, first = [], {}
    waiting = contextlib.ExitStack()
    waiting.enter_context(history.down(node.name))

    def middle(least):
        """Waits until it has come so far, and not to the end."""
        found = eventually(
            lambda: (percent(node) or 0) >= least and percent(node), f"{least} %", 240, every=0.02)
        assert found < 100, "joined too soon for a kill in the middle"
        seen.append(found)

    def strike():
        begun = rig.start(node)
        middle(10)
        # Whoever is the donor: each in turn, the others go on.
        for donor in cluster.nodes[:3]:
            with history.down(donor.name):
                donor.kill()
                time.sleep(0.2)
                donor.run()
        assert percent(node) is not None
        middle(20)
        with waiting:
            node.kill()
            begun_again = rig.start(node)
            back = eventually(lambda: percent(node), "its status", 60, every=0.02)
            first["again"] = back
            took, first["ready"] = rig.ready(node, begun_again)
        figure(
            f"donors killed at {seen[0]} %, joiner at {seen[1]} %, which came back with {back} %, "
            f"ready {took:.1f} s later, {time.monotonic() - begun:.1f} s in all")

    rig.run(strike)
    assert first["again"] >= seen[1] - 10, "the second life began anew"
    never_allowed(history, node.name, first["ready"])
    checked(history, cluster, BOUND, figure)
