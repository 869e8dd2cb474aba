"""DESIGN 11 and 14: two readers of the same bytes never disagree in a way that smuggles a request.

Thousands of small mutations of good requests go to the node and to h11, an independent strict
parser. The node may refuse more than h11 does; it may never find a request where h11 finds none.
The seed is fixed and printed with each case, so a failure can be run again alone.
"""

import random
import socket

import h11
import pytest

from cluster import split

SEED = 8058
BATCH = 100
PIECES = [
    b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"\x00", b"\x0b", b"\xff", b"0", b"1", b"Host: b\r\n",
    b"Content-Length: 5\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: identity\r\n", b"Connection: close\r\n", b"GET / HTTP/1.1\r\n",
    b"\r\n\r\n", b"0\r\n\r\n", b";a=b", b"HTTP/1.0", b"%0d%0a", b"-", b"+"]
GOOD = [
    b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n",
    b"HEAD /livez HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\n",
    b"POST /v1/check HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /v1/check HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5\r\nhello\r\n0\r\n\r\n",
    b"POST /u/none HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 26\r\n\r\nList-Unsubscribe=One-Click"]


def mutated(chance):
    """One to three good requests in a row with a few bytes changed, added, moved or lost."""
    text = b"".join(chance.choice(GOOD) for _ in range(chance.randint(1, 3)))
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(text))
        kind = chance.randrange(4)
        if kind == 0:
            text = text[:at] + chance.choice(PIECES) + text[at:]
        elif kind == 1:
            text = text[:at] + text[at + chance.randint(1, 4):]
        elif kind == 2:
            text = text[:at] + bytes([chance.randrange(256)]) + text[at + 1:]
        else:
            line = text.rfind(b"\n", 0, at) + 1
            end = text.find(b"\n", at) + 1 or len(text)
            text = text[:end] + text[line:end] + text[end:]
        if not text:
            return GOOD[0]
    return text


def whole_requests(text):
    """How many whole requests h11 reads before it errs, waits for more, or must close."""
    peer, count = h11.Connection(h11.SERVER), 0
    peer.receive_data(text)
    try:
        while True:
            event = peer.next_event()
            if isinstance(event, h11.EndOfMessage):
                count += 1
                peer.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
                peer.send(h11.EndOfMessage())
                if peer.our_state is not h11.DONE or peer.their_state is not h11.DONE:
                    return count
                peer.start_next_cycle()
            elif event in (h11.NEED_DATA, h11.PAUSED):
                return count
    except h11.RemoteProtocolError:
        return count


def statuses(door, text):
    """The statuses of all answers to these bytes, until the node closes."""
    with socket.create_connection(door, timeout=10) as link:
        received = b""
        try:
            link.sendall(text)
            link.shutdown(socket.SHUT_WR)
            while part := link.recv(65536):
                received += part
        except (ConnectionResetError, BrokenPipeError):
            pass
    found = []
    for line in received.split(b"\r\n"):
        at = line.rfind(b"HTTP/1.1 ")
        if at >= 0 and line[at + 9:at + 12].isdigit():
            found.append(int(line[at + 9:at + 12]))
    return found


@pytest.mark.parametrize("batch", range(10))
def test_never_finds_more_requests_than_h11(node, batch):
    """HTTP/1.1 strict: what h11 does not read as a request is never served as one."""
    door = split(node.http)
    for number in range(batch * BATCH, (batch + 1) * BATCH):
        text = mutated(random.Random(SEED * 1_000_003 + number))
        answered = [status for status in statuses(door, text) if status != 100]
        served = [
            status for status in answered if status not in (400, 405, 408, 411, 413, 414, 431, 501,
                                                            505)]
        # 400 is also the honest answer to a well-framed request that makes no sense.
        assert len(served) <= whole_requests(text), (number, text, answered)
    assert node.is_ready()


def test_h11_counts():
    """The reference itself: good requests are counted, a broken one ends the count."""
    assert whole_requests(GOOD[0] + GOOD[2] + GOOD[3]) == 3
    assert whole_requests(GOOD[0] + b"GET / HTTP/1.1\r\nHost : a\r\n\r\n") == 1
    assert whole_requests(GOOD[2][:-1]) == 0
