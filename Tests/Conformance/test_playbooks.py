"""Each playbook's drill works as printed (Deploy/playbooks)."""

import os
import pathlib
import re
import subprocess

import pytest

from cluster import BINARY, free_block

BOOKS = sorted((pathlib.Path(__file__).parents[2] / "Deploy/playbooks").glob("*.md"))


@pytest.mark.parametrize("book", BOOKS, ids=[book.stem for book in BOOKS])
def test_the_drill_works_as_printed(book, tmp_path):
    """The last block of commands, run in an empty directory."""
    drill = re.findall(r"```bash\n(.*?)```", book.read_text(), re.DOTALL)[-1]
    env = {**os.environ, "PORT": str(free_block(3)),
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
