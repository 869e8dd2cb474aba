#!/usr/bin/python3
"""`make bench`: each row of DESIGN section 13 that is built, beside its reference.

README.md in this folder says what each row measures and how to read the table. Exit status: 0 when
every row was measured, whether or not it met its goal; 1 when one could not be; 64 for a wrong
call; 130 when it was ended early.
"""

import argparse
import dataclasses
import json
import os
import platform
import signal
import sys
import time
import traceback
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "Live")]

ROWS = ("a", "b", "f", "e", "c", "d", "g", "h", "i", "u", "w", "x", "y")
"""In this order: the first four share one full node, `e` restarts it, the others make their own."""

HOURS_LIMIT = 2
"""The whole run; the full size takes about half of it."""


def arguments():
    """The call."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default=",".join(ROWS), help="a,b,... (default: all)")
    parser.add_argument("--rounds", type=int, default=7, help="alternating rounds (default: 7)")
    parser.add_argument("--seconds", type=int, default=2, help="of a round (default: 2)")
    parser.add_argument("--marks", type=int, default=1_000_000, help="of rows a, b, e, f")
    parser.add_argument(
        "--import-marks", type=int, default=1_000_000, help="of rows d, g (default: 1 M)")
    parser.add_argument("--json", type=Path, help="write all figures here")
    parser.add_argument("--binary", type=Path, help="default: .build/release/quell")
    parser.add_argument("--base-port", type=int, default=23_000, help="first port to try")
    parser.add_argument("--dir", type=Path, help="parent of the temporary folder; a real disk")
    called = parser.parse_args()
    called.rows = called.rows.split(",")
    unknown = [key for key in called.rows if key not in ROWS]
    if unknown or min(called.rounds, called.seconds, called.marks, called.import_marks) < 1:
        parser.exit(64, f"bench: no such row {unknown} or a count below 1\n")
    return called


def machine():
    """What the figures were taken on."""
    model = next((
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        if line.startswith("model name")), platform.machine())
    return {
        "processor": model, "cores": os.cpu_count(), "kernel": platform.release(),
        "load": os.getloadavg()[0]}


def table(rows):
    """The rows as text, columns as wide as they must be."""
    if not rows:
        return "no row was measured"
    cells = [("row", "ours", "reference", "ratio (min..max)", "goal", "")]
    cells += [(row.ours, row.reference, row.ratio, row.goal, row.verdict) for row in rows]
    widths = [max((len(line[i]) for line in cells[1:]), default=0) for i in range(5)]
    widths = [max(width, len(cells[0][i + 1])) for i, width in enumerate(widths)]
    lines = ["    " + "  ".join(word.ljust(width) for word, width in zip(cells[0][1:], widths))]
    for row, line in zip(rows, cells[1:]):
        lines.append(f"{row.key}   {row.name}")
        lines.append(
            "    " + "  ".join(word.ljust(width) for word, width in zip(line, widths)).rstrip())
    return "\n".join(lines)


def measure(session, keys):
    """Runs the rows in the order of ROWS; returns what was measured and what was not."""
    from calling import call_rows
    from clustered import majority_rows
    from deployed import deployed_rows, version_rows
    from reading import http_rows, resp_rows
    from spreading import visible_rows
    from standing import latency_rows, memory_rows, start_rows, upkeep_rows
    from writing import click_rows, import_rows
    work = {"a": resp_rows, "b": http_rows, "c": click_rows, "d": import_rows,
            "e": start_rows, "f": memory_rows, "g": latency_rows,
            "h": majority_rows, "i": visible_rows, "u": upkeep_rows, "w": call_rows,
            "x": deployed_rows, "y": version_rows}
    rows, failures = [], []
    for key in (key for key in ROWS if key in keys):
        print(f"{key}: {work[key].__doc__.partition(':')[2].strip()}", flush=True)
        begun = time.monotonic()
        try:
            rows += work[key](session)
        except Exception as error:
            traceback.print_exc()
            failures.append(f"{key}: {error}")
        session.say(f"{time.monotonic() - begun:.0f} s")
    return rows, failures


def stop(number, _frame):
    """SIGTERM, SIGHUP and the time limit end the run as Ctrl-C does."""
    raise KeyboardInterrupt(signal.Signals(number).name)


def main():
    """One run."""
    called = arguments()
    if called.binary:
        os.environ["QUELL_TEST_BINARY"] = str(called.binary.resolve())
    from rounds import ROUNDS_LEAST
    from session import Session
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, stop)
    signal.alarm(HOURS_LIMIT * 3_600)
    before = machine()
    session = Session(
        called.marks, called.import_marks, called.rounds, called.seconds, called.base_port,
        called.dir)
    try:
        rows, failures = measure(session, called.rows)
    except KeyboardInterrupt as ended:
        print(f"\nbench: ended early {ended}; stopping what was started", flush=True)
        return 130
    finally:
        signal.alarm(0)
        session.close()
    after = os.getloadavg()[0]
    print(f"\n{before['processor']}, {before['cores']} cores, Linux {before['kernel']}; "
          f"load {before['load']:.1f} before, {after:.1f} after")
    if called.rounds < ROUNDS_LEAST:
        print(f"fewer than {ROUNDS_LEAST} rounds: not a figure to quote")
    print(table(rows))
    for failure in failures:
        print(f"NOT MEASURED  {failure}")
    if called.json:
        called.json.write_text(json.dumps({
            "machine": {**before, "load_after": after}, "marks": called.marks,
            "import_marks": called.import_marks, "rounds": called.rounds,
            "seconds": called.seconds, "failures": failures,
            "rows": [{**dataclasses.asdict(row)} for row in rows]}, indent=1) + "\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
