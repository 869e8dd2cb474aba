"""Row i: how soon every node knows an opt-out, beside five agents of serf, quiet and in trouble.

Serf promises nothing about an event that gossip did not bring. Each agent says what is new in each
of three datagrams a tick, four times in all, so with five agents the same one is missed by all of
them one time in two hundred, and with it all events of that tick; agents exchange their whole state
every 30 s, but remember 512 events. So what serf loses is counted and printed, and its percentiles
are of what was heard. Ours may lose nothing: one opt-out that a node does not know in time, and
there is no row.
"""

import contextlib
import select
import socket
import time

import cluster
import dial
import people
import torrent
from api import Api
from load import one_click_bytes
from processes import Failed
from references import Serf
from rounds import alternate, percentile
from serf_rpc import Agent
from session import Row

PER_SECOND = 50
"""Events begun a second on either side: each is measured alone, and serf's queue stays short.

Serf's gossip carries some 100 a second between five agents: 28 in a datagram, three datagrams each
200 ms, each event four times.
"""

PAUSE = 0.000_2
"""Seconds between two questions to a node: a fiftieth of the goal."""

PATIENCE = 10
"""Seconds within which every node must know one event."""

LOAD, LOADERS, WARM = 1_000, 200, 1.0
"""Opt-outs a second beside the measured ones, by how many connections, and for how many seconds
before the first and after the last measured one.
"""

LOSS = 30
"""Of a hundred packets, datagrams and those of links alike, in each direction."""

HOSTS = 5


class Watched:
    """One event: milliseconds from its start to its answer, and to the last node that knew it."""

    def __init__(self, answered, known, durability="quorum"):
        self.answered, self.known, self.durability = answered, known, durability

    @property
    def after(self):
        """From the answer to the last node; 0 when all knew it before the caller did."""
        return max(0.0, self.known - self.answered)


class Observer:
    """One RESP client a node and one HTTP client for the clicks, all in one thread.

    Whoever was not told `denied` asks again after PAUSE, so that asking does not take the cores
    that the nodes need: what is measured is one round trip and one pause late at most.
    """

    def __init__(self, nodes):
        self.clicked, self.nodes = nodes[0], nodes
        self.key, self.used, self.ready = Api(self.clicked), 0, []
        self.connect()

    def connect(self):
        """Connections that last for one round: nodes end those that are silent for 30 s."""
        self.asking = [people.resp(node) for node in self.nodes[1:]]
        self.link = dial.connect(*cluster.split(self.clicked.http), timeout=PATIENCE)
        for link in (self.link, *(one.link for one in self.asking)):
            link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

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
        question = [b"SISMEMBER", people.SET.encode(), person]
        begun = time.perf_counter()
        self.link.sendall(one_click_bytes(token))
        waiting = {one.link: one for one in self.asking}
        for one in waiting.values():
            one.send(question)
        waiting[self.link] = None
        answered, known, durability = None, begun, None
        while waiting:
            if time.perf_counter() - begun > PATIENCE:
                raise Failed(f"not known on {len(waiting)} nodes after {PATIENCE} s")
            again = []
            for link in select.select(list(waiting), [], [], 1)[0]:
                one = waiting[link]
                if one is None:
                    answer = link.recv(65_536)
                    answered = time.perf_counter()
                    durability = durability_of(answer)
                    del waiting[link]
                elif one.read() == b":1":
                    known = time.perf_counter()
                    del waiting[link]
                else:
                    again.append(one)
            time.sleep(PAUSE if again else 0)
            for one in again:
                one.send(question)
        return Watched((answered - begun) * 1e3, (known - begun) * 1e3, durability)

    def clicks(self, seconds):
        """Opt-outs one after the other for the time, at the pace at most."""
        self.close()
        self.connect()
        found, start = [], time.perf_counter()
        while not found or time.perf_counter() - start < seconds:
            time.sleep(max(0.0, start + len(found) / PER_SECOND - time.perf_counter()))
            found.append(self.click())
        return found

    def close(self):
        """Ends all connections."""
        self.link.close()
        for one in self.asking:
            one.close()


def durability_of(answer):
    """`quorum` or `local` of an answer that must be a 200."""
    for kind in ("quorum", "local"):
        if b" 200 " in answer and b"Quell-Durability: " + kind.encode() in answer:
            return kind
    raise Failed(f"a click was answered {answer[:200]!r}")


class Listeners:
    """A stream of every agent's user events, and a connection that sends them."""

    def __init__(self, agents):
        self.streams = [Agent(agent.host, agent.port) for agent in agents]
        self.sender = Agent(agents[0].host, agents[0].port)
        for stream in self.streams:
            stream.call("stream", {"Type": "user"})
        self.sent = 0

    def events(self, seconds, rate=PER_SECOND):
        """Sends events at the pace; those that all agents heard in time, and how many were sent."""
        begun, answered, heard, numbers = {}, {}, {}, {}
        sockets = {one.link: one for one in [*self.streams, self.sender]}
        count, start = max(1, int(rate * seconds)), time.perf_counter()
        whole, last = 0, start + seconds
        while (whole < count or len(answered) < count) and time.perf_counter() < last + PATIENCE:
            now = time.perf_counter()
            due = start + len(begun) / rate
            if len(begun) < count and now >= due:
                self.sent += 1
                name = b"e%d" % self.sent
                begun[name] = last = time.perf_counter()
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
                    elif (name := said.get(b"Name")) in begun:
                        heard[name] = (heard.get(name, (0, 0))[0] + 1, at)
                        whole += heard[name][0] == len(self.streams)
        return [
            Watched((answered[name] - begun[name]) * 1e3, (at - begun[name]) * 1e3)
            for name, (times, at) in heard.items()
            if times == len(self.streams) and name in answered], len(begun)

    def close(self):
        """Ends all connections."""
        for one in [*self.streams, self.sender]:
            one.close()


class Load:
    """Opt-outs of other clients at all nodes, at a pace that no answer slows."""

    def __init__(self, session, nodes, name):
        self.session, self.nodes = session, nodes
        self.name, self.results = name, []
        links = Api(nodes[0]).links([f"load.{n}@example.org" for n in range(4 * LOAD)])
        self.requests = [one_click_bytes(link["token"]) for link in links]

    @contextlib.contextmanager
    def __call__(self):
        """Goes on for the length of a block of `session.seconds`, and begins before it."""
        process = torrent.start(
            self.session.dir, self.name, self.nodes, self.requests, rate=LOAD,
            connections=LOADERS, window=16, seconds=self.session.seconds + 2 * WARM)
        try:
            cluster.eventually(process.begun.exists, "the load has begun", 60)
            time.sleep(WARM)
            yield
        finally:
            self.results.append(torrent.finish(process))

    def told(self):
        """What became of them."""
        outcomes = {}
        for result in self.results:
            for outcome, count in result["outcomes"].items():
                outcomes[outcome] = outcomes.get(outcome, 0) + count
        sending = sum(result["sending"] for result in self.results)
        sent = sum(result["sent"] for result in self.results)
        return {"per_second": sent / sending, "outcomes": outcomes, **{
            kind: sum(result[kind] for result in self.results)
            for kind in ("withheld", "broken", "unanswered")}}


def told(watched, sent):
    """p50 and p99 from the answer and from the start, and how many were not known in time."""
    after = [each.after for each in watched]
    known = [each.known for each in watched]
    return {
        "after_p50": percentile(after, 0.5), "after_p99": percentile(after, 0.99),
        "start_p50": percentile(known, 0.5), "start_p99": percentile(known, 0.99),
        "max": max(known), "count": sent, "lost": sent - len(watched),
        "local": sum(each.durability == "local" for each in watched)}


def line(figures):
    """The figures of one side as text."""
    lost = f"; {figures['lost']} not everywhere in {PATIENCE} s" if figures["lost"] else ""
    local = f"; {figures['local']} answered local" if figures["local"] else ""
    return (
        f"p50 {figures['after_p50']:.2f} p99 {figures['after_p99']:.2f} ms after the answer; "
        f"p50 {figures['start_p50']:.2f} p99 {figures['start_p99']:.2f} "
        f"max {figures['max']:.0f} ms from the start{lost}{local}")


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


class Side:
    """What one side's rounds measured, all together."""

    def __init__(self):
        self.watched, self.sent = [], 0

    def add(self, watched, sent):
        """One round; its p99 from the start."""
        self.watched += watched
        self.sent += sent
        if not watched:
            raise Failed(f"none of {sent} events was everywhere within {PATIENCE} s")
        return told(watched, sent)["start_p99"]

    def told(self):
        """The figures of all rounds."""
        return told(self.watched, self.sent)


@contextlib.contextmanager
def gossiping(session, hosts):
    """Five agents of serf that know each other, and who listens to them."""
    with contextlib.ExitStack() as opened:
        agents = []
        for n, host in enumerate(hosts):
            first = agents[0] if agents else None
            agents.append(opened.enter_context(session.server(Serf, f"a{n + 1}", first, host)))
        listeners = opened.enter_context(contextlib.closing(Listeners(agents)))
        time.sleep(2)
        listeners.events(1)
        yield listeners


def beside_serf(session, observer, listeners, during=contextlib.nullcontext):
    """Alternating rounds; both sides' figures and the ratio of their p99."""
    ours, theirs = Side(), Side()

    def our_side():
        with during():
            watched = observer.clicks(session.seconds)
        return ours.add(watched, len(watched))
    measured = alternate(
        lambda: theirs.add(*listeners.events(session.seconds)), our_side, session.rounds,
        session.say)
    return ours.told(), theirs.told(), measured


def spread_row(what, goal, mine, other, measured, **figures):
    """One situation of both sides as a row; without a goal nothing is judged."""
    low, high = measured.spread
    return Row(
        "i", f"visible on every node, five processes{what} ({mine['count']} opt-outs) | "
        f"serf ({other['count']} events)", line(mine), line(other),
        f"{measured.ratio:.3f} ({low:.3f}..{high:.3f})",
        "p99 <= 10 ms after the answer" if goal else "-",
        mine["after_p99"] <= 10 if goal else None,
        {"ours": mine, "reference": other, "ratios": measured.ratios, **figures})


def calm_rows(session):
    """Five processes on loopback: alone, and while 1,000 other opt-outs a second go on."""
    with session.nodes(HOSTS, "--loops", "1") as nodes, \
            gossiping(session, ["127.0.0.1"] * HOSTS) as listeners, observed(nodes) as observer:
        yield spread_row("", True, *beside_serf(session, observer, listeners))
        load = Load(session, nodes, "load")
        found, said = beside_serf(session, observer, listeners, load), load.told()
        session.say(f"the load: {said}")
        if set(said["outcomes"]) != {"200"} or said["withheld"]:
            raise Failed(f"the load was not taken whole: {said}")
        yield spread_row(f", {LOAD:,} opt-outs/s beside", True, *found, load=said)
        # What serf does with as many, so that nobody takes its row for one under the same load.
        watched, sent = listeners.events(session.seconds, LOAD)
        session.say(f"serf at {LOAD:,} events/s: {len(watched)} of {sent} heard by every agent "
                    f"within {PATIENCE} s of the last")


def lossy_rows(session):
    """The same under load in namespaces whose packets are lost by chance, TCP and UDP alike."""
    with session.networked(HOSTS, "--loops", "1") as (network, nodes), \
            gossiping(session, map(network.host, range(HOSTS))) as listeners, \
            observed(nodes) as observer:
        for source in range(HOSTS):
            for target in set(range(HOSTS)) - {source}:
                network.lose(source, target, LOSS)
        load = Load(session, nodes, "lossy")
        found, said = beside_serf(session, observer, listeners, load), load.told()
        session.say(f"the load: {said}")
        yield spread_row(
            f", {LOAD:,} opt-outs/s beside, {LOSS} % of all packets lost", False, *found,
            load=said)


def visible_rows(session):
    """i: an opt-out's way to every node: five processes beside five serf agents, then three."""
    rows = list(calm_rows(session))
    if why := session.no_namespaces():
        session.say(f"LOSS NOT MEASURED, no network namespaces with nftables here: {why}")
    else:
        rows += lossy_rows(session)
    with session.nodes(3) as nodes, observed(nodes) as observer:
        watched = [
            each for _ in range(session.rounds) for each in observer.clicks(session.seconds)]
    three = told(watched, len(watched))
    rows.append(Row(
        "i", f"a one-click on n1 is denied on n2 and n3 ({three['count']} opt-outs)", line(three),
        goal="p99 <= 10 ms after the answer", is_met=three["after_p99"] <= 10, figures=three))
    return rows
