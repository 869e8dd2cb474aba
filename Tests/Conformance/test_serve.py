"""DESIGN 10.1, `quell serve` and `quell init`: start, refuse in one line, stop within 10 s.

A refusal is one line on stderr that names the cause and the fix, with exit status 78, because that
is what systemd's log and a tired operator can use.
"""

import os
import shutil
import signal
import socket
import stat
import subprocess
import time

import pytest

from api import Api, one_click
from cluster import (
    BINARY, address, call, eventually, free_block, is_running, processes_naming, quell,
    replaced)


def run_refused(command, *words, status=78, env=None):
    """Runs a command that must refuse: exit 78, one line with each of the words."""
    done = subprocess.run(
        list(map(str, command)), env=env or {}, cwd="/", stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    lines = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
    assert len(lines) == 1, lines
    for word in words:
        assert str(word).lower() in lines[0].lower(), (word, lines[0])
    return lines[0]


def test_usable_from_any_directory(tmp_path):
    """gives `.build/release/quell`, usable from any directory; `--version` names the formats."""
    for directory in ("/", tmp_path):
        done = quell("--version", cwd=directory)
        assert done.returncode == 0 and done.stdout.strip(), done
    for word in ("disk", "wire", "abi"):
        assert word in done.stdout.lower(), done.stdout


def test_init(tmp_path):
    """`quell init DIR` makes cluster key, admin key and deployer key (0600)."""
    made = tmp_path / "keys"
    assert quell("init", made).returncode == 0
    for name in ("cluster", "admin", "deployer"):
        files = [file for file in made.rglob(f"*{name}*") if file.is_file()]
        secret = [file for file in files if not file.name.endswith(".pub")]
        assert len(secret) == 1, (name, files)
        assert stat.S_IMODE(secret[0].stat().st_mode) == 0o600
        assert secret[0].stat().st_size >= 32
    before = {file: file.read_bytes() for file in made.rglob("*") if file.is_file()}
    assert quell("init", made).returncode != 0, "keys are never overwritten"
    assert before == {file: file.read_bytes() for file in made.rglob("*") if file.is_file()}


@pytest.fixture
def keys(tmp_path):
    """The cluster key of a fresh `quell init`."""
    assert quell("init", tmp_path / "keys").returncode == 0
    return next(file for file in (tmp_path / "keys").rglob("*cluster*") if file.is_file())


def serve(tmp_path, key, *flags, env=None):
    """Starts a single bootstrapped node; returns the process."""
    command = [
        BINARY, "serve", "--name", "n1", "--data", tmp_path / "data", "--zone", "z1",
        "--cluster-key", key, "--bootstrap", "--voters", "n1", *flags]
    return subprocess.Popen(
        list(map(str, command)), env=env or {}, cwd="/", stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


@pytest.mark.parametrize("kind, offset", [
    (socket.SOCK_STREAM, 0), (socket.SOCK_STREAM, 1), (socket.SOCK_STREAM, 2),
    (socket.SOCK_STREAM, 3), (socket.SOCK_DGRAM, 3)])
def test_refuses_a_taken_port(tmp_path, keys, kind, offset):
    """public HTTP B, admin HTTP B+1, RESP B+2, peers B+3 (TCP and UDP): one line says which of them
    is taken, and by whom."""
    base = free_block()
    with socket.socket(type=kind) as taken:
        taken.bind(("127.0.0.1", base + offset))
        if kind == socket.SOCK_STREAM:
            taken.listen()
        run_refused(
            [BINARY, "serve", "--name", "n1", "--data", tmp_path / "data", "--cluster-key", keys,
             "--bootstrap", "--voters", "n1", "--base-port", base],
            base + offset, f"pid {os.getpid()}", "--base-port")


def answers(port):
    """True once /livez answers on the port."""
    try:
        return call(f"127.0.0.1:{port}", "GET", "/livez", timeout=2).status == 200
    except OSError:
        return False


def is_heard(port):
    """True once somebody listens on the port: sooner than any answer."""
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def end(process):
    """SIGTERM; the exit status within 10 s."""
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(timeout=10)
    finally:
        if process.poll() is None:
            process.kill()
        process.stderr.close()


def test_ends_well_as_soon_as_it_answers(tmp_path, keys):
    """SIGTERM finishes and exits 0, also in the moment in which the first caller is heard."""
    port, turns = free_block(), 8
    for turn in range(turns):
        (tmp_path / str(turn)).mkdir()
        process = serve(tmp_path / str(turn), keys, "--base-port", port)
        bound = time.monotonic() + 20
        while not is_heard(port):
            assert process.poll() is None and time.monotonic() < bound, process.stderr.read()
        assert end(process) == 0, turn


def test_flags_over_environment_over_file(tmp_path, keys):
    """Flags > environment `QUELL_*` > YAML file."""
    ports = [free_block() for _ in range(3)]
    config = tmp_path / "quell.yaml"
    config.write_text(f"base_port: {ports[0]}\n")
    flags, env, wanted = ["--config", config], {}, ports[0]
    for step in range(3):
        if step == 1:
            env, wanted = {"QUELL_BASE_PORT": str(ports[1])}, ports[1]
        if step == 2:
            flags, wanted = flags + ["--base-port", ports[2]], ports[2]
        process = serve(tmp_path, keys, *flags, env=env)
        try:
            eventually(lambda: answers(wanted) or process.poll() is not None, f"port {wanted}")
            assert process.poll() is None, process.stderr.read()
            assert [answers(port) for port in ports] == [port == wanted for port in ports]
        finally:
            assert end(process) == 0


def test_listens_on_loopback(tmp_path, keys):
    """public HTTP B, admin HTTP B+1; `--listen 127.0.0.1` by default."""
    base = free_block()
    process = serve(tmp_path, keys, "--base-port", base)
    try:
        eventually(lambda: answers(base) and answers(base + 1), "both doors")
        with open("/proc/net/tcp", encoding="ascii") as table:
            rows = [line.split() for line in table.readlines()[1:]]
        ours = [row[1] for row in rows if row[3] == "0A"
                and base <= int(row[1].split(":")[1], 16) < base + 10]
        assert ours and all(local.startswith("0100007F:") for local in ours), ours
    finally:
        assert end(process) == 0


def test_needs_insecure_listen(tmp_path, keys):
    """a public listener that is neither loopback nor behind a proxy needs `--insecure-listen`."""
    run_refused(
        [BINARY, "serve", "--name", "n1", "--data", tmp_path / "data", "--base-port",
         free_block(), "--cluster-key", keys, "--bootstrap", "--voters", "n1", "--listen",
         "0.0.0.0"], "--insecure-listen")


def test_second_serve_on_the_same_directory(cluster, node):
    """A second `serve` on the same data directory: the owner is named, nothing is harmed."""
    command = replaced(node.command, "--base-port", free_block())
    run_refused(command, node.data, node.pid)
    assert node.is_ready() and is_running(node.pid)


@pytest.mark.parametrize("offset, what", [(0, "public"), (1, "admin")])
def test_used_port(fresh, offset, what):
    """A used port: a one-line error that names the port and the flag."""
    made = fresh()
    assert made.node.stop() in (0, None)
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", made.base + offset))
        taken.listen()
        line = run_refused(made.node.command, made.base + offset)
    assert "port" in line.lower()
    made.node.run()


def test_used_port_of_another_node(fresh, tmp_path):
    """the peer port is bound first, without SO_REUSEPORT: two nodes never share a port."""
    made = fresh()
    other = tmp_path / "other"
    shutil.copytree(made.node.data, other, ignore=shutil.ignore_patterns("*lock*"))
    run_refused(replaced(made.node.command, "--data", other), "port")
    assert made.node.is_ready()


def test_read_only_directory(fresh, tmp_path):
    """A read-only directory: a one-line error that names the directory."""
    made = fresh()
    assert made.node.stop() in (0, None)
    frozen = tmp_path / "frozen"
    shutil.copytree(made.node.data, frozen)
    command = replaced(made.node.command, "--data", frozen)
    if os.geteuid() != 0:
        for path in (*frozen.rglob("*"), frozen):
            path.chmod(0o500 if path.is_dir() else 0o400)
        run_refused(command, frozen)
        frozen.chmod(0o700)
        return
    mounted = subprocess.run(
        f"mount --bind '{frozen}' '{frozen}' && mount -o remount,ro,bind '{frozen}'", shell=True,
        capture_output=True, text=True, check=False)
    try:
        if mounted.returncode != 0:
            pytest.skip(f"root here may not mount: {mounted.stderr.strip()}")
        run_refused(command, frozen, "read-only")
    finally:
        subprocess.run(["umount", frozen], capture_output=True, check=False)


def test_directory_under_a_file(tmp_path, keys):
    """A directory that cannot be made: a one-line error that names it."""
    (tmp_path / "file").write_text("")
    data = tmp_path / "file" / "data"
    run_refused(
        [BINARY, "serve", "--name", "n1", "--data", data, "--base-port", free_block(),
         "--cluster-key", keys, "--bootstrap", "--voters", "n1"], data)


@pytest.mark.parametrize("text, word", [
    ("base_prot: 8100\n", "base_prot"), ("loops: many\n", "loops"), ("policy: maybe\n", "policy"),
    ("base_port: 99999999\n", "base_port"), ("base_port: [1\n", "quell.yaml")])
def test_wrong_configuration(tmp_path, keys, text, word):
    """a wrong configuration key: a one-line error that names the cause and the fix, exit 78."""
    config = tmp_path / "quell.yaml"
    config.write_text(text)
    line = run_refused(
        [BINARY, "serve", "--config", config, "--name", "n1", "--data", tmp_path / "data",
         "--cluster-key", keys, "--bootstrap", "--voters", "n1"], word, config)
    if word == "base_prot":
        assert "base_port" in line, "the nearest key is the fix"


def test_missing_configuration(tmp_path, keys):
    """exit 78 configuration: files that are not there are named."""
    nowhere = tmp_path / "nowhere"
    run_refused([BINARY, "serve", "--config", nowhere], nowhere)
    run_refused(
        [BINARY, "serve", "--name", "n1", "--data", tmp_path / "data", "--bootstrap", "--voters",
         "n1", "--cluster-key", nowhere], nowhere)
    run_refused(
        [BINARY, "serve", "--name", "n1", "--data", tmp_path / "data", "--cluster-key", keys],
        "QUELL_LOOPS", env={"QUELL_LOOPS": "none"})


def test_unknown_flag():
    """Exit codes: 64 usage."""
    done = quell("serve", "--no-such-flag")
    assert done.returncode == 64 and "--no-such-flag" in done.stderr


def test_sigterm(fresh):
    """SIGTERM checkpoints to the log's end and exits 0 within 10 s."""
    made = fresh()
    made.node.kill()
    child = made.node.run()
    reader = address()
    one_click(made.node, Api(made.node).token(reader))
    begun = time.monotonic()
    assert made.node.stop() == 0 and child.returncode == 0
    assert time.monotonic() - begun < 10
    made.node.run()
    assert Api(made.node).decision(reader) == "deny"


def test_sigterm_under_load(fresh):
    """SIGTERM ... exits 0 within 10 s, also with idle and half-written connections open."""
    made = fresh()
    made.node.kill()
    made.node.run()
    open_links = [
        socket.create_connection(("127.0.0.1", made.base), timeout=10) for _ in range(20)]
    for link in open_links[::2]:
        link.sendall(b"POST /v1/check HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf")
    assert made.node.stop() == 0
    for link in open_links:
        link.close()


def test_a_killed_node_stays_dead(fresh):
    """A killed node stays dead until its `command` is run again."""
    made = fresh()
    reader = address()
    Api(made.node).suppress(reader)
    made.node.kill()
    assert processes_naming(str(made.node.data)) == []
    made.node.run()
    assert Api(made.node).decision(reader) == "deny"
