"""Concurrent clients that record all they ask and are told (history.py), against real nodes.

Each client is one connection to one node, one request after the other; a broken connection is
recorded and opened again. What a client asks of whom comes from seeded chance.
"""

import asyncio
import json
import random
import urllib.parse

import dial
from api import Api
from cluster import address, split
from history import now
from load import one_click_bytes

# Seconds for one answer; DESIGN 5 answers within its deadline of 2 s, so 20 is a broken node.
PATIENCE = 20
# Seconds before a broken connection is opened again.
PAUSE = 0.02


class Connection:
    """One keep-alive connection, opened when it is needed."""

    def __init__(self, node):
        self.node, self.reader, self.writer = node, None, None

    async def ask(self, request):
        """Status, head and body of one whole answer; raises OSError when it does not come."""
        try:
            if self.writer is None:
                await self.open()
            self.writer.write(request)
            return await asyncio.wait_for(self.answer(), PATIENCE)
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError) as error:
            self.close()
            raise OSError(str(error)) from error

    async def open(self):
        host, port = split(self.node.http)
        made = dial.connect(host, port, 2)
        made.setblocking(False)
        self.reader, self.writer = await asyncio.open_connection(sock=made)

    async def answer(self):
        head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        body = b""
        for line in head.split(b"\r\n"):
            if line.startswith(b"content-length:"):
                body = await self.reader.readexactly(int(line.split(b":")[1]))
        return int(head.split()[1]), head, body

    @property
    def has_more(self):
        """Whether bytes came that nobody asked for: a second answer."""
        return bool(self.reader and self.reader._buffer)

    def close(self):
        """Ends it; the next question opens another."""
        if self.writer:
            self.writer.close()
        self.reader = self.writer = None


class People:
    """Addresses with links; a person's key in the history is the index."""

    def __init__(self, api, count):
        self.addresses = [address() for _ in range(count)]
        self.tokens = [link["token"] for link in api.links(self.addresses)]
        self.queries = [
            urllib.parse.urlencode({"stream": "marketing", "topic": "news", "address": one})
            for one in self.addresses]

    def __len__(self):
        return len(self.addresses)


def durability(head):
    """What Quell-Durability says, or None."""
    for line in head.split(b"\r\n"):
        if line.startswith(b"quell-durability:"):
            return line.split(b":")[1].strip().decode()
    return None


class Crowd:
    """One-click, check and consent clients, spread over the nodes."""

    def __init__(self, cluster, history, people, seed=1):
        self.cluster, self.history, self.people = cluster, history, people
        self.seed, self.stopping = seed, False

    async def click(self, index, node, chance):
        """Opts people out."""
        connection, name = Connection(node), f"click-{index}"
        while not self.stopping:
            person = chance.randrange(len(self.people))
            invoke = now()
            try:
                status, head, _ = await connection.ask(one_click_bytes(self.people.tokens[person]))
            except OSError:
                self.history.add(name, node.name, "optout", person, invoke, "broken")
                await asyncio.sleep(PAUSE)
                continue
            line = self.history.add(
                name, node.name, "optout", person, invoke, str(status), durability(head))
            line["answers"] += connection.has_more
            if status != 200:
                await asyncio.sleep(PAUSE)
        connection.close()

    async def check(self, index, node, chance):
        """Asks about people."""
        connection, name = Connection(node), f"check-{index}"
        while not self.stopping:
            person = chance.randrange(len(self.people))
            request = self.request("GET", f"/v1/check?{self.people.queries[person]}")
            invoke, outcome = now(), "broken"
            try:
                status, _, body = await connection.ask(request)
                outcome = json.loads(body)["results"][0]["decision"] if status == 200 else status
            except OSError:
                await asyncio.sleep(PAUSE)
            line = self.history.add(name, node.name, "check", person, invoke, str(outcome))
            line["answers"] += connection.has_more
        connection.close()

    def request(self, method, path, body=""):
        """The bytes of an authorised request."""
        return (
            f"{method} {path} HTTP/1.1\r\nHost: quell\r\nContent-Type: application/json\r\n"
            f"Authorization: Bearer {self.cluster.api_key}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()

    async def consent(self, index, node, chance):
        """Reads what is held against somebody and consents to exactly that."""
        connection, name = Connection(node), f"consent-{index}"
        while not self.stopping:
            person = chance.randrange(len(self.people))
            try:
                _, _, body = await connection.ask(self.request(
                    "GET", f"/v1/suppressions?{self.people.queries[person]}"))
            except OSError:
                await asyncio.sleep(PAUSE)
                continue
            observed = now()
            names = [
                id for mark in json.loads(body).get("marks", []) for id in mark["ids"]
                if mark["suppressed"] and mark["reason"] == "unsubscribe"]
            if not names:
                await asyncio.sleep(PAUSE)
                continue
            request = self.request("POST", "/v1/consents", json.dumps({
                "address": self.people.addresses[person], "stream": "marketing",
                "topic": "news", "reason": "unsubscribe", "observed": names,
                "evidence": {"method": "double opt-in"}}))
            invoke, outcome = now(), "broken"
            try:
                outcome = (await connection.ask(request))[0]
            except OSError:
                await asyncio.sleep(PAUSE)
            self.history.add(
                name, node.name, "consent", person, invoke, str(outcome), names=names,
                observed=observed)
        connection.close()

    def run(self, clicks, checks, strike, consents=0):
        """Runs the clients until `strike()`, in a thread of its own, has returned."""
        async def whole():
            nodes, tasks = self.cluster.nodes, []
            works = [self.click] * clicks + [self.check] * checks + [self.consent] * consents
            for index, work in enumerate(works):
                chance = random.Random(f"{self.seed}/{index}")
                tasks.append(asyncio.create_task(
                    work(index, nodes[index % len(nodes)], chance)))
            try:
                await asyncio.get_running_loop().run_in_executor(None, strike)
            finally:
                self.stopping = True
                await asyncio.wait_for(asyncio.gather(*tasks), 2 * PATIENCE)
        asyncio.run(whole())
        self.stopping = False

    def finish(self):
        """Asks every node about everybody whom an opt-out was tried for, and records it."""
        keys = sorted({
            one["key"] for one in self.history.operations if one["op"] == "optout"})
        addresses = [self.people.addresses[key] for key in keys]
        for node in self.cluster.nodes:
            invoke = now()
            results = Api(node).check_many(addresses) if addresses else []
            for key, result in zip(keys, results):
                self.history.add("final", node.name, "final", key, invoke, result["decision"])
