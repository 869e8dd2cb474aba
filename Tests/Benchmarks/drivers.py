"""The clients that drive both sides unmodified, and what they say as numbers."""

import csv
import dataclasses
import io
import json
import re
from pathlib import Path

from people import SET
from processes import Failed, run, tool
from references import POSTGRES_BIN

HERE = Path(__file__).resolve().parent


def redis_benchmark(port, marks, requests, seconds, login=()):
    """SISMEMBER of random people, pipeline 64, 50 connections; requests a second."""
    command = [tool("redis-benchmark"), "-h", "127.0.0.1", "-p", port, "-P", 64, "-c", 50,
               "-n", requests, "-r", 2 * marks, "--csv"]
    if login:
        command += ["--user", login[0].decode(), "-a", login[1].decode()]
    printed = run([*command, "SISMEMBER", SET, "user__rand_int__@example.com"], 30 + 20 * seconds)
    # Before the table stand warnings, such as that CONFIG GET was refused.
    table = printed[printed.find('"test"'):]
    rows = list(csv.DictReader(io.StringIO(table)))
    if len(rows) != 1:
        raise Failed(f"redis-benchmark printed {printed[:500]!r}")
    return float(rows[0]["rps"])


@dataclasses.dataclass
class Wrk:
    """One run of wrk; latencies in milliseconds."""

    requests: int
    rate: float
    mean: float
    p50: float
    p99: float


def write_requests(path, paths, method="GET", body="", header=""):
    """Writes the file that replay.lua reads."""
    path.write_text("\n".join([method, body, header, *paths]) + "\n")
    return path


def wrk(port, requests, connections, seconds):
    """One thread of wrk replays a file; every answer must be a 2xx, none may be missing."""
    printed = run([
        tool("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s",
        "-s", HERE / "replay.lua", f"http://127.0.0.1:{port}/", "--", requests], 60 + 2 * seconds)
    said = json.loads(printed[printed.rindex("{"):])
    if said["wrong"] or not said["requests"]:
        raise Failed(f"wrk: {said['requests']} answers, {said['wrong']} wrong or missing")
    rate = said["requests"] / said["seconds"]
    return Wrk(said["requests"], rate, said["mean"], said["p50"], said["p99"])


@dataclasses.dataclass
class Pgbench:
    """One run of pgbench; latency in milliseconds."""

    rate: float
    mean: float


def pgbench(postgres, clients, seconds):
    """Inserts by `clients` connections, prepared statements; none may fail."""
    printed = run([
        tool("pgbench", POSTGRES_BIN), *postgres.database, "-n", "-M", "prepared", "-c", clients,
        "-j", 1, "-T", max(1, round(seconds)), "-f", HERE / "insert.sql", "postgres"],
        60 + 2 * seconds)
    rate = re.search(r"^tps = ([\d.]+) \(without", printed, re.M)
    mean = re.search(r"^latency average = ([\d.]+) ms", printed, re.M)
    failed = re.search(r"^number of failed transactions: (\d+)", printed, re.M)
    if not rate or not mean or not failed or int(failed[1]):
        raise Failed(f"pgbench printed {printed[:500]!r}")
    return Pgbench(float(rate[1]), float(mean[1]))
