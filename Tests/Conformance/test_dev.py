"""DESIGN 10.1, `quell dev`: a real node in one command, and nothing left behind."""

import contextlib
import json
import os
import re
import signal
import socket
import stat
import subprocess

from api import Api, one_click
from cluster import (
    BINARY, Cluster, address, call, eventually, free_block, is_running, processes_naming,
    quell, replaced)


def test_cluster_file(cluster, node):
    """`DIR/cluster.json` (0600, absolute paths): tenant, api_key, admin_key, nodes."""
    assert stat.S_IMODE(cluster.file.stat().st_mode) == 0o600
    described = cluster.description
    assert described["tenant"] == "demo" and described["api_key"] and described["admin_key"]
    entry, = described["nodes"]
    ports = {"http": 0, "admin": 1, "resp": 2, "peer": 3, "policy": 4, "socketmap": 5}
    for door, offset in ports.items():
        assert entry[door] == f"127.0.0.1:{cluster.base + offset}"
    assert entry["name"] == "n1" and is_running(entry["pid"])
    assert entry["data"] == str(cluster.dir / "n1")
    command = entry["command"]
    assert command[1] == "serve" and os.path.isabs(command[0]) and os.access(command[0], os.X_OK)
    for secret in (described["api_key"], described["admin_key"]):
        assert not any(secret in part for part in command), "no secret in it"


def test_demo_tenant(api):
    """tenant `demo` with `marketing` (`news`, `offers`) and `transactional` (`receipts`)."""
    for stream, topic in (
            ("marketing", "news"), ("marketing", "offers"), ("transactional", "receipts")):
        assert api.decision(address(), stream, topic) == "allow"


def test_says_that_mail_needs_https(cluster):
    """`dev` uses its own http address and says that mail needs https."""
    assert "https" in cluster.output, cluster.output


def test_detached(fresh):
    """With `--detach` it returns when all nodes are ready; nodes have their own session,
    stdin from /dev/null, output in `DIR/NAME.log` and none of the caller's descriptors."""
    inside, outside = socket.socketpair()
    os.set_inheritable(inside.fileno(), True)
    os.dup2(inside.fileno(), 57)
    try:
        made = fresh()
    finally:
        os.close(57)
    node = made.node
    assert call(node.admin, "GET", "/readyz").status == 200
    assert os.getsid(node.pid) == node.pid != os.getsid(0)
    held = held_by(node.pid)
    assert held["0"] == "/dev/null"
    assert held["1"] == held["2"] == str(made.dir / "n1.log")
    assert f"socket:[{os.fstat(inside.fileno()).st_ino}]" not in held.values()
    inside.close()
    outside.close()


def test_no_descriptor_of_a_shell(tmp_path):
    """none of the caller's descriptors: a pipe given to `dev` ends when `dev` ends."""
    base = free_block()
    reading, writing = os.pipe()
    os.set_inheritable(writing, True)
    made = Cluster(tmp_path / "dev", base=base)
    try:
        subprocess.run(
            [str(BINARY), "dev", "--nodes", "1", "--detach", "--dir", str(made.dir),
             "--base-port", str(base)], pass_fds=[writing], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, timeout=90, check=True)
        os.close(writing)
        os.set_blocking(reading, False)
        assert os.read(reading, 1) == b"", "somebody still holds the pipe"
    finally:
        os.close(reading)
        made.stop()


def test_failure_leaves_nothing(tmp_path):
    """on failure nothing stays running and the exit code is not 0."""
    base = free_block()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", base))
        taken.listen()
        done = quell("dev", "--nodes", "1", "--detach", "--dir", tmp_path / "dev",
                     "--base-port", base)
    assert done.returncode != 0 and str(base) in done.stdout + done.stderr, done
    assert processes_naming(str(tmp_path / "dev")) == []


def test_starts_again_with_the_same_ids(fresh):
    """An existing DIR starts again with the same ids and keys."""
    made = fresh()
    reader, late = address(), address()
    token = Api(made.node).token(late)
    Api(made.node).suppress(reader)
    before, status = made.description, made.node.status()
    assert quell("dev", "stop", "--dir", made.dir).returncode == 0
    assert not is_running(made.node.pid)
    made.start()
    assert made.api_key == before["api_key"] and made.admin_key == before["admin_key"]
    again = made.node.status()
    assert again["node_id"] == status["node_id"]
    assert again["epoch"] != status["epoch"]
    assert Api(made.node).decision(reader) == "deny"
    assert one_click(made.node, token).status == 200, "links made before still work"
    assert Api(made.node).decision(late) == "deny"


def test_stop_finds_a_restarted_node(fresh):
    """`quell dev stop --dir DIR` finds nodes by their owner lock, also restarted ones."""
    made = fresh()
    made.node.kill()
    made.node.run()
    assert quell("dev", "stop", "--dir", made.dir).returncode == 0
    eventually(lambda: processes_naming(str(made.node.data)) == [], "the node's end", 12)


def test_stop_finds_a_stopped_node(fresh):
    """also ... stopped (SIGSTOP) ones."""
    made = fresh()
    made.node.pause()
    assert quell("dev", "stop", "--dir", made.dir).returncode == 0
    eventually(lambda: not is_running(made.node.pid), "the stopped node's end", 12)


def test_stop_spares_strangers(fresh):
    """finds nodes by their owner lock: a stale pid in cluster.json is nobody's death."""
    made = fresh()
    made.node.kill()
    bystander = subprocess.Popen(["sleep", "60"])
    try:
        text = made.file.read_text().replace(f'"pid":{made.node.pid}', f'"pid":{bystander.pid}')
        made.file.write_text(re.sub(r'"pid"\s*:\s*\d+', f'"pid":{bystander.pid}', text))
        quell("dev", "stop", "--dir", made.dir)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_command_runs_anywhere(fresh):
    """`command`: foreground, from any directory, with an empty environment."""
    made = fresh()
    made.node.kill()
    child = made.node.run(env={})
    assert child.poll() is None and made.node.pid == child.pid
    assert made.node.status()["name"] == "n1"
    assert made.node.stop() == 0


def test_data_directory(fresh):
    """A data directory holds `state.mdb` and `log.mdb`; marks are in the named database `marks`
    with the key of section 4, integers big-endian."""
    import hashlib

    import lmdb
    made = fresh()
    reader = address()
    Api(made.node).suppress(reader)
    assert made.node.stop() in (0, None)
    assert {"state.mdb", "log.mdb"} <= {file.name for file in made.node.data.iterdir()}
    with lmdb.open(
            str(made.node.data / "state.mdb"), subdir=False, readonly=True, lock=False,
            max_dbs=64) as state:
        marks = state.open_db(b"marks", create=False)
        with state.begin(db=marks) as reading:
            keys = [bytes(key) for key in reading.cursor().iternext(values=False)]
    key, = keys
    assert len(key) == 33
    assert key[:8] == hashlib.sha256(b"demo").digest()[:8]
    assert key[24:28] != bytes(4) and key[28:32] != bytes(4)
    made.node.run()


@contextlib.contextmanager
def foreground(directory):
    """`quell dev` of one node in the foreground; yields its process, its output and its port."""
    base = free_block()
    log = directory / "output"
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [str(BINARY), "dev", "--nodes", "1", "--dir", str(directory / "dev"), "--base-port",
             str(base)], stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=directory)
    try:
        yield process, log, base
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=20)


def held_by(pid):
    """What a process holds: descriptor -> target; one that is closed meanwhile is not listed."""
    held = {}
    for number in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):
            held[number] = os.readlink(f"/proc/{pid}/fd/{number}")
    return held


def test_foreground(tmp_path):
    """`make run` ... starts in the foreground and prints the first commands with the real path:
    a link to open and a command to run; both work as printed."""
    with foreground(tmp_path) as (process, log, base):
        def printed():
            assert process.poll() is None, log.read_text()
            text = log.read_text()
            link = re.search(r"http://127\.0\.0\.1:\d+/u/[A-Za-z0-9_-]{68,110}", text)
            command = re.search(rf"^\W*({re.escape(str(BINARY))} \w.*)$", text, re.MULTILINE)
            return link and command and (link.group(), command.group(1))
        link, command = eventually(printed, "a link and a command in the output", 60)
        path = link.removeprefix(f"http://127.0.0.1:{base}")
        assert call(f"127.0.0.1:{base}", "GET", path).status == 200
        done = subprocess.run(
            command, shell=True, cwd="/", capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode in (0, 1), (command, done)
        node = json.loads((tmp_path / "dev" / "cluster.json").read_text())["nodes"][0]["pid"]
    assert process.returncode == 0
    eventually(lambda: not is_running(node), "the node ends with `dev`", 12)


def test_foreground_stopped_from_elsewhere(tmp_path):
    """`quell dev stop --dir DIR`, in another terminal, ends a foreground cluster as asked: 0."""
    with foreground(tmp_path) as (process, log, _):
        eventually(lambda: "http://" in log.read_text(), "the cluster is up", 60)
        assert quell("dev", "stop", "--dir", str(tmp_path / "dev")).returncode == 0
        assert process.wait(timeout=20) == 0, log.read_text()
    assert "all nodes have ended" in log.read_text()


def test_foreground_whose_node_fails(tmp_path):
    """A node that was killed is no end that anybody asked for: not 0, and the logs are named."""
    with foreground(tmp_path) as (process, log, _):
        eventually(lambda: "http://" in log.read_text(), "the cluster is up", 60)
        node = json.loads((tmp_path / "dev" / "cluster.json").read_text())["nodes"][0]["pid"]
        os.kill(node, signal.SIGKILL)
        assert process.wait(timeout=20) == 70, log.read_text()
    assert "no node is left" in log.read_text()


def test_two_nodes_never_share_a_directory(fresh):
    """refuse a second owner: own lock file with flock, whatever the ports."""
    made = fresh()
    other = replaced(made.node.command, "--base-port", free_block())
    done = subprocess.run(
        other, env={}, cwd="/", capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 78, done
    assert made.node.is_ready()
