"""DESIGN 10.1, first sentence: set-up asks nothing, `make test` is never green by accident."""

import os
import shlex
import subprocess

import pytest

from cluster import ROOT

SETUP = ROOT / "Scripts" / "setup.sh"
TALLY = ROOT / "Scripts" / "tally.py"


def test_setup_is_idempotent():
    """`make setup` (idempotent, asks nothing): done once, it has nothing to do."""
    for _ in range(2):
        done = subprocess.run(
            [SETUP], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
            check=True)
        assert done.stdout == "setup: nothing to do\n" and done.stderr == ""


def test_setup_pins_what_comes_from_pypi():
    """Whatever is needed the set-up installs: what lies there is what is pinned, by hash."""
    for folder, place in [("Tests", "python"), ("Runtime/CWasmtime", "wasmtime")]:
        pins = (ROOT / folder / "requirements.txt").read_text()
        assert (ROOT / ".build" / place / "pins.txt").read_text() == pins
        wanted = [line for line in pins.splitlines() if line and not line.startswith("#")]
        assert wanted and all("==" in line and "--hash=sha256:" in line for line in wanted)


def test_setup_without_root(tmp_path):
    """without root it prints the one apt line and stops."""
    for name, text in {
            "dpkg-query": "exit 1", "id": "echo 1000", "sudo": "exit 1",
            "apt-get": "echo called >&2; exit 0"}.items():
        script = tmp_path / name
        script.write_text(f"#!/bin/sh\n{text}\n")
        script.chmod(0o755)
    done = subprocess.run(
        [SETUP], env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and done.stdout == ""
    said, line = done.stderr.splitlines()
    assert "root" in said
    words = shlex.split(line)
    assert words[:2] == ["apt-get", "update"] and "install" in words
    assert {"libuv1-dev", "liblmdb-dev", "node-llhttp", "python3-pytest"} <= set(words)


def test_make_run_is_dev():
    """`make run` sets up, builds, starts a local cluster in the foreground."""
    done = subprocess.run(
        ["make", "-n", "--no-print-directory", "run"],
        cwd=ROOT, capture_output=True, text=True, check=True)
    lines = [shlex.split(line) for line in done.stdout.splitlines()]
    assert ["Scripts/setup.sh"] in lines and ["Scripts/build.sh"] in lines
    assert lines[-1][:3] == ["exec", ".build/release/quell", "dev"]


GREEN = '<testsuites><testsuite><testcase classname="a" name="b"/></testsuite></testsuites>'
RED = GREEN.replace("/></testsuite>", '><failure message="no"/></testcase></testsuite>')
SKIP = GREEN.replace("/></testsuite>", '><skipped message="no disk"/></testcase></testsuite>')


@pytest.mark.parametrize("status, text, code, last", [
    (0, GREEN, 0, "1 passed, 0 failed, 0 skipped"),
    (1, RED, 1, "0 passed, 1 failed, 0 skipped"),
    (0, RED, 1, "0 passed, 1 failed, 0 skipped"),
    (139, GREEN, 1, "1 passed, 1 failed, 0 skipped"),
    (0, "<testsuites/>", 1, "0 passed, 1 failed, 0 skipped"),
    (0, "<testsui", 1, "0 passed, 1 failed, 0 skipped"),
    (0, None, 1, "0 passed, 1 failed, 0 skipped"),
    (0, SKIP, 1, "0 passed, 0 failed, 1 skipped"),
])
def test_tally(tmp_path, status, text, code, last):
    """ending in `N passed, N failed, N skipped`; a crash, or a run of no test, is a failure."""
    result = tmp_path / "result.xml"
    if text is not None:
        result.write_text(text)
    done = subprocess.run(
        ["/usr/bin/python3", TALLY, f"Swift:{status}:{tmp_path}/none.xml,{result}"],
        capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (code, last)
    assert text != SKIP or "no disk" in done.stdout, "a skip is shown with its reason"
