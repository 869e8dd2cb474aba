"""Each playbook's drill works as printed (Deploy/playbooks)."""

import os
import pathlib
import re
import socket
import subprocess

import pytest

from cluster import BINARY

BOOKS = sorted((pathlib.Path(__file__).parents[2] / "Deploy/playbooks").glob("*.md"))


def free_port():
    """Of thirty ports in a row that are free now."""
    for first in range(23000, 60000, 40):
        try:
            for port in range(first, first + 30):
                with socket.socket() as one:
                    one.bind(("127.0.0.1", port))
            return first
        except OSError:
            continue
    raise AssertionError("no free ports")


@pytest.mark.parametrize("book", BOOKS, ids=[book.stem for book in BOOKS])
def test_the_drill_works_as_printed(book, tmp_path):
    """The last block of commands, run in an empty directory."""
    drill = re.findall(r"```bash\n(.*?)```", book.read_text(), re.DOTALL)[-1]
    env = {**os.environ, "PORT": str(free_port()),
           "PATH": f"{BINARY.parent}:{os.environ['PATH']}"}
    try:
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", drill], cwd=tmp_path, env=env,
                              capture_output=True, text=True, timeout=180)
    finally:
        subprocess.run([str(BINARY), "dev", "stop", "--dir", "drill"], cwd=tmp_path,
                       capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    if book.stem == "upgrade":
        states = re.findall(r"^disk format .*", done.stdout, re.MULTILINE)
        assert len(states) == 2 and "finalized" not in states[0], done.stdout
        assert states[1].endswith(", finalized"), done.stdout
