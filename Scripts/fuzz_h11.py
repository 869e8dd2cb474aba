"""What our HTTP framing takes as a request, h11, an independent strict parser, reads the same.

    fuzz_h11.py PROGRAM SECONDS PATH...     PATH: files, or folders of files

Every input is replayed first: the seeds, and the corpus that libFuzzer gathered while it explored
our framing, so each of our branches has an input that reaches it. Then random splices of those are
tried until the time is over. We may refuse what h11 takes; what we take, h11 must take, with the
same method, target and body. The seed of the splices is printed and can be set in QUELL_FUZZ_SEED.
"""

import hashlib
import json
import os
import random
import struct
import subprocess
import sys
import time

import h11

# h11 closes after every HTTP/1.0 request; the bytes behind it are then read by a fresh parser.
OLD = b"1.0"
PIECES = [
    b"\r\n", b"\n", b"\r", b" ", b"\t", b":", b"\x00", b"\x0b", b"\xff", b"\x80", b"0", b"00", b"1",
    b"A", b"Host: b\r\n", b"Content-Length: 5\r\n", b"Content-Length: 0\r\n",
    b"Content-Length: +5\r\n",
    b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: identity\r\n", b"Connection: close\r\n",
    b"Connection: keep-alive\r\n", b"Expect: 100-continue\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"\r\n\r\n", b"0\r\n\r\n", b";a=b", b"HTTP/1.0", b"HTTP/1.1", b"%0d%0a", b"-", b"+", b"0x",
    b"X: y\r\n", b" z\r\n", b"chunked", b"5\r\nhello\r\n"]


class Ours:
    """The program that answers each input with the requests that our framing finds in it."""

    def __init__(self, program):
        self.program = program
        self.start()

    def start(self):
        """Begins, or begins again after a trap."""
        surroundings = dict(os.environ, QUELL_FUZZ_TARGET="transcript")
        self.child = subprocess.Popen(
            [self.program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=surroundings)

    def requests(self, text):
        """Method (empty for one without a name here), target and body of every request.

        None if the program ended without an answer.
        """
        self.child.stdin.write(struct.pack("<I", len(text)) + text)
        self.child.stdin.flush()
        line = self.child.stdout.readline()
        if not line:
            self.child.wait(timeout=10)
            self.start()
            return None
        return [
            (method, bytes.fromhex(target), bytes.fromhex(body))
            for method, target, body in json.loads(line)]

    def close(self):
        """Ends the program; its input's end is the sign."""
        self.child.stdin.close()
        self.child.wait(timeout=10)


def theirs(text, wanted):
    """The first `wanted` requests that h11 reads, in the same form."""
    found, rest = [], text
    while len(found) < wanted:
        peer = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
        peer.receive_data(rest)
        before = len(found)
        try:
            one_connection(peer, found, wanted)
        except h11.RemoteProtocolError:
            return found
        isOver = len(found) == before or peer.their_http_version != OLD
        if isOver:
            return found
        rest = peer.trailing_data[0]
    return found


def one_connection(peer, found, wanted):
    """Reads requests until the parser must close, waits for more, or enough were found."""
    body, request = b"", None
    while len(found) < wanted:
        event = peer.next_event()
        if isinstance(event, h11.Request):
            request, body = event, b""
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            found.append((request.method, request.target, body))
            peer.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
            peer.send(h11.EndOfMessage())
            if peer.our_state is not h11.DONE or peer.their_state is not h11.DONE:
                return
            peer.start_next_cycle()
        elif event in (h11.NEED_DATA, h11.PAUSED):
            return


def finding(ours, text):
    """What the two do not agree about; None if ours is a beginning of theirs."""
    mine = ours.requests(text)
    if mine is None:
        return "our framing trapped"
    other = theirs(text, len(mine))
    for number, (method, target, body) in enumerate(mine):
        if number >= len(other):
            return f"request {number + 1}: h11 finds none, we find {method} {target!r}"
        known = other[number][0].decode().lower()
        # `OTHER` has no name; a method with a name must be that one, in capitals.
        same = method in ("", known) and (method == "" or other[number][0].isupper())
        if not same or (target, body) != other[number][1:]:
            return f"request {number + 1}: we find {mine[number]!r}, h11 {other[number]!r}"
    return None


def spliced(chance, corpus):
    """One to three inputs in a row with some bytes changed, added, moved or lost."""
    text = b"".join(chance.choice(corpus) for _ in range(chance.randint(1, 3)))[:4_096]
    for _ in range(chance.randint(0, 4)):
        at = chance.randrange(len(text) + 1)
        kind = chance.randrange(5)
        if kind == 0:
            text = text[:at] + chance.choice(PIECES) + text[at:]
        elif kind == 1:
            text = text[:at] + text[at + chance.randint(1, 4):]
        elif kind == 2:
            text = text[:at] + bytes([chance.randrange(256)]) + text[at + 1:]
        elif kind == 3:
            other = chance.choice(corpus)
            text = text[:at] + other[chance.randrange(len(other) + 1):]
        else:
            line = text.rfind(b"\n", 0, at) + 1
            end = text.find(b"\n", at) + 1 or len(text)
            text = text[:end] + text[line:end] + text[end:]
    return text


def report(text, problem):
    """Keeps an input that the two read differently, and says how to repeat it."""
    folder = ".build-fuzz/findings/h11"
    os.makedirs(folder, exist_ok=True)
    path = f"{folder}/differs-{hashlib.sha256(text).hexdigest()[:16]}"
    with open(path, "wb") as file:
        file.write(text)
    print(f"fuzz: {problem}\nfuzz: found {path}\nfuzz: repeat with  Scripts/fuzz.sh 0 h11 {path}")


def files(paths):
    """Contents of all files, those in folders too."""
    for path in paths:
        names = [path]
        if os.path.isdir(path):
            names = [os.path.join(path, name) for name in sorted(os.listdir(path))]
        for name in names:
            with open(name, "rb") as file:
                yield file.read()


def main(program, seconds, *paths):
    """Replays, then splices; the exit code is 1 after a finding."""
    seed = int(os.environ.get("QUELL_FUZZ_SEED", random.randrange(1 << 32)))
    ours, chance, corpus = Ours(program), random.Random(seed), list(files(paths))
    start, count, problems = time.monotonic(), 0, 0
    end = start + float(seconds)
    queue = iter(corpus)
    while problems < 5:
        text = next(queue, None)
        if text is None:
            if time.monotonic() >= end:
                break
            text = spliced(chance, corpus)
        problem = finding(ours, text)
        count += 1
        if problem:
            problems += 1
            report(text, problem)
    ours.close()
    print(f"fuzz: {'h11':8} {count:11} executions  {time.monotonic() - start:5.0f} s  "
          f"{len(corpus):6} inputs kept  {problems} findings  (seed {seed})")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
