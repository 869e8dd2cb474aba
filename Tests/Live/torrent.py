"""A load generator that keeps its pace whatever comes back, or goes as fast as answers come.

    python3 torrent.py < plan.json > result.json

A process of its own, one thread, epoll: the test beside it keeps its own time for looking. Plan:

    doors        [[host, port], ...]     connections are spread over them
    connections  how many in all         window       requests in flight on each, pipelined
    seconds      how long to send        rate         a second, all together; null: a closed loop
    kind         http | resp             requests     file of requests, one base64 line each
    greeting     base64, sent first on each connection and answered once (AUTH), or ""
    namespaces   {host: file}           begun, over  files made once all connections stand, and
                                                     when the last request was sent

Open loop: what is due is sent at once, spread over connections with room. When all windows are full
the request is counted as `withheld` and never sent: in flight are at most connections x window.

Result: counts of what was due, sent, withheld and answered, by outcome; `acknowledged`, the indices
of requests answered well at least once; `bare`, refusals without Retry-After; `seconds`, one line a
second of [due, acknowledged, refused]; `drained`, seconds from the last request to its answer;
`millis`, by outcome, p50, p99 and the worst of the milliseconds from a request to its answer.
"""

import base64
import collections
import json
import os
import resource
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import dial

# Seconds after the last request in which its answer must have come.
PATIENCE = 30
TICK = 0.002


class Link:
    """One connection, its unsent bytes and the requests in flight on it, in order."""

    def __init__(self, door, greeting):
        self.socket = dial.connect(*door, timeout=10)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if greeting:
            self.socket.sendall(greeting)
            assert self.socket.recv(256).startswith(b"+"), "the greeting was refused"
        self.socket.setblocking(False)
        self.unsent, self.unread = b"", b""
        self.flying = collections.deque()

    def push(self):
        """Writes what the kernel takes."""
        if self.unsent:
            try:
                self.unsent = self.unsent[self.socket.send(self.unsent):]
            except BlockingIOError:
                pass  # its buffer is full; later

    def pull(self):
        """Reads what is there; False at the end."""
        try:
            piece = self.socket.recv(262_144)
        except BlockingIOError:
            return True
        self.unread += piece
        return bool(piece)


def http_answers(link):
    """Takes whole answers off a link: (outcome, has Retry-After)."""
    data, at = link.unread, 0
    while (end := data.find(b"\r\n\r\n", at)) >= 0:
        head = data[at:end].lower()
        where = head.find(b"content-length:")
        length = int(head[where + 15:].split(b"\r\n", 1)[0]) if where >= 0 else 0
        if len(data) < end + 4 + length:
            break
        yield head[9:12].decode(), b"retry-after:" in head
        at = end + 4 + length
    link.unread = data[at:]


def resp_answers(link):
    """Takes whole one-line replies off a link."""
    lines = link.unread.split(b"\r\n")
    link.unread = lines.pop()
    for line in lines:
        yield "200" if line[:1] == b":" else line.split(b" ")[0].decode(), True


class Torrent:
    """One plan, carried out."""

    def __init__(self, plan):
        self.plan = plan
        with open(plan["requests"], "rb") as lines:
            self.requests = [base64.b64decode(line) for line in lines]
        self.answers = http_answers if plan["kind"] == "http" else resp_answers
        self.links, self.epoll, self.turn, self.next = {}, select.epoll(), 0, 0
        self.outcomes, self.bare = collections.Counter(), 0
        self.due = self.sent = self.withheld = self.broken = 0
        self.acknowledged, self.timeline, self.late = set(), [], {}

    def open(self):
        greeting = base64.b64decode(self.plan["greeting"])
        for index in range(self.plan["connections"]):
            door = self.plan["doors"][index % len(self.plan["doors"])]
            link = Link(door, greeting)
            self.links[link.socket.fileno()] = link
            self.epoll.register(link.socket, select.EPOLLIN)
        self.order = list(self.links.values())

    def fill(self, link, count):
        """Puts up to so many requests on a link; answers how many."""
        count = min(count, self.plan["window"] - len(link.flying))
        if count <= 0:
            return 0
        total = len(self.requests)
        chosen = [(self.next + step) % total for step in range(count)]
        self.next = (self.next + count) % total
        at = time.monotonic()
        link.flying.extend((one, at) for one in chosen)
        link.unsent += b"".join([self.requests[one] for one in chosen])
        self.sent += count
        link.push()
        return count

    def issue(self, count):
        """Open loop: so many are due now."""
        self.due += count
        share = max(1, -(-count // max(1, len(self.order))))
        for _ in range(len(self.order)):
            if not count:
                return
            self.turn = (self.turn + 1) % len(self.order)
            count -= self.fill(self.order[self.turn], min(share, count))
        for link in self.order:
            count -= self.fill(link, count)
        self.withheld += count

    def take(self, link):
        """Reads answers and counts them."""
        try:
            alive = link.pull()
        except OSError:
            alive = False
        now = time.monotonic()
        for outcome, has_retry in self.answers(link):
            request, at = link.flying.popleft()
            self.outcomes[outcome] += 1
            self.late.setdefault(outcome, collections.Counter())[int((now - at) * 1e3)] += 1
            if outcome == "200":
                self.acknowledged.add(request)
            elif not has_retry:
                self.bare += 1
        if not alive:
            self.broken += len(link.flying)
            self.epoll.unregister(link.socket)
            self.links.pop(link.socket.fileno())
            link.socket.close()
            self.order.remove(link)

    def listen(self, seconds):
        """Waits so long for answers and takes them."""
        for number, _ in self.epoll.poll(seconds, 1_024):
            if number in self.links:
                self.take(self.links[number])
        for link in self.order:
            link.push()

    def run(self):
        """Sends for the time of the plan, then waits for the last answers."""
        self.open()
        Path(self.plan["begun"]).touch()
        begun, rate = time.monotonic(), self.plan["rate"]
        last, marked = begun, (0, 0, 0)
        while (at := time.monotonic()) < begun + self.plan["seconds"] and self.order:
            if rate:
                self.issue(int((at - begun) * rate) - self.due)
            else:
                for link in self.order:
                    self.due += self.fill(link, self.plan["window"])
            self.listen(TICK)
            if at >= last + 1:
                counts = (self.due, self.outcomes["200"], self.refused())
                self.timeline.append([new - old for new, old in zip(counts, marked)])
                last, marked = last + 1, counts
        ended = time.monotonic()
        Path(self.plan["over"]).touch()
        while any(link.flying for link in self.order) and time.monotonic() < ended + PATIENCE:
            self.listen(0.05)
        return {
            "due": self.due, "sent": self.sent, "withheld": self.withheld, "broken": self.broken,
            "unanswered": sum(len(link.flying) for link in self.order),
            "outcomes": dict(self.outcomes), "bare": self.bare, "seconds": self.timeline,
            "acknowledged": sorted(self.acknowledged), "drained": time.monotonic() - ended,
            "sending": ended - begun,
            "millis": {outcome: shares(late) for outcome, late in self.late.items()}}

    def refused(self):
        """Answers other than 200."""
        return sum(self.outcomes.values()) - self.outcomes["200"]


def shares(late):
    """p50, p99 and the worst of a count by milliseconds."""
    wanted, found, seen = [0.5, 0.99, 1.0], [], 0
    for millis in sorted(late):
        seen += late[millis]
        while wanted and seen >= wanted[0] * late.total():
            found.append(millis)
            wanted.pop(0)
    return found


def start(directory, name, nodes, requests, **plan):
    """Starts a torrent in a process of its own; `finish` has its result."""
    file = directory / f"{name}.requests"
    if not file.exists():
        file.write_bytes(b"".join(base64.b64encode(one) + b"\n" for one in requests))
    resp = plan.get("kind") == "resp"
    doors = [(node.resp if resp else node.http).rpartition(":") for node in nodes]
    plan = {
        "kind": "http", "rate": None, "greeting": "", "requests": str(file),
        "doors": [[host, int(port)] for host, _, port in doors], **plan,
        "namespaces": dial.NAMESPACES, "over": str(directory / f"{name}.over"),
        "begun": str(directory / f"{name}.begun")}
    for mark in ("begun", "over"):
        Path(plan[mark]).unlink(missing_ok=True)
    process = subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(dial.__file__).parent)})
    process.stdin.write(json.dumps(plan))
    process.stdin.close()
    process.over, process.begun = Path(plan["over"]), Path(plan["begun"])
    process.patience = plan["seconds"] + PATIENCE + 60
    return process


def finish(process):
    """Waits for the end and reads the result."""
    try:
        text = process.stdout.read()
        assert process.wait(timeout=process.patience) == 0, text
        return json.loads(text)
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    wanted = json.load(sys.stdin)
    dial.NAMESPACES.update(wanted["namespaces"])
    # SIGTERM ends the sending; what was sent is waited for as at any end.
    signal.signal(signal.SIGTERM, lambda *_: wanted.update(seconds=0))
    json.dump(Torrent(wanted).run(), sys.stdout)
