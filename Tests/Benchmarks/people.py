"""The people of a benchmark, and how they get onto the list of Quell and of Redis.

Person i is `user<i as 12 digits>@example.com`, so that redis-benchmark can name one at random with
its `__rand_int__`. Those with an even number are suppressed: over twice as many numbers as marks,
half of all questions hit.
"""

import http.client
import os
import random
import time

import cluster
import dial

SET = "marketing:news"
MEMBERS_PER_COMMAND = 1_000
"""Quell takes 1,024 members in flight a connection; the same commands go to Redis."""


def address(number):
    """Person `number`, as bytes."""
    return b"user%012d@example.com" % number


def suppressed(marks):
    """The numbers of the suppressed people."""
    return range(0, 2 * marks, 2)


def sample(marks, count, seed=7):
    """Random people of whom about half are suppressed; the same for the same seed."""
    choose = random.Random(seed)
    return [address(choose.randrange(2 * marks)) for _ in range(count)]


def write_csv(path, numbers):
    """Writes the CSV that import and COPY read; returns its bytes on disk."""
    with open(path, "wb") as file:
        file.write(b"address\n")
        for start in range(0, len(numbers), 10_000):
            file.write(b"".join(address(i) + b"\n" for i in numbers[start:start + 10_000]))
        file.flush()
        os.fsync(file.fileno())
    return os.path.getsize(path)


class Resp:
    """A bare RESP connection: commands as bytes in, reply lines out."""

    def __init__(self, port, login=None, seconds=120, host="127.0.0.1"):
        self.link = dial.connect(host, port, timeout=seconds)
        self.replies = self.link.makefile("rb")
        if login:
            self.send([b"AUTH", *login])
            assert self.read() == b"+OK", "AUTH was refused"

    def send(self, *commands):
        """Sends commands, each a list of byte strings, in one write."""
        self.link.sendall(b"".join(
            b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts)
            for parts in commands))

    def read(self):
        """One reply of one line."""
        line = self.replies.readline()
        assert line.endswith(b"\r\n"), "the connection ended"
        return line[:-2]

    def close(self):
        """Ends the connection."""
        self.replies.close()
        self.link.close()


def add(connection, numbers, patience=300.0):
    """SADD for all these people (a range of numbers), one command after the other's reply.

    Quell sheds writes while its checkpointer is behind, and says so; such a command is sent again,
    for `patience` seconds in all.
    """
    end = time.monotonic() + patience
    for start in range(0, len(numbers), MEMBERS_PER_COMMAND):
        part = [address(i) for i in numbers[start:start + MEMBERS_PER_COMMAND]]
        while True:
            connection.send([b"SADD", SET.encode(), *part])
            reply = connection.read()
            if reply.startswith(b":"):
                break
            assert reply.startswith(b"-NOTDURABLE") and time.monotonic() < end, reply
            time.sleep(0.01)


def members(connection, people):
    """SISMEMBER for each person, pipelined by 64; the replies in order."""
    found = []
    for start in range(0, len(people), 64):
        part = people[start:start + 64]
        connection.send(*[[b"SISMEMBER", SET.encode(), person] for person in part])
        found += [connection.read() for _ in part]
    return found


def login(node):
    """What AUTH needs at this node."""
    return [node.cluster.description["tenant"].encode(), node.cluster.api_key.encode()]


def resp(node):
    """A RESP connection to a node, past AUTH."""
    host, port = cluster.split(node.resp)
    return Resp(port, login(node), host=host)


def imports(node):
    """True when the node has the import call; one without it answers 404."""
    return upload(node, b"address\n", 10)[0] != 404


def upload(node, body, seconds=1_800):
    """POST /v1/import of a CSV, a file or bytes; status and answer."""
    host, port = cluster.split(node.http)
    connection = http.client.HTTPConnection(host, port, timeout=seconds, blocksize=1 << 18)
    try:
        length = len(body) if isinstance(body, bytes) else os.fstat(body.fileno()).st_size
        connection.request("POST", "/v1/import?stream=marketing&topic=news", body, {
            "Authorization": f"Bearer {node.cluster.api_key}", "Content-Type": "text/csv",
            "Content-Length": str(length)})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (BrokenPipeError, ConnectionResetError):
        # A node that refuses may close before it has read it all; the small probe sees the status.
        return 0, b"the connection ended before the answer"
    finally:
        connection.close()


def load(node, csv_path, numbers):
    """Suppresses all of `numbers`, from the CSV by import where the node has it, else by SADD.

    Returns the way that was taken, for the row's name.
    """
    if imports(node):
        with open(csv_path, "rb") as file:
            status, answer = upload(node, file)
        assert status == 200, (status, answer[:300])
        return "import"
    connection = resp(node)
    try:
        add(connection, numbers, patience=1_200)
    finally:
        connection.close()
    return "SADD by 1,000, for want of import"
