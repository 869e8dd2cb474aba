"""Rows of several processes: opt-outs that a majority of voters has."""

from drivers import pgbench
from references import Postgres
from rounds import alternate
from session import paired
from writing import TABLE, Clicks


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
