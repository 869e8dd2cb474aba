"""Real nodes for tests: start, reach, break and stop them through what a user has.

Nothing here knows the server's insides: it reads DIR/cluster.json, speaks HTTP and sends signals.
Every wait is a poll with a deadline; none is a sleep that stands for an assertion. Every address
and token that a test makes is remembered, so that the last test can look for them on disk.
"""

import http.client
import json
import os
import random
import signal
import socket
import subprocess
import time
import uuid
from pathlib import Path

import dial

ROOT = Path(__file__).resolve().parents[1]
# Another binary, an installed one for example, can be put to the same tests.
BINARY = Path(os.environ.get("QUELL_TEST_BINARY", ROOT / ".build" / "release" / "quell"))
DEADLINE = 30.0

SEEN_ADDRESSES = []
SEEN_TOKENS = []


def address(prefix="reader"):
    """A fresh address that no other test uses."""
    made = f"{prefix}.{uuid.uuid4().hex[:16]}@example.org"
    SEEN_ADDRESSES.append(made)
    return made


def eventually(condition, what, seconds=DEADLINE, every=0.01):
    """Polls until the condition holds and returns its value; fails by name at the deadline."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(every)


def free_block(count=1):
    """A base port with ten free ports for each of `count` nodes, TCP and UDP."""
    for _ in range(200):
        base = random.randrange(15_000, 31_000, 10)
        if all(free_port(base + offset) for offset in range(10 * count)):
            return base
    raise AssertionError("no free block of ports between 15000 and 31000")


def free_port(port):
    """True when nobody holds the port on loopback."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def thread_states(pid):
    """The states of a process's threads, one letter each (proc(5))."""
    return {
        stat.read_text(errors="replace").rpartition(")")[2].split()[0]
        for stat in Path(f"/proc/{pid}/task").glob("*/stat")}


def is_running(pid):
    """True for a live process; a zombie that nobody reaps is dead once its last thread is.

    The first thread turns zombie while others still hold ports, files and locks.
    """
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            is_ended = stat.read().rpartition(")")[2].split()[0] in ("Z", "X")
        return not is_ended or len(os.listdir(f"/proc/{pid}/task")) > 1
    except OSError:
        return False


def command_line(pid):
    """The argv of a process, or [] when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")[:-1]
    except OSError:
        return []


def anonymous_bytes(pid):
    """RssAnon: what a process really takes, without files that are only mapped."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as lines:
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon:"))


def processes_naming(text):
    """Pids of live processes with `text` inside an argument, ourselves excluded."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid() and is_running(entry):
            if any(text in part for part in command_line(entry)):
                found.append(int(entry))
    return found


def quell(*arguments, env=None, cwd="/", timeout=90, stdin=""):
    """Runs the binary as a user would, with no variable of ours; returns the completed process."""
    assert BINARY.exists(), f"{BINARY} is missing; run `make build` first"
    clean = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "HOME": "/nonexistent"}
    return subprocess.run(
        [str(BINARY), *map(str, arguments)], env={**clean, **(env or {})}, cwd=cwd, input=stdin,
        capture_output=True, text=True, timeout=timeout, check=False)


def replaced(command, flag, value):
    """The argv with one flag set to another value, whether or not it was there."""
    changed = list(command)
    for index, part in enumerate(changed):
        if part == flag:
            changed[index + 1] = str(value)
            return changed
        if part.startswith(flag + "="):
            changed[index] = f"{flag}={value}"
            return changed
    return changed + [flag, str(value)]


class Dialed(http.client.HTTPConnection):
    """As the library's, but it also reaches hosts in network namespaces."""

    def connect(self):
        """Opens the socket."""
        self.sock = dial.connect(self.host, self.port, self.timeout)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class Answer:
    """One HTTP answer, whole."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def header(self, name):
        """The value of a header, or None."""
        return next((v for k, v in self.headers if k.lower() == name.lower()), None)

    @property
    def media_type(self):
        """Content-Type without its parameters."""
        return (self.header("content-type") or "").split(";")[0].strip().lower()

    @property
    def text(self):
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    def json(self):
        """The body as JSON."""
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.media_type} {self.body[:300]!r}>"


def split(hostport):
    """`127.0.0.1:8100` as host and number."""
    host, _, port = hostport.rpartition(":")
    return host, int(port)


def call(hostport, method, path, body=None, headers=None, timeout=DEADLINE):
    """One request on a new connection."""
    host, port = split(hostport)
    connection = Dialed(host, port, timeout=timeout)
    try:
        return exchange(connection, method, path, body, headers)
    finally:
        connection.close()


def exchange(connection, method, path, body=None, headers=None):
    """One request on a connection that stays."""
    if isinstance(body, str):
        body = body.encode()
    connection.request(method, path, body=body, headers=headers or {})
    answer = connection.getresponse()
    return Answer(answer.status, answer.getheaders(), answer.read())


def raw(hostport, request, timeout=DEADLINE):
    """Sends bytes as they are and returns all that comes until the peer closes."""
    with dial.connect(*split(hostport), timeout) as link:
        link.sendall(request)
        received = b""
        while True:
            try:
                part = link.recv(65536)
            except ConnectionResetError:
                return received
            if not part:
                return received
            received += part


class Node:
    """One node of a cluster: its addresses, its process, and ways to break it."""

    def __init__(self, cluster, entry):
        self.cluster, self.entry = cluster, entry
        self.name, self.pid = entry["name"], entry["pid"]
        self.http, self.admin, self.resp = entry["http"], entry["admin"], entry["resp"]
        self.data = Path(entry["data"])
        self.command = entry["command"]
        self.log = cluster.dir / f"{self.name}.log"

    def signal(self, number):
        """Sends a signal to this node's process and no other."""
        os.kill(self.pid, number)

    def pause(self):
        """SIGSTOP, and waits until every thread stands still: on a busy machine some run on."""
        self.signal(signal.SIGSTOP)
        eventually(lambda: thread_states(self.pid) == {"T"}, f"process {self.pid} stands still")

    def kill(self):
        """kill -9, and waits until the kernel has let go of it."""
        self.signal(signal.SIGKILL)
        self.reap()

    def reap(self, seconds=DEADLINE):
        """Waits for the end of the process; returns its exit status where it is our child."""
        child = self.cluster.children.get(self.pid)
        if child:
            return child.wait(timeout=seconds)
        eventually(lambda: not is_running(self.pid), f"end of process {self.pid}", seconds)
        return None

    def run(self, env=None, command=None, wait=True):
        """Runs the node's own command again, from `/` with an empty environment."""
        command = dial.prefix(split(self.http)[0]) + (command or self.command)
        with open(self.log, "ab") as log:
            child = subprocess.Popen(
                command, env=env or {}, cwd="/",
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        self.pid = child.pid
        self.cluster.children[child.pid] = child
        if wait:
            self.wait_ready()
        return child

    def stop(self):
        """SIGTERM and the exit status, which must come within 10 s."""
        self.signal(signal.SIGTERM)
        return self.reap(seconds=10)

    def is_ready(self):
        """True once /readyz says 200."""
        try:
            return call(self.admin, "GET", "/readyz", timeout=2).status == 200
        except OSError:
            return False

    def wait_ready(self):
        """Polls /readyz; fails with the log's end when the process is gone."""
        def ready():
            assert is_running(self.pid), f"the node ended:\n{self.log_end()}"
            return self.is_ready()
        eventually(ready, f"{self.name} ready; log:\n{self.log_end()}")

    def log_end(self):
        """The last lines of the node's log."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-20:])
        except OSError:
            return "(no log)"

    def status(self):
        """`GET /v1/status` with the admin key."""
        answer = call(
            self.admin, "GET", "/v1/status",
            headers={"Authorization": f"Bearer {self.cluster.admin_key}"})
        assert answer.status == 200, answer
        return answer.json()


    def role(self):
        """What it says that it is; None while it does not answer, or does not know the admin's key.
        """
        try:
            return self.status()["role"]
        except (OSError, AssertionError):
            return None


class Cluster:
    """`quell dev --detach` in a directory of its own."""

    def __init__(self, directory, *flags, base=None, nodes=1):
        self.dir = Path(directory)
        self.base = base or free_block(nodes)
        self.children = {}
        self.node_pids = set()
        self.flags = ["--nodes", str(nodes), "--base-port", str(self.base), *flags]

    @property
    def file(self):
        """DIR/cluster.json."""
        return self.dir / "cluster.json"

    def start(self):
        """Starts the nodes and reads cluster.json."""
        done = quell("dev", "--detach", "--dir", self.dir, *self.flags)
        assert done.returncode == 0, f"quell dev: {done.returncode}\n{done.stdout}{done.stderr}"
        self.output = done.stdout + done.stderr
        self.read()
        return self

    def __enter__(self):
        """Starts it for the length of a block."""
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, *_):
        self.stop()

    def read(self):
        """Reads cluster.json again."""
        self.description = json.loads(self.file.read_text())
        self.api_key = self.description["api_key"]
        self.admin_key = self.description["admin_key"]
        self.nodes = [Node(self, entry) for entry in self.description["nodes"]]
        self.node_pids |= {node.pid for node in self.nodes}

    @property
    def node(self):
        """The first node."""
        return self.nodes[0]

    def stop(self):
        """`quell dev stop`, then makes sure by pid that nothing of ours is left."""
        done = quell("dev", "stop", "--dir", self.dir)
        running = [child for child in self.children.values() if child.poll() is None]
        for child in running:
            child.terminate()  # a joiner, of whom `dev stop` knows nothing
        for child in running:
            try:
                child.wait(timeout=10)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait(timeout=10)
        for pid in self.node_pids:
            if any(str(self.dir) in part for part in command_line(pid)):
                os.kill(pid, signal.SIGKILL)
        return done

    def digests(self):
        """The digests of all nodes; one when they hold the same."""
        return {node.status()["marks"]["digest"] for node in self.nodes}

    def settle(self, seconds=DEADLINE):
        """Waits until all nodes hold the same."""
        eventually(lambda: len(self.digests()) == 1, "equal digests", seconds, every=0.1)

    def add_key(self, *scopes):
        """A fresh API key with only these scopes, made by the CLI."""
        done = quell(
            "key", "add", f"key-{uuid.uuid4().hex[:8]}", "--scopes", ",".join(scopes),
            "--cluster", self.file, "--json")
        assert done.returncode == 0, done
        return json.loads(done.stdout)["key"]
