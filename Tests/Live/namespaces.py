"""A network of one's own: a namespace for each node, joined by a bridge, cut by nftables.

                 hub (bridge br0)
        p1 ┌────────┴───┬──────────┐ p3
      eth0 │       eth0 │     eth0 │          10.213.SERIAL.1, .2, .3
          n1           n2         n3          each with its own nft table of what it does not hear

A cut is a rule at the hearing end, `ip saddr X drop`: packets vanish as on a broken line, nobody is
told. Loss drops by chance, packet by packet, TCP and UDP alike. Kernels without netem cannot delay;
proxies.py can. Namespaces are named after this process; those of dead processes are swept first.
"""

import itertools
import os
import subprocess
from pathlib import Path

import dial

FOLDER = Path("/run/netns")
SERIALS = itertools.count(1)


class Unavailable(Exception):
    """This machine cannot; the reason is the text."""


def run(*command, text=""):
    """Runs a command; raises with its own words when it fails."""
    try:
        done = subprocess.run(
            list(map(str, command)), input=text, capture_output=True, text=True, timeout=60,
            check=False)
    except FileNotFoundError as error:
        raise Unavailable(f"{command[0]} is not installed; run `make setup`") from error
    if done.returncode != 0:
        raise Unavailable(f"{' '.join(map(str, command))}: {done.stderr.strip()}")


def sweep():
    """Removes what test processes that are gone have left."""
    for left in FOLDER.glob("quell-*"):
        owner = left.name.split("-")[1]
        if not Path("/proc", owner).exists():
            run("ip", "netns", "del", left.name)


class Namespaces:
    """`count` hosts on one switch; hosts are numbered from 0."""

    can_lose, can_delay = True, False

    def __init__(self, count):
        self.serial = next(SERIALS)
        self.base = f"quell-{os.getpid()}-{self.serial}"
        self.count, self.made, self.faults = count, [], {}
        try:
            sweep()
            self.build()
        except BaseException:
            self.close()
            raise

    def host(self, index):
        """The address of a node."""
        return f"10.213.{self.serial}.{index + 1}"

    def name(self, index):
        """The namespace of a node."""
        return f"{self.base}-n{index + 1}"

    def reach(self, _, other, port):
        """Where a node dials another."""
        return f"{self.host(other)}:{port}"

    def add(self, name):
        run("ip", "netns", "add", name)
        self.made.append(name)
        run("ip", "-n", name, "link", "set", "lo", "up")

    def build(self):
        hub = f"{self.base}-hub"
        self.add(hub)
        run("ip", "-n", hub, "link", "add", "br0", "type", "bridge")
        run("ip", "-n", hub, "link", "set", "br0", "up")
        for index in range(self.count):
            name, port = self.name(index), f"p{index + 1}"
            self.add(name)
            run("ip", "-n", hub, "link", "add", port, "type", "veth", "peer", "name", "eth0",
                "netns", name)
            run("ip", "-n", hub, "link", "set", port, "master", "br0", "up")
            run("ip", "-n", name, "addr", "add", self.host(index) + "/24", "dev", "eth0")
            run("ip", "-n", name, "link", "set", "eth0", "up")
            dial.NAMESPACES[self.host(index)] = str(FOLDER / name)
            self.apply(index)

    def apply(self, index):
        """Writes what a node does not hear, in one transaction."""
        rules = ""
        for (source, target), percent in self.faults.items():
            if target == index and percent:
                chance = "" if percent >= 100 else f"numgen random mod 100 < {percent} "
                rules += f"ip saddr {self.host(source)} {chance}drop\n"
        run("ip", "netns", "exec", self.name(index), "nft", "-f", "-", text=(
            "table inet quell\nflush table inet quell\ntable inet quell {\n"
            "chain heard { type filter hook input priority 0; policy accept;\n"
            f"{rules}}}\n}}\n"))

    def lose(self, source, target, percent):
        """So many of a hundred packets from one node to another vanish."""
        self.faults[(source, target)] = percent
        self.apply(target)

    def cut(self, source, target, both=True):
        """What one node says to another vanishes; by default the other way too."""
        self.lose(source, target, 100)
        if both:
            self.lose(target, source, 100)

    def mend(self, one, other):
        """No faults between two nodes any more."""
        self.lose(one, other, 0)
        self.lose(other, one, 0)

    def heal(self):
        """No faults any more."""
        self.faults.clear()
        for index in range(self.count):
            self.apply(index)

    def close(self):
        """Removes every namespace, and with them links and rules."""
        for index in range(self.count):
            dial.NAMESPACES.pop(self.host(index), None)
        problems = []
        for name in self.made:
            try:
                run("ip", "netns", "del", name)
            except Unavailable as error:
                problems.append(str(error))
        self.made = []
        assert not problems, problems
