"""POST one-click, then at once a check on a new connection: deny, every time.

Two serving loops share the port, so the check often lands on the loop that did not take the
opt-out. It may answer only from marks that were posted to it before the acknowledgment left.
"""

import socket
import threading
import urllib.parse

from api import Api
from cluster import split
from load import one_click_bytes, readers_with_tokens


def ask(door, request):
    """One request on a new connection; the answer's bytes."""
    with socket.create_connection(door, timeout=30) as link:
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        link.sendall(request)
        received = b""
        while True:
            part = link.recv(65536)
            received += part
            head, found, body = received.partition(b"\r\n\r\n")
            if found:
                fields = dict(
                    line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
                if len(body) >= int(fields.get(b"content-length", 0)):
                    return received
            assert part, f"closed early: {received!r}"


def test_opt_out_then_check(fresh, full, figure):
    """10,000 times (POST, then at once a check on a new connection), K = 2: every check deny."""
    made = fresh()
    count, workers = (10_000 if full else 2_000), 4
    readers, tokens = readers_with_tokens(Api(made.node), count)
    door, wrong, answered = split(made.node.http), [], []

    def work(first):
        for person in range(first, count, workers):
            posted = ask(door, one_click_bytes(tokens[person]))
            query = urllib.parse.urlencode(
                {"stream": "marketing", "topic": "news", "address": readers[person]})
            checked = ask(door, (
                f"GET /v1/check?{query} HTTP/1.1\r\nHost: quell\r\n"
                f"Authorization: Bearer {made.api_key}\r\n\r\n").encode())
            if not posted.startswith(b"HTTP/1.1 200 ") or b'"deny"' not in checked:
                wrong.append((person, posted, checked))
            answered.append(person)

    threads = [threading.Thread(target=work, args=(first,)) for first in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    figure(f"{len(answered)} pairs of opt-out and check, {len(wrong)} not denied")
    assert len(answered) == count
    assert not wrong, wrong[:3]
