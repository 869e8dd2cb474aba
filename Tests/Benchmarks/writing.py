"""Rows of writing: one-click opt-outs beside inserts, import beside COPY."""

import time

import cluster
import people
from api import FORM, ONE_CLICK, Api
from drivers import pgbench, write_requests, wrk
from processes import Failed, blocks_bytes, metrics, settle
from references import Postgres
from rounds import alternate
from session import Row, middle, paired

TABLE = """
    DROP TABLE IF EXISTS optout;
    CREATE TABLE optout (
        person bigint, topic int, since timestamptz DEFAULT now(), PRIMARY KEY (person, topic))"""

# The goals were set for three processes beside a synchronous standby, a slower reference.
GOAL_64 = ">= 3 (beside a standby)"
GOAL_1 = "<= 1.3 (beside a standby)"


class Clicks:
    """wrk with links that nobody has used: every request is an opt-out of its own."""

    def __init__(self, session, node, others=()):
        self.session, self.node, self.nodes = session, node, [node, *others]
        self.key = Api(node)
        self.used = 0
        self.rate = {}

    def prepared(self, count):
        """A file of requests with `count` fresh links."""
        made = []
        while len(made) < count:
            part = min(10_000, count - len(made))
            made += self.key.links([
                people.address(self.used + i).decode() for i in range(part)])
            self.used += part
        return write_requests(
            self.session.dir / "clicks.txt", ["/u/" + link["token"] for link in made],
            "POST", ONE_CLICK, f"Content-Type: {FORM}")

    def records(self):
        """Changes that the node's log has committed since its start."""
        return metrics(self.node)["quell_log_records_total"]

    def run(self, connections, seconds=None):
        """One run whose links did not run out; the log must have grown by each answer."""
        seconds = seconds or self.session.seconds
        rate = self.rate.get(connections, 2_000 + 400 * connections)
        for _ in range(4):
            count = int(1.5 * rate * seconds) + 1_000
            requests = self.prepared(count)
            before = self.records()
            said = wrk(cluster.split(self.node.http)[1], requests, connections, seconds)
            if said.requests <= count:
                # Two other voters may have decided before this node's own log had the last ones.
                cluster.eventually(
                    lambda: self.records() - before >= said.requests,
                    f"{said.requests} records in the log", 10, every=0.05)
                # What waits for the checkpointers would slow the reference's next round.
                for node in self.nodes:
                    settle(node)
                self.rate[connections] = said.rate
                return said
            rate = 2 * said.rate
        raise Failed("the links ran out four times")


def click_rows(session):
    """c: one-click POST beside an insert, 64 connections by rate and 1 connection by latency."""
    rows = []
    with session.node() as node, session.server(Postgres) as postgres:
        clicks = Clicks(session, node)
        postgres.sql(TABLE)
        beside = "one node | one PostgreSQL without standby"
        clicks.run(64)
        pgbench(postgres, 64, session.seconds)
        measured = alternate(
            lambda: pgbench(postgres, 64, session.seconds).rate, lambda: clicks.run(64).rate,
            session.rounds, session.say)
        rows.append(paired(
            "c", f"one-click POST, 64 connections, {beside}", measured, "k/s", GOAL_64,
            lambda ratio: ratio >= 3, scale=1e-3))
        clicks.run(1)
        measured = alternate(
            lambda: pgbench(postgres, 1, session.seconds).mean, lambda: clicks.run(1).mean,
            session.rounds, session.say)
        rows.append(paired(
            "c", f"one-click POST, 1 connection, mean latency, {beside}", measured, "ms",
            GOAL_1, lambda ratio: ratio <= 1.3))
    return rows


def import_rows(session):
    """d: a CSV of fresh people into an empty node beside COPY of it into an empty table."""
    marks = session.import_marks
    path = session.csv(marks)
    seen = {}
    with session.server(Postgres) as postgres:
        postgres.sql("CREATE TABLE people (address text PRIMARY KEY)")

        def reference():
            postgres.sql("TRUNCATE people")
            postgres.sql("CHECKPOINT")
            with open(path, "rb") as file:
                begun = time.monotonic()
                postgres.sql("COPY people FROM STDIN (FORMAT csv, HEADER)", file)
                taken = time.monotonic() - begun
            assert int(postgres.sql("SELECT count(*) FROM people")) == marks
            seen["reference_bytes"] = int(
                postgres.sql("SELECT pg_total_relation_size('people')"))
            return marks / taken

        def our_side():
            with session.node() as node:
                people.imports(node)
                begun = time.monotonic()
                seen["way"] = people.load(node, path, people.suppressed(marks))
                taken = time.monotonic() - begun
                node.stop()
                node.run()
                count = node.status()["marks"]["count"]
                if count != marks:
                    raise Failed(f"{marks:,} were taken, {count:,} are there after a restart")
                node.stop()
                seen["bytes"] = blocks_bytes(node.data / "state.mdb")
            return marks / taken
        measured = alternate(reference, our_side, session.rounds, session.say)
    ours, theirs = seen["bytes"] / marks, seen["reference_bytes"] / marks
    seconds = marks / middle(measured.ours), marks / middle(measured.reference)
    return [
        paired("d", f"import of {marks:,} by {seen['way']} ({seconds[0]:.2f} s) | PostgreSQL "
               f"COPY ({seconds[1]:.2f} s)", measured, "k/s", ">= 1", lambda ratio: ratio >= 1,
               scale=1e-3),
        Row("d", "bytes a mark in state.mdb | bytes a row with its index", f"{ours:.1f} B",
            f"{theirs:.1f} B", f"{ours / theirs:.2f}",
            figures={"ours": ours, "reference": theirs})]
