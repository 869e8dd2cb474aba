"""Less processor for some processes: a control group of the test's own, version 1 or 2.

Where a client shares the machine with the nodes, it cannot send ten times what they can take: they
would have to be a tenth as fast. So their group gets a share of one processor, in periods of 20 ms,
short enough that a node which has used its share up is late by no more than that.

Groups are named after this process; those of dead processes are removed first.
"""

import contextlib
import itertools
import os
from pathlib import Path

ROOTS = [Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup/cpu,cpuacct")]
UNIFIED = Path("/sys/fs/cgroup")
PERIOD_MICROSECONDS = 20_000
SERIALS = itertools.count(1)


class Unavailable(Exception):
    """This machine cannot; the reason is the text."""


def root():
    """Where groups are made, and whether that is version 1."""
    for path in ROOTS:
        if (path / "cpu.cfs_quota_us").exists() or (path / "cgroup.procs").exists():
            return path, True
    if (UNIFIED / "cgroup.controllers").exists():
        if "cpu" not in (UNIFIED / "cgroup.subtree_control").read_text().split():
            try:
                (UNIFIED / "cgroup.subtree_control").write_text("+cpu")
            except OSError as error:
                raise Unavailable(f"no processor controller for groups: {error}") from error
        return UNIFIED, False
    raise Unavailable("no control groups with a processor controller are mounted")


def sweep(path):
    """Removes what test processes that are gone have left."""
    for left in path.glob("quell-*"):
        if not Path("/proc", left.name.split("-")[1]).exists():
            with contextlib.suppress(OSError):  # its nodes may outlive it
                left.rmdir()


class Share:
    """A group of processes that together get `percent` of one processor."""

    def __init__(self, percent):
        parent, self.is_old = root()
        sweep(parent)
        self.path = parent / f"quell-{os.getpid()}-{next(SERIALS)}"
        try:
            self.path.mkdir()
            self.limit(percent)
        except OSError as error:
            self.close()
            raise Unavailable(f"{self.path}: {error}") from error

    def limit(self, percent):
        """From now on so much of one processor."""
        quota = PERIOD_MICROSECONDS * percent // 100
        if self.is_old:
            (self.path / "cpu.cfs_period_us").write_text(str(PERIOD_MICROSECONDS))
            (self.path / "cpu.cfs_quota_us").write_text(str(quota))
        else:
            (self.path / "cpu.max").write_text(f"{quota} {PERIOD_MICROSECONDS}")

    def hold(self, pid):
        """Takes a process in, with all its threads."""
        (self.path / "cgroup.procs").write_text(str(pid))

    def close(self):
        """Lets all go and removes the group."""
        if not self.path.exists():
            return
        for pid in (self.path / "cgroup.procs").read_text().split():
            with contextlib.suppress(ProcessLookupError):
                (self.path.parent / "cgroup.procs").write_text(pid)
        self.path.rmdir()
