"""A fault proxy between each two nodes, for machines without network namespaces, and for delays.

Node a reaches node b by the proxy's port for (a, b), TCP and UDP, on loopback. For each direction
the proxy can

    delay   hold each piece for so many milliseconds, in order
    cut     hold everything until healed; TCP is not told, as on a broken line
    lose    drop so many of a hundred datagrams; a TCP piece drawn breaks its connection instead

Bytes that a node has sent outlive it here: a piece held back still arrives after a `kill -9`. Only
addresses given by `--join` lead through the proxy.
"""

import asyncio
import random
import socket
import threading

PIECE = 65_536
# Pieces held for one direction of one connection; past it the sender waits, as on a full pipe.
HELD = 1_024


class Way:
    """One direction between two nodes."""

    def __init__(self):
        self.seconds, self.percent, self.open = 0.0, 0, asyncio.Event()
        self.open.set()

    def is_drawn(self):
        """Whether chance takes this piece."""
        return random.random() * 100 < self.percent


class Datagrams(asyncio.DatagramProtocol):
    """UDP of one ordered pair: each sender gets a socket of its own towards the target."""

    def __init__(self, proxies, there, back, port):
        self.proxies, self.there, self.back, self.port = proxies, there, back, port
        self.upstreams, self.transport = {}, None

    def connection_made(self, transport):
        self.transport = transport

    def datagram_received(self, data, sender):
        self.proxies.later(self.there, self.send, data, sender)

    async def send(self, data, sender):
        """Passes one on, over the socket of its sender."""
        if sender not in self.upstreams:
            loop = asyncio.get_running_loop()
            self.upstreams[sender], _ = await loop.create_datagram_endpoint(
                lambda: Answers(self, sender), remote_addr=("127.0.0.1", self.port))
        self.upstreams[sender].sendto(data)

    async def answer(self, data, sender):
        """Passes one back."""
        self.transport.sendto(data, sender)


class Answers(asyncio.DatagramProtocol):
    """What the target says back to one sender."""

    def __init__(self, pair, sender):
        self.pair, self.sender = pair, sender

    def datagram_received(self, data, _):
        self.pair.proxies.later(self.pair.back, self.pair.answer, data, self.sender)

    def error_received(self, _):
        """The target's port is closed: as lost on the way."""


class Proxies:
    """All pairs of `count` nodes; same verbs as Namespaces, and `delay`."""

    can_lose, can_delay = True, True

    def __init__(self, count):
        self.count, self.ports, self.targets = count, {}, {}
        self.tasks, self.doors = set(), []
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.ways = self.call(self.make_ways())

    def call(self, coroutine):
        """Runs something in the proxy's thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(20)

    async def make_ways(self):
        return {
            (a, b): Way() for a in range(self.count) for b in range(self.count) if a != b}

    def host(self, _):
        """Nodes listen on loopback."""
        return "127.0.0.1"

    def reach(self, source, other, port):
        """Where a node dials another: opens the proxy of the pair at first."""
        if (source, other) not in self.ports:
            self.targets[(source, other)] = port
            self.ports[(source, other)] = self.call(self.listen(source, other))
        return f"127.0.0.1:{self.ports[(source, other)]}"

    async def listen(self, source, other):
        there, back = self.ways[(source, other)], self.ways[(other, source)]

        async def accepted(reader, writer):
            await self.join(reader, writer, there, back, self.targets[(source, other)])

        door = socket.create_server(("127.0.0.1", 0))
        port = door.getsockname()[1]
        self.doors.append(await asyncio.start_server(accepted, sock=door))
        datagrams, _ = await self.loop.create_datagram_endpoint(
            lambda: Datagrams(self, there, back, self.targets[(source, other)]),
            local_addr=("127.0.0.1", port))
        self.doors.append(datagrams)
        return port

    async def join(self, reader, writer, there, back, port):
        """One connection, until both halves have ended."""
        await asyncio.wait([
            asyncio.ensure_future(there.open.wait()), asyncio.ensure_future(back.open.wait())])
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        await asyncio.gather(
            self.pump(reader, far_writer, there), self.pump(far_reader, writer, back))

    async def pump(self, reader, writer, way):
        """One direction: pieces wait for their time, in order, and for the line to be whole."""
        held = asyncio.Queue(HELD)
        sender = asyncio.ensure_future(self.deliver(held, writer, way))
        try:
            while True:
                piece = await reader.read(PIECE)
                if not piece or way.is_drawn():
                    break
                await held.put((self.loop.time() + way.seconds, piece))
        except OSError:
            pass  # reset by its sender; what it said before is still delivered
        await held.put((self.loop.time() + way.seconds, b""))
        await sender

    async def deliver(self, held, writer, way):
        """Ends the far half after the last piece."""
        try:
            while True:
                due, piece = await held.get()
                await asyncio.sleep(max(0, due - self.loop.time()))
                await way.open.wait()
                if not piece:
                    break
                writer.write(piece)
                await writer.drain()
        except OSError:
            # The receiver is gone: the rest is read and dropped.
            while (await held.get())[1]:
                pass
        writer.close()

    def later(self, way, send, data, sender):
        """One datagram: lost, or sent after its delay; a cut line loses it."""
        if way.is_drawn() or not way.open.is_set():
            return
        async def wait():
            await asyncio.sleep(way.seconds)
            await send(data, sender)
        task = self.loop.create_task(wait())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def change(self, source, target, change):
        change(self.ways[(source, target)])

    def delay(self, source, target, millis):
        """From now on every piece takes so long."""
        self.call(self.change(
            source, target, lambda way: setattr(way, "seconds", millis / 1_000)))

    def lose(self, source, target, percent):
        """See the head of this file."""
        self.call(self.change(source, target, lambda way: setattr(way, "percent", percent)))

    def cut(self, source, target, both=True):
        """Nothing passes until healed."""
        self.call(self.change(source, target, lambda way: way.open.clear()))
        if both:
            self.cut(target, source, both=False)

    def mend(self, one, other):
        """No faults between two nodes any more."""
        def whole(way):
            way.seconds, way.percent = 0.0, 0
            way.open.set()
        for pair in ((one, other), (other, one)):
            self.call(self.change(*pair, whole))

    def heal(self):
        """No faults any more."""
        for one, other in self.ways:
            self.mend(one, other)

    def close(self):
        """Ends every connection and the thread."""
        async def end():
            for door in self.doors:
                door.close()
            left = asyncio.all_tasks() - {asyncio.current_task()}
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)
        self.call(end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
