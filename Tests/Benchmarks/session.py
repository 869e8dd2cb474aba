"""What the rows of one run share: settings, a folder, ports, and nodes that are costly to fill.

Everything that is opened is registered with the session and closed in the opposite order, also when
a row fails or Ctrl-C ends the run.
"""

import contextlib
import dataclasses
import shutil
import tempfile
from pathlib import Path

import people
from cluster import Cluster, free_port
from namespaces import Namespaces, Unavailable
from networked import Networked
from processes import Failed, settle


@dataclasses.dataclass
class Row:
    """One line of the table. Without a goal `is_met` is None."""

    key: str
    name: str
    ours: str
    reference: str = "-"
    ratio: str = "-"
    goal: str = "-"
    is_met: bool | None = None
    figures: dict = dataclasses.field(default_factory=dict)

    @property
    def verdict(self):
        """pass, MISS, or nothing where there is no goal."""
        return {True: "pass", False: "MISS", None: ""}[self.is_met]


def paired(key, name, measured, unit, goal, is_met, scale=1.0, **figures):
    """The row of an alternating comparison; the middle figure of each side beside the ratio."""
    low, high = measured.spread
    return Row(
        key, name, f"{middle(measured.ours) * scale:,.4g} {unit}",
        f"{middle(measured.reference) * scale:,.4g} {unit}",
        f"{measured.ratio:.2f} ({low:.2f}..{high:.2f})", goal, is_met(measured.ratio),
        {"ratio": measured.ratio, "low": low, "high": high, "ratios": measured.ratios,
         "ours": measured.ours, "reference": measured.reference, "unit": unit, "scale": scale,
         **figures})


def middle(values):
    """The median, the lower one of two."""
    return sorted(values)[(len(values) - 1) // 2]


class Session:
    """One run of the benchmark."""

    def __init__(self, marks, import_marks, rounds, seconds, base_port, folder=None):
        self.marks, self.import_marks = marks, import_marks
        self.rounds, self.seconds = rounds, seconds
        self.next_port = base_port
        self.opened = contextlib.ExitStack()
        self.dir = Path(tempfile.mkdtemp(prefix="quell-bench-", dir=folder))
        # PostgreSQL runs as another user below it.
        self.dir.chmod(0o711)
        self.opened.callback(shutil.rmtree, self.dir, ignore_errors=True)
        self.kept = {}

    def close(self):
        """Stops all that is left and removes the folder."""
        self.opened.close()

    def say(self, line):
        """Progress, at once."""
        print(f"  {line}", flush=True)

    def block(self):
        """The first of ten free ports in a row that nobody here was given before."""
        for _ in range(100):
            base = self.next_port
            self.next_port += 10
            if all(free_port(base + offset) for offset in range(10)):
                return base
        raise Failed(f"no ten free ports below {self.next_port}")

    def folder(self, name):
        """A name of its own in the session's folder; not made yet."""
        return self.dir / f"{name}-{self.block()}"

    @contextlib.contextmanager
    def server(self, kind, *arguments):
        """A reference for the length of a block."""
        made = kind(self.folder(kind.__name__.lower()), self.block(), *arguments)
        try:
            yield made
        finally:
            made.stop()

    @contextlib.contextmanager
    def nodes(self, count, *flags):
        """Fresh nodes of one cluster for the length of a block; their folder is removed at the end.
        """
        bases = [self.block()]
        while len(bases) < count:
            bases.append(self.block())
            if bases[-1] != bases[-2] + 10:
                bases = bases[-1:]
        made = Cluster(self.folder("node"), *flags, base=bases[0], nodes=count)
        try:
            yield made.start().nodes
        finally:
            made.stop()
            shutil.rmtree(made.dir, ignore_errors=True)

    def no_namespaces(self):
        """Why this machine has none to lose packets in; nothing when it has."""
        try:
            Namespaces(1).close()
        except Unavailable as reason:
            return str(reason)
        return ""

    @contextlib.contextmanager
    def networked(self, count, *flags):
        """Fresh nodes, each on a host of its own, and the network between them."""
        with contextlib.closing(Namespaces(count)) as network:
            made = Networked(self.folder("node"), network, *flags, nodes=count)
            try:
                yield network, made.start().nodes
            finally:
                made.stop()
                shutil.rmtree(made.dir, ignore_errors=True)

    @contextlib.contextmanager
    def node(self, *flags):
        """A fresh node that is a cluster of its own."""
        with self.nodes(1, *flags) as nodes:
            yield nodes[0]

    def csv(self, marks):
        """The CSV of so many suppressed people, written once."""
        path = self.dir / f"people-{marks}.csv"
        if not path.exists():
            people.write_csv(path, people.suppressed(marks))
        return path

    def full_node(self):
        """A node with one serving loop and all marks, filled once and kept for later rows."""
        if "full" not in self.kept:
            node = self.opened.enter_context(self.node("--loops", "1"))
            self.say(f"filling a node with {self.marks:,} marks")
            way = people.load(node, self.csv(self.marks), people.suppressed(self.marks))
            settle(node, 1_200)
            count = node.status()["marks"]["count"]
            if count != self.marks:
                raise Failed(f"{count:,} marks after filling with {self.marks:,}")
            self.say(f"filled, by {way}")
            self.kept["full"] = node
        return self.kept["full"]
