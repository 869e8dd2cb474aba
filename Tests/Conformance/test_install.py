"""`make install`: what a copy of the binary needs is found, and missed with clear words."""

import hashlib
import json
import os
import shutil
import subprocess

import pytest

from cluster import ROOT, Cluster


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    """A prefix far from the source tree."""
    folder = tmp_path_factory.mktemp("prefix") / "usr"
    subprocess.run([ROOT / "Scripts" / "install.sh", folder], check=True, timeout=60)
    return folder


def installed(prefix, *arguments, cwd):
    """The installed program, with an environment of its own."""
    home = cwd / "home"
    home.mkdir(exist_ok=True)
    return subprocess.run(
        [prefix / "bin" / "quell", *arguments], cwd=cwd, capture_output=True, text=True,
        timeout=120, stdin=subprocess.DEVNULL, env={"HOME": str(home), "PATH": os.environ["PATH"]})


def test_the_kit_ships_beside_the_binary(prefix, tmp_path):
    """`quell fn new` points to FunctionKit's sources from any folder, and `fn test` builds."""
    told = installed(prefix, "fn", "new", "greet", cwd=tmp_path)
    assert told.returncode == 0, told.stderr
    kit = prefix / "share" / "quell" / "kit" / "FunctionKit"
    assert str(kit) in told.stdout and (kit / "Request.swift").exists()
    done = installed(prefix, "fn", "test", "greet", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr + done.stdout
    report = json.loads(done.stdout)
    assert report["wasm_bytes"] < 8_192, "a simple handler is under 8 KB of wasm"
    for fixture in report["fixtures"]:
        assert fixture["passed"] and 8_192 < fixture["peak_bytes"] <= report["memory_bytes"]
    text = installed(prefix, "fn", "test", "greet", cwd=tmp_path).stdout
    assert "KiB" in text and "peak" in text and " us" in text


def test_functions_and_engine_ship_with_it(prefix, tmp_path):
    """The installed program finds its engine and its modules without a variable."""
    modules = prefix / "lib" / "quell" / "functions"
    assert (modules / "webhook.wasm").exists()
    cluster = Cluster(tmp_path / "dev")
    try:
        done = installed(
            prefix, "dev", "--detach", "--dir", cluster.dir, "--functions", "wasm", *cluster.flags,
            cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        cluster.read()
        assert cluster.node.command[0] == str(prefix / "bin" / "quell")
        served = {one["name"]: one for one in cluster.node.status()["functions"]}
    finally:
        cluster.stop()
    assert set(served) == {"unsubscribe", "preferences", "check"}
    for name, one in served.items():
        digest = hashlib.sha256((modules / f"{name}.wasm").read_bytes()).hexdigest()
        assert (one["source"], one["digest"]) == ("deployed", digest)


def test_a_missing_kit_is_named(prefix, tmp_path):
    """Where the kit is not: `fn new` says so, `fn build` fails with what to set."""
    bare = tmp_path / "bare"
    shutil.copytree(prefix, bare)
    shutil.rmtree(bare / "share")
    told = installed(bare, "fn", "new", "greet", cwd=tmp_path)
    assert told.returncode == 0 and "QUELL_FUNCTION_KIT" in told.stdout, told
    done = installed(bare, "fn", "build", "greet", cwd=tmp_path)
    assert done.returncode == 78 and "QUELL_FUNCTION_KIT" in done.stderr, done
    assert str(bare) in done.stderr and done.stderr.count("\n") == 1, done.stderr
