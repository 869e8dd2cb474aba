"""Builds the preload shim and dresses a node's command in it."""

import subprocess
from pathlib import Path

SOURCE = Path(__file__).with_name("faultshim.c")


def built(directory):
    """Compiles faultshim.c with the toolchain's clang; returns the library's path."""
    library = Path(directory) / "faultshim.so"
    subprocess.run(
        ["clang", "-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o", str(library),
         str(SOURCE), "-ldl"], check=True)
    return library


class Fault:
    """One planned failure: which files, which call, which error."""

    def __init__(self, library, directory, number, error="EIO", path=".mdb", sticky=False):
        self.trigger, self.log = Path(directory) / "trigger", Path(directory) / "failed"
        for file in (self.trigger, self.log):
            file.unlink(missing_ok=True)
        self.env = {
            "LD_PRELOAD": str(library), "FAULTSHIM_PATH": path, "FAULTSHIM_N": str(number),
            "FAULTSHIM_ERRNO": error, "FAULTSHIM_STICKY": "1" if sticky else "0",
            "FAULTSHIM_TRIGGER": str(self.trigger), "FAULTSHIM_LOG": str(self.log)}

    def arm(self):
        """From now on calls are counted."""
        self.trigger.touch()

    def end(self):
        """From now on all calls pass."""
        self.trigger.unlink()

    @property
    def failed(self):
        """The calls that were failed: [number, call, path]."""
        try:
            return [line.split(" ", 2) for line in self.log.read_text().splitlines()]
        except FileNotFoundError:
            return []
