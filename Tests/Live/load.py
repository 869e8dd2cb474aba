"""Many concurrent one-click clients, and the count that matters: acknowledged and lost.

An opt-out counts as acknowledged when a whole 200 with its durability has reached the client, and
as nothing at all when the connection broke: such a request may or may not have been kept.
"""

import asyncio
import itertools
import time

from api import FORM, ONE_CLICK, Api
from cluster import address, split


def readers_with_tokens(api, count):
    """Fresh people, each with a link."""
    readers = [address() for _ in range(count)]
    return readers, [link["token"] for link in api.links(readers)]


def one_click_bytes(token):
    """The request as bytes; keep-alive."""
    return (
        f"POST /u/{token} HTTP/1.1\r\nHost: quell\r\nContent-Type: {FORM}\r\n"
        f"Content-Length: {len(ONE_CLICK)}\r\n\r\n{ONE_CLICK}").encode()


async def read_answer(reader):
    """Status and lower-case head of one whole answer; the body is read and dropped."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    for line in head.split(b"\r\n"):
        if line.startswith(b"content-length:"):
            await reader.readexactly(int(line.split(b":")[1]))
    return int(head.split()[1]), head


class Storm:
    """Clients that send opt-outs until told to stop or until the node is gone."""

    def __init__(self, node, tokens):
        self.node, self.tokens = node, tokens
        self.order = itertools.cycle(range(len(tokens)))
        self.acknowledged, self.refused, self.stopping = set(), 0, False

    async def client(self):
        """One connection, one request after the other."""
        try:
            reader, writer = await asyncio.open_connection(*split(self.node.http))
        except OSError:
            return
        try:
            while not self.stopping:
                person = next(self.order)
                writer.write(one_click_bytes(self.tokens[person]))
                status, head = await read_answer(reader)
                if status == 200:
                    assert b"quell-durability:" in head, head
                    self.acknowledged.add(person)
                else:
                    self.refused += 1
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def run(self, clients, seconds, strike):
        """Runs the clients, strikes after the time, and waits until all have ended."""
        async def whole():
            tasks = [asyncio.create_task(self.client()) for _ in range(clients)]
            await asyncio.sleep(seconds)
            await asyncio.get_running_loop().run_in_executor(None, strike)
            self.stopping = True
            await asyncio.wait_for(asyncio.gather(*tasks), 30)
        begun = time.monotonic()
        asyncio.run(whole())
        self.seconds = time.monotonic() - begun
        return self


def allowed(node, readers):
    """How many of these a node allows; what it does not know it must not allow."""
    if not readers:
        return 0
    return sum(result["decision"] == "allow" for result in Api(node).check_many(readers))


def lost(node, readers):
    """How many of these people would be mailed now."""
    if not readers:
        return 0
    return sum(result["decision"] != "deny" for result in Api(node).check_many(readers))
