"""Rows of several processes: opt-outs that a majority has, and how soon every node knows them."""

import contextlib
import select
import socket
import time

import cluster
import people
from api import FORM, ONE_CLICK, Api
from drivers import pgbench
from processes import Failed
from references import Postgres, Serf
from rounds import alternate, percentile
from serf_rpc import Agent
from session import Row, paired
from writing import TABLE, Clicks

PER_SECOND = 50
"""Events begun a second on either side: each is measured alone, and serf's queue stays short."""

PATIENCE = 10
"""Seconds within which every node must know one event."""


def majority_rows(session):
    """h: one-click POST to one of three voters beside an insert with a synchronous standby."""
    rows = []
    with session.nodes(3, "--loops", "1") as nodes, session.server(Postgres) as primary, \
            session.server(Postgres, primary):
        primary.wait_for_standby()
        primary.sql(TABLE)
        clicks = Clicks(session, nodes[0], nodes[1:])
        beside = "three voters | PostgreSQL with a synchronous standby"
        clicks.run(64)
        pgbench(primary, 64, session.seconds)
        measured = alternate(
            lambda: pgbench(primary, 64, session.seconds).rate, lambda: clicks.run(64).rate,
            session.rounds, session.say)
        rows.append(paired(
            "h", f"one-click POST, 64 connections, {beside}", measured, "k/s", ">= 3",
            lambda ratio: ratio >= 3, scale=1e-3))
        clicks.run(1)
        measured = alternate(
            lambda: pgbench(primary, 1, session.seconds).mean, lambda: clicks.run(1).mean,
            session.rounds, session.say)
        rows.append(paired(
            "h", f"one-click POST, 1 connection, mean latency, {beside}", measured, "ms",
            "<= 1.3", lambda ratio: ratio <= 1.3))
    return rows


class Watched:
    """One event: milliseconds from its start to its answer, and to the last node that knew it."""

    def __init__(self, answered, known):
        self.answered, self.known = answered, known

    @property
    def after(self):
        """From the answer to the last node; 0 when all knew it before the caller did."""
        return max(0.0, self.known - self.answered)


class Observer:
    """One RESP client a node and one HTTP client for the clicks, all in one thread.

    Whoever was not told `denied` asks again at once: a node's answer is one round trip old.
    """

    def __init__(self, nodes):
        self.clicked, self.nodes = nodes[0], nodes
        self.asking = [people.resp(node) for node in nodes[1:]]
        self.link = socket.create_connection(cluster.split(self.clicked.http), timeout=PATIENCE)
        self.link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for one in self.asking:
            one.link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.key, self.used, self.ready = Api(self.clicked), 0, []

    def person(self):
        """A person nobody has opted out, with a link."""
        if not self.ready:
            made = [people.address(self.used + i) for i in range(1_000)]
            self.used += len(made)
            links = self.key.links([each.decode() for each in made])
            self.ready = list(zip(made, [link["token"] for link in links]))
        return self.ready.pop()

    def click(self):
        """One opt-out, from its first byte to the answer and to the last node that denies."""
        person, token = self.person()
        request = (
            f"POST /u/{token} HTTP/1.1\r\nHost: quell\r\nContent-Type: {FORM}\r\n"
            f"Content-Length: {len(ONE_CLICK)}\r\n\r\n{ONE_CLICK}").encode()
        question = [b"SISMEMBER", people.SET.encode(), person]
        begun = time.perf_counter()
        self.link.sendall(request)
        waiting = {one.link: one for one in self.asking}
        for one in waiting.values():
            one.send(question)
        waiting[self.link] = None
        answered = known = None
        while waiting:
            now = time.perf_counter()
            if now - begun > PATIENCE:
                raise Failed(f"not known on {len(waiting)} nodes after {PATIENCE} s")
            for link in select.select(list(waiting), [], [], 1)[0]:
                one = waiting[link]
                if one is None:
                    answer = link.recv(65_536)
                    answered = time.perf_counter()
                    if b" 200 " not in answer or b"Quell-Durability: quorum" not in answer:
                        raise Failed(f"a click was answered {answer[:200]!r}")
                    del waiting[link]
                elif one.read() == b":1":
                    known = time.perf_counter()
                    del waiting[link]
                else:
                    one.send(question)
        return Watched((answered - begun) * 1e3, (known - begun) * 1e3)

    def close(self):
        """Ends all connections."""
        self.link.close()
        for one in self.asking:
            one.close()


class Listeners:
    """A stream of every agent's user events, and a connection that sends them."""

    def __init__(self, agents):
        self.streams = [Agent(agent.port) for agent in agents]
        self.sender = Agent(agents[0].port)
        for stream in self.streams:
            stream.call("stream", {"Type": "user"})
        self.sent = 0

    def events(self, seconds):
        """Sends events at the pace; waits until each was heard on every agent."""
        begun, answered, heard, numbers = {}, {}, {}, {}
        sockets = {one.link: one for one in [*self.streams, self.sender]}
        count, start = max(1, int(PER_SECOND * seconds)), time.perf_counter()
        end = start + seconds + PATIENCE
        while len(begun) < count or any(n < len(self.streams) for n, _ in heard.values()) \
                or len(heard) < count:
            now = time.perf_counter()
            if now > end:
                raise Failed(f"serf: {count} events, {len(heard)} heard somewhere")
            due = start + len(begun) / PER_SECOND
            if len(begun) < count and now >= due:
                self.sent += 1
                name = b"e%d" % self.sent
                begun[name] = time.perf_counter()
                number = self.sender.send(
                    "event", {"Name": name, "Payload": b"", "Coalesce": False})
                numbers[number] = name
                continue
            wait = max(0.0, due - now) if len(begun) < count else 0.5
            for link in select.select(list(sockets), [], [], min(wait, 0.5))[0]:
                for said in sockets[link].read():
                    at = time.perf_counter()
                    if link is self.sender.link:
                        answered[numbers[said[b"Seq"]]] = at
                    elif said.get(b"Name") in begun:
                        heard[said[b"Name"]] = (heard.get(said[b"Name"], (0, 0))[0] + 1, at)
        return [
            Watched((answered[name] - begun[name]) * 1e3, (heard[name][1] - begun[name]) * 1e3)
            for name in begun]

    def close(self):
        """Ends all connections."""
        for one in [*self.streams, self.sender]:
            one.close()


def clicks(observer, seconds):
    """Opt-outs at the pace, one after the other."""
    found, start = [], time.perf_counter()
    for turn in range(max(1, int(PER_SECOND * seconds))):
        time.sleep(max(0.0, start + turn / PER_SECOND - time.perf_counter()))
        found.append(observer.click())
    return found


def told(watched):
    """p50 and p99 from the answer, and from the start."""
    after = [each.after for each in watched]
    known = [each.known for each in watched]
    return {
        "after_p50": percentile(after, 0.5), "after_p99": percentile(after, 0.99),
        "start_p50": percentile(known, 0.5), "start_p99": percentile(known, 0.99),
        "count": len(watched)}


def line(figures):
    """The figures of one side as text."""
    return (
        f"p50 {figures['after_p50']:.2f} p99 {figures['after_p99']:.2f} ms after the answer; "
        f"p50 {figures['start_p50']:.2f} p99 {figures['start_p99']:.2f} ms from the start")


@contextlib.contextmanager
def observed(nodes):
    """An observer whose questions are answered by all nodes."""
    made = Observer(nodes)
    try:
        for _ in range(20):
            made.click()
        yield made
    finally:
        made.close()


def visible_rows(session):
    """i: an opt-out's way to every node: five processes beside five serf agents, then three."""
    rows = []
    with session.nodes(5, "--loops", "1") as nodes, contextlib.ExitStack() as opened:
        agents = []
        for n in range(5):
            first = agents[0] if agents else None
            agents.append(opened.enter_context(session.server(Serf, f"a{n + 1}", first)))
        time.sleep(2)
        listeners = opened.enter_context(contextlib.closing(Listeners(agents)))
        observer = opened.enter_context(observed(nodes))
        listeners.events(1)
        ours, theirs = [], []

        def reference():
            watched = listeners.events(session.seconds)
            theirs.extend(watched)
            return told(watched)["start_p99"]

        def our_side():
            watched = clicks(observer, session.seconds)
            ours.extend(watched)
            return told(watched)["start_p99"]
        measured = alternate(reference, our_side, session.rounds, session.say)
    mine, other = told(ours), told(theirs)
    low, high = measured.spread
    rows.append(Row(
        "i", f"visible on every node, five processes ({mine['count']} opt-outs) | "
        f"serf ({other['count']} events)", line(mine), line(other),
        f"{measured.ratio:.3f} ({low:.3f}..{high:.3f})", "p99 <= 10 ms after the answer",
        mine["after_p99"] <= 10,
        {"ours": mine, "reference": other, "ratios": measured.ratios}))
    with session.nodes(3) as nodes, observed(nodes) as observer:
        three = told([
            each for _ in range(session.rounds) for each in clicks(observer, session.seconds)])
    rows.append(Row(
        "i", f"a one-click on n1 is denied on n2 and n3 ({three['count']} opt-outs)", line(three),
        goal="p99 <= 10 ms after the answer", is_met=three["after_p99"] <= 10, figures=three))
    return rows
