"""Rows of reading: RESP beside Redis, HTTP beside nginx."""

import urllib.parse

import cluster
import people
from drivers import redis_benchmark, write_requests, wrk
from processes import Failed, metrics
from references import Nginx, Redis
from rounds import alternate
from session import Row, paired

COMPARED = 10_000
"""Random people whose answers must be the same on both sides before anything is timed."""

URLS = 100_000
"""Different questions that wrk replays: far more than a cache line, few enough to prepare."""


def decisions(node):
    """allow, deny and unknown that the node has counted."""
    now = metrics(node)
    return {
        word: now[f'quell_check_decisions_total{{decision="{word}"}}']
        for word in ("allow", "deny", "unknown")}


def half_hit(node, before):
    """Fails unless the answers since `before` were real ones: half allow, half deny."""
    now = decisions(node)
    told = {word: now[word] - before[word] for word in now}
    total = sum(told.values())
    if told["unknown"] or not total or not 0.45 < told["deny"] / total < 0.55:
        raise Failed(f"not half hits: {told}")
    return total


def resp_rows(session):
    """a: SISMEMBER at depth 64 on one loop, and the memory that either side takes for it."""
    node = session.full_node()
    with session.server(Redis) as redis:
        session.say("filling Redis")
        filling = people.Resp(redis.port)
        people.add(filling, people.suppressed(session.marks))
        filling.send([b"SCARD", people.SET.encode()])
        assert filling.read() == b":%d" % session.marks
        asked = people.sample(session.marks, COMPARED)
        ours = people.Resp(cluster.split(node.resp)[1], people.login(node))
        theirs = people.members(filling, asked)
        if people.members(ours, asked) != theirs:
            raise Failed("Quell and Redis answer differently; nothing is timed")
        session.say(f"{COMPARED:,} answers are equal, {theirs.count(b':1'):,} of them hits")
        ours.close()
        filling.close()

        rates = {}

        def timed(name, port, login=()):
            # redis-benchmark runs by count, so the last rate says how many make a round.
            requests = int(rates.get(name, 200_000) * session.seconds)
            rates[name] = redis_benchmark(port, session.marks, requests, session.seconds, login)
            return rates[name]

        def reference():
            return timed("redis", redis.port)

        def our_side():
            return timed("quell", cluster.split(node.resp)[1], people.login(node))
        reference()
        our_side()
        before = decisions(node)
        measured = alternate(reference, our_side, session.rounds, session.say)
        half_hit(node, before)
        taken, their_taken = cluster.anonymous_bytes(node.pid), cluster.anonymous_bytes(redis.pid)
    share = taken / their_taken
    is_full = session.marks >= 10_000_000
    return [
        paired("a", f"RESP SISMEMBER, depth 64, {session.marks:,} marks, one loop | Redis",
               measured, "M/s", ">= 2.5", lambda ratio: ratio >= 2.5, scale=1e-6),
        Row("a", f"anonymous memory, {session.marks:,} marks | Redis", f"{taken / 1e6:,.1f} MB",
            f"{their_taken / 1e6:,.1f} MB", f"{share:.3f}",
            "<= 0.125" + ("" if is_full else " at 10 M"), share <= 1 / 8 if is_full else None,
            {"ours": taken, "reference": their_taken, "ratio": share})]


def sized(connection_port, path, headers=None):
    """The body's length of one answer, which must be a 200."""
    answer = cluster.call(f"127.0.0.1:{connection_port}", "GET", path, headers=headers)
    if answer.status != 200:
        raise Failed(f"GET {path}: {answer}")
    return len(answer.body)


def http_rows(session):
    """b: GET check on one loop beside one nginx worker that returns a body of the same length."""
    node = session.full_node()
    port = cluster.split(node.http)[1]
    key = f"Bearer {node.cluster.api_key}"

    def path(person):
        return "/v1/check?" + urllib.parse.urlencode({
            "stream": "marketing", "topic": "news", "address": person.decode()}, safe="@")
    asked = people.sample(session.marks, URLS)
    lengths = [sized(port, path(person), {"Authorization": key}) for person in asked[:20]]
    length = round(sum(lengths) / len(lengths))
    requests = write_requests(
        session.dir / "checks.txt", map(path, asked), header=f"Authorization: {key}")
    with session.server(Nginx, "x" * length) as nginx:
        assert sized(nginx.port, "/") == length

        def reference():
            return wrk(nginx.port, requests, 50, session.seconds).rate

        def our_side():
            return wrk(port, requests, 50, session.seconds).rate
        reference()
        our_side()
        before = decisions(node)
        measured = alternate(reference, our_side, session.rounds, session.say)
        half_hit(node, before)
    return [paired(
        "b", "HTTP GET check, keep-alive, 50 connections, one loop, built-in function | "
        f"nginx return 200, one worker, {length} B", measured, "k/s", ">= 0.9",
        lambda ratio: ratio >= 0.9, scale=1e-3, body_bytes=length)]
