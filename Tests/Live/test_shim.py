"""The fault shim against small programs: a rig that injects nothing would prove nothing."""

import subprocess
import sys

import pytest

from faults import Fault, built

WRITER = """
import os, sys
path = sys.argv[1]
plain = os.open(path, os.O_RDWR | os.O_CREAT)
meta = os.open(path, os.O_WRONLY | os.O_DSYNC)
other = os.open(path + ".txt", os.O_RDWR | os.O_CREAT)
if sys.argv[2] == "arm":
    open(os.environ["FAULTSHIM_TRIGGER"], "w").close()
calls = [
    lambda: os.pwrite(plain, b"a", 0), lambda: os.write(other, b"x"),
    lambda: os.pwritev(plain, [b"b", b"c"], 1), lambda: os.fdatasync(plain),
    lambda: os.pwrite(meta, b"d", 3), lambda: os.writev(plain, [b"e"]),
    lambda: os.fsync(other), lambda: os.fsync(plain), lambda: os.write(plain, b"f")]
for call in calls:
    try:
        call()
        print("ok")
    except OSError as error:
        print(error.errno)
os.close(meta)
reused = os.open(path + ".txt", os.O_WRONLY)
assert reused == meta
os.write(reused, b"y")
print("ok")
"""
# Calls 2 and 7 (and the last) are on the other file and never count.
COUNTED = [0, 2, 3, 4, 5, 7, 8]


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The compiled shim."""
    return built(tmp_path_factory.mktemp("shim"))


def run(library, directory, number, arm="arm", **named):
    """Runs the writer under the shim; returns what each call said, and the fault."""
    fault = Fault(library, directory, number, path="log.mdb", **named)
    done = subprocess.run(
        ["/usr/bin/python3", "-c", WRITER, str(directory / "log.mdb"), arm], env=fault.env,
        capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split(), fault


@pytest.mark.parametrize("number", range(1, len(COUNTED) + 1))
@pytest.mark.parametrize("error, code", [("EIO", "5"), ("ENOSPC", "28")])
def test_fails_exactly_the_nth(library, tmp_path, number, error, code):
    """The n-th matched call fails with the error asked for, and no other call does."""
    said, fault = run(library, tmp_path, number, error=error)
    wanted = ["ok"] * 10
    wanted[COUNTED[number - 1]] = code
    assert said == wanted
    assert [line[0] for line in fault.failed] == [str(number)]


def test_sticky(library, tmp_path):
    """A broken disk stays broken; other files stay whole."""
    said, fault = run(library, tmp_path, 3, sticky=True)
    wanted = ["5" if index in COUNTED[2:] else "ok" for index in range(10)]
    assert said == wanted and len(fault.failed) == 5


def test_waits_for_the_trigger(library, tmp_path):
    """Nothing is counted before the trigger file exists."""
    said, fault = run(library, tmp_path, 1, arm="no")
    assert said == ["ok"] * 10 and fault.failed == []


def test_reaches_lmdb(library, tmp_path):
    """LMDB's data writes, its flush and its O_DSYNC meta write are all within reach."""
    program = (
        "import lmdb, os, sys\n"
        "env = lmdb.open(sys.argv[1], subdir=False)\n"
        "open(os.environ['FAULTSHIM_TRIGGER'], 'w').close()\n"
        "for n in range(50):\n"
        "    try:\n"
        "        with env.begin(write=True) as writing:\n"
        "            writing.put(b'%d' % n, b'v' * 2000)\n"
        "    except lmdb.Error as error:\n"
        "        print('failed', n)\n"
        "        break\n")
    seen = set()
    for number in range(1, 13):
        fault = Fault(library, tmp_path, number, path="log.mdb")
        done = subprocess.run(
            ["/usr/bin/python3", "-c", program, str(tmp_path / f"{number}-log.mdb")],
            env=fault.env, capture_output=True, text=True, timeout=30, check=False)
        assert len(fault.failed) == 1, (number, done)
        assert done.stdout.startswith("failed"), (number, fault.failed, done)
        seen.add(fault.failed[0][1].removesuffix("64"))
    assert "fdatasync" in seen and seen & {"pwrite", "pwritev", "writev"}, seen
    assert sys.platform == "linux"
