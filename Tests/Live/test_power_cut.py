"""A power cut: what was not flushed is gone, what was acknowledged is not.

A loop-mounted ext4 is shut down without flushing its journal (EXT4_IOC_SHUTDOWN, no-log-flush), as
if the machine had lost power: unsynced pages vanish. It does not model a drive that lies about
flushes.
"""

import fcntl
import os
import random
import struct
import subprocess

import pytest

from api import Api
from cluster import eventually
from load import Storm, lost, readers_with_tokens

EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = struct.pack("I", 2)


def run(*command):
    """Runs a command; its error text, or nothing."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr.strip() or f"exit {done.returncode}"


class Disk:
    """A small ext4 that can lose its power."""

    def __init__(self, directory):
        self.image, self.mount = directory / "disk.img", directory / "disk"
        self.mount.mkdir()
        with open(self.image, "wb") as image:
            image.truncate(1 << 30)

    def format(self):
        """Makes the file system and mounts it; the reason why not, or nothing."""
        return run("mkfs.ext4", "-q", "-F", self.image) or self.plug()

    def plug(self):
        """Mounts."""
        return run("mount", "-o", "loop", self.image, self.mount)

    def unplug(self):
        """Unmounts, once nobody uses it."""
        eventually(lambda: not run("umount", self.mount), "umount", 15)

    def cut(self):
        """From this instant nothing reaches the image."""
        directory = os.open(self.mount, os.O_RDONLY)
        try:
            fcntl.ioctl(directory, EXT4_IOC_SHUTDOWN, NO_LOG_FLUSH)
        finally:
            os.close(directory)


@pytest.fixture
def disk(tmp_path):
    """A mounted disk, or a loud skip."""
    made = Disk(tmp_path)
    problem = "not root" if os.geteuid() != 0 else made.format()
    if problem:
        pytest.skip(f"no loop-mounted ext4 here: {problem}")
    yield made
    if not run("mountpoint", "-q", made.mount):
        made.unplug()


def test_the_rig_loses_unsynced_bytes(disk):
    """The rig itself: a synced file stays, an unsynced one is gone; else it would prove nothing."""
    for name, is_synced in (("kept", True), ("lost", False)):
        file = os.open(disk.mount / name, os.O_CREAT | os.O_WRONLY)
        os.write(file, b"x" * 10_000)
        if is_synced:
            os.fsync(file)
        os.close(file)
    disk.cut()
    disk.unplug()
    assert disk.plug() == ""
    assert (disk.mount / "kept").read_bytes() == b"x" * 10_000
    assert not (disk.mount / "lost").exists() or (disk.mount / "lost").stat().st_size == 0


def test_power_cut(disk, fresh, full, figure):
    """One power-cut round as in the reliability notes: lost 0."""
    made = fresh(directory=disk.mount)
    node, everyone = made.node, []
    try:
        for _ in range(10 if full else 1):
            os.sync()  # the directory that `dev` made is not what is cut here
            readers, tokens = readers_with_tokens(Api(node), 4_000)
            storm = Storm(node, tokens).run(32, random.uniform(0.3, 1.0), disk.cut)
            everyone += [readers[person] for person in storm.acknowledged]
            node.kill()
            disk.unplug()
            assert disk.plug() == ""
            node.run()
            missing = lost(node, everyone)
            assert missing == 0, f"{missing} of {len(everyone)} acknowledged are lost"
        figure(f"{len(everyone)} acknowledged, {lost(node, everyone)} lost")
        assert len(everyone) >= 20
    finally:
        made.stop()
