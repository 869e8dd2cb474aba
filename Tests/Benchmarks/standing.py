"""Rows of a node that stands alone: how soon it is there, what it takes, how late it answers."""

import http.client
import json
import multiprocessing
import socket
import tempfile
import threading
import time
import urllib.parse

import cluster
import people
from cluster import ROOT, anonymous_bytes
from processes import Failed, first_seconds, run, settle
from rounds import percentile
from session import Row, middle

STARTS = 5
"""Starts that are timed; the page cache is warm after the first, so each is of the same kind."""


def ask(connection, node, person):
    """One check; the decision, or None while the node does not answer 200."""
    query = urllib.parse.urlencode({
        "stream": "marketing", "topic": "news", "address": person})
    connection.request(
        "GET", "/v1/check?" + query, headers={"Authorization": f"Bearer {node.cluster.api_key}"})
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        return None
    return b'"decision":"allow"' in body


def first_verdict(node):
    """Runs the node's command and returns the seconds to the first `allow`."""
    person = people.address(1).decode()
    return first_seconds(node, lambda connection: ask(connection, node, person))


def start_rows(session):
    """e: from the command to the first fresh verdict, after a clean stop, page cache warm."""
    node = session.full_node()
    taken = []
    for _ in range(STARTS):
        status = node.stop()
        assert status in (0, None), status
        taken.append(first_verdict(node))
        session.say(f"{taken[-1]:.3f} s")
        node.wait_ready()
    count = node.status()["marks"]["count"]
    assert count == session.marks, f"{count} marks after the start"
    best = middle(taken)
    is_full = session.marks >= 10_000_000
    return [Row(
        "e", f"start with {session.marks:,} marks to the first fresh verdict",
        f"{best:.3f} s ({min(taken):.3f}..{max(taken):.3f})",
        goal="<= 3 s" + ("" if is_full else " at 10 M"), is_met=best <= 3 if is_full else None,
        figures={"seconds": taken})]


def memory_rows(session):
    """f: anonymous memory with all marks, as filled and after a start."""
    node = session.full_node()
    settle(node)
    filled = anonymous_bytes(node.pid)
    node.stop()
    first_verdict(node)
    node.wait_ready()
    settle(node)
    started = anonymous_bytes(node.pid)
    goal = 8 * session.marks + 64 * 10**6
    return [Row(
        "f", f"anonymous memory, {session.marks:,} marks: {how}", f"{taken / 1e6:,.1f} MB",
        goal=f"<= {goal / 1e6:,.0f} MB (8 B a mark + 64 MB)", is_met=taken <= goal,
        figures={"bytes": taken, "goal": goal})
        for how, taken in (("after filling and asking", filled), ("after a start", started))]


def probe(http_address, key, known, ending, found):
    """One check a millisecond on one connection until told to end; sends the latencies in ms."""
    host, port = cluster.split(http_address)
    connection = http.client.HTTPConnection(host, port, timeout=60)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    node = type("Known", (), {"cluster": type("Key", (), {"api_key": key})})
    taken, decided = [], 0
    while not ending.is_set() and len(taken) < 300_000:
        person = people.address(len(taken) % (2 * known)).decode()
        begun = time.perf_counter()
        decided += ask(connection, node, person) is not None
        taken.append((time.perf_counter() - begun) * 1e3)
        time.sleep(0.001)
    connection.close()
    found.put((taken, decided))


def read_slowly(node, count, ending):
    """Asks for `count` verdicts at once and reads one byte of the answer a second."""
    body = b"\n".join(people.address(i) for i in range(count))
    with socket.socket() as link:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        link.connect(cluster.split(node.http))
        link.sendall(
            b"POST /v1/check?stream=marketing&topic=news HTTP/1.1\r\nHost: quell\r\n"
            b"Authorization: Bearer %s\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n"
            % (node.cluster.api_key.encode(), len(body)) + body)
        link.settimeout(10)
        while not ending.wait(1.0):
            if not link.recv(1):
                return


def watched(node, known, work):
    """Latencies of single checks while `work()` runs; what was slow is in the percentiles."""
    context = multiprocessing.get_context("fork")
    ending, found = context.Event(), context.Queue()
    child = context.Process(
        target=probe, args=(node.http, node.cluster.api_key, known, ending, found), daemon=True)
    child.start()
    try:
        work()
    finally:
        ending.set()
    taken, decided = found.get(timeout=90)
    child.join(timeout=10)
    if decided != len(taken):
        raise Failed(f"{len(taken) - decided} checks were not answered 200")
    return taken


def latency_rows(session):
    """g: single checks of another client: alone, beside an import, and with a slow reader too."""
    count, rows = session.import_marks, []
    for name, is_importing, is_slow in (
            ("alone", False, False),
            (f"during an import of {count:,}", True, False),
            (f"during an import of {count:,} and a reader of 1 B/s", True, True)):
        with session.node("--loops", "1") as node:
            people.add(people.resp(node), range(1_000_000_000, 1_000_001_000))
            path, ways = session.csv(count), ["no import"]
            ending = threading.Event()
            slow = threading.Thread(target=read_slowly, args=(node, 10_000, ending), daemon=True)

            def work():
                if not is_importing:
                    time.sleep(2 * session.seconds)
                    return
                # A process of its own: a thread of ours would share the probe's interpreter.
                loader = multiprocessing.get_context("fork").Process(
                    target=people.load, args=(node, path, people.suppressed(count)), daemon=True)
                loader.start()
                loader.join(timeout=600)
                if loader.exitcode != 0:
                    raise Failed(f"the import ended {loader.exitcode}")
            if is_importing:
                ways[0] = "by import" if people.imports(node) else "by SADD for want of import"
            if is_slow:
                slow.start()
            try:
                taken = watched(node, 500, work)
            finally:
                ending.set()
            if is_slow:
                slow.join(timeout=15)
        marks = {share: percentile(taken, share) for share in (0.5, 0.9, 0.99, 0.999)}
        way = f" {ways[0]}" if is_importing else ""
        rows.append(Row(
            "g", f"single checks {name}{way}, one loop ({len(taken):,} checks)",
            f"p50 {marks[0.5]:.2f} p90 {marks[0.9]:.2f} p99 {marks[0.99]:.2f} "
            f"p99.9 {marks[0.999]:.2f} max {max(taken):.2f} ms",
            figures={**{f"p{100 * share:g}": value for share, value in marks.items()},
                     "max": max(taken), "checks": len(taken)}))
        session.say(f"{name}: {rows[-1].ours}")
    return rows


def upkeep_rows(session):
    """u: what digest and sketch, and the index of dots, cost a commit of 1, 64 and 4,096 marks."""
    # In memory: the question is our own work, not the disk's.
    with tempfile.TemporaryDirectory(prefix="quell-upkeep-", dir="/dev/shm") as folder:
        said = run([ROOT / "Scripts" / "upkeep.sh", folder], 900).splitlines()
    rows = []
    for one in map(json.loads, said):
        rows.append(Row(
            "u", f"upkeep in a commit of {one['marks']:,} marks, which takes "
            f"{one['commit_ns'] / one['marks'] / 1e3:,.1f} us a mark and "
            f"{one['commit_pages']:,.0f} pages",
            f"digest and sketch {one['tally_ns']:,.0f} ns a mark, {one['tally_pages']:,.0f} pages; "
            f"index {one['index_ns']:,.0f} ns a mark, {one['index_pages']:,.0f} pages",
            figures=one))
    return rows
