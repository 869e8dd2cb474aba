"""A recorded history: what each client asked, of which node, when, and what it was told.

One JSON line an operation, in nanoseconds of CLOCK_BOOTTIME, which leases are held against too:

    {"client": "click-3", "number": 17, "node": "n1", "op": "optout", "key": 412, "invoke": ...,
     "return": ..., "outcome": "200", "durability": "quorum", "answers": 1}

    op        outcome                              besides
    optout    200, 503 or another status, broken   durability quorum|local, id where it is told
    check     allow, deny, unknown, a status, broken
    consent   200, a status, broken                names [id...], observed: when they were read
    final     allow, deny, unknown                 a check after everything has healed
    down      -                                    from the strike until the node was ready again

`broken` is a connection that ended without a whole answer: the request may or may not have been
carried out. `key` numbers a person; addresses stay out of the file. checker.py reads this.
"""

import contextlib
import json
import threading
import time


def now():
    """CLOCK_BOOTTIME in nanoseconds."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class History:
    """Operations, in memory and one line each in a file."""

    def __init__(self, path):
        self.operations = []
        self.lock = threading.Lock()
        self.file = open(path, "w", encoding="ascii")
        self.numbers = {}

    def add(self, client, node, op, key, invoke, outcome, durability=None, **more):
        """One operation that has just ended; answers its line."""
        with self.lock:
            number = self.numbers[client] = self.numbers.get(client, 0) + 1
            line = {
                "client": client, "number": number, "node": node, "op": op, "key": key,
                "invoke": invoke, "return": now(), "outcome": outcome, "durability": durability,
                "answers": 0 if outcome == "broken" else 1, **more}
            self.operations.append(line)
            self.file.write(json.dumps(line) + "\n")
        return line

    @contextlib.contextmanager
    def down(self, node):
        """The node is out of service meanwhile, and its failures are no fault."""
        invoke = now()
        try:
            yield
        finally:
            self.add("rig", node, "down", None, invoke, "-")

    def close(self):
        """Ends the file."""
        self.file.close()


def read(path):
    """The operations of a file."""
    with open(path, encoding="ascii") as lines:
        return [json.loads(line) for line in lines]
