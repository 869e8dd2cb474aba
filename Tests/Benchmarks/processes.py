"""Children of a benchmark: started apart from our terminal, watched, and stopped by pid.

A reference gets the kernel's promise (PR_SET_PDEATHSIG, through setpriv) to be killed with us, so
that even `kill -9` of a benchmark leaves no reference behind.
"""

import http.client
import os
import shutil
import signal
import subprocess
import time

import cluster
import dial


class Failed(Exception):
    """A row cannot be measured; the text says why."""


def tool(name, *places):
    """The path of a program, or a word about what installs it."""
    found = shutil.which(name, path=os.pathsep.join([*places, os.environ.get("PATH", ""),
                                                     "/usr/sbin", "/usr/bin"]))
    if not found:
        raise Failed(f"{name} is missing; run `Scripts/setup.sh bench`")
    return found


def run(command, seconds, **named):
    """Runs a client to its end and returns its output; fails with its words."""
    try:
        done = subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, timeout=seconds,
            stdin=named.pop("stdin", subprocess.DEVNULL), check=False, **named)
    except subprocess.TimeoutExpired as expired:
        raise Failed(f"{command[0]} took over {seconds:.0f} s") from expired
    if done.returncode != 0:
        raise Failed(f"{command[0]} ended {done.returncode}: {done.stdout}{done.stderr}"[:2_000])
    return done.stdout


class Server:
    """A reference server in the foreground, with its output in a file."""

    def __init__(self, name, command, port, log, ending=signal.SIGTERM, host="127.0.0.1"):
        self.name, self.log, self.ending = name, log, ending
        self.host, self.port = host, port
        with open(log, "ab") as output:
            self.child = subprocess.Popen(
                [tool("setpriv"), "--pdeathsig", "KILL", *map(str, command)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                cwd="/")
        try:
            self.wait_open()
        except BaseException:
            self.stop()
            raise

    @property
    def pid(self):
        """The server's own process: setpriv becomes it."""
        return self.child.pid

    def wait_open(self, seconds=30):
        """Waits until the port takes connections."""
        end = time.monotonic() + seconds
        while True:
            if self.child.poll() is not None or time.monotonic() > end:
                raise Failed(f"{self.name} did not start: {self.log_end()}")
            try:
                dial.connect(self.host, self.port, timeout=1).close()
                return
            except OSError:
                time.sleep(0.02)

    def log_end(self):
        """The last lines that it wrote."""
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-10:])

    def stop(self):
        """Asks, waits, and kills only what does not go."""
        if self.child.poll() is None:
            self.child.send_signal(self.ending)
            try:
                self.child.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait(timeout=10)


def blocks_bytes(path):
    """What a file takes on disk: its blocks in use, not its length."""
    return os.stat(path).st_blocks * 512


def metrics(node):
    """The numbers of a node's /metrics, by sample name with its labels."""
    text = cluster.call(node.admin, "GET", "/metrics").text
    return {
        line.rpartition(" ")[0]: float(line.rpartition(" ")[2])
        for line in text.splitlines() if line and not line.startswith("#")}


def first_seconds(node, asks, seconds=120):
    """Runs a node's command; the seconds until `asks(connection)` is first true of its answer."""
    host, port = cluster.split(node.http)
    begun = time.monotonic()
    node.run(wait=False)
    while time.monotonic() - begun < seconds:
        connection = http.client.HTTPConnection(host, port, timeout=5)
        try:
            if asks(connection):
                return time.monotonic() - begun
        except (OSError, http.client.HTTPException):
            if not cluster.is_running(node.pid):
                raise Failed(f"the node ended: {node.log_end()}") from None
        finally:
            connection.close()
        time.sleep(0.002)
    raise Failed(f"no such answer within {seconds} s")


def settle(node, seconds=300):
    """Waits until the checkpointer has merged everything: a node at rest."""
    cluster.eventually(
        lambda: metrics(node)["quell_state_checkpoint_lag_changes"] == 0,
        "checkpoint lag 0", seconds, every=0.1)
