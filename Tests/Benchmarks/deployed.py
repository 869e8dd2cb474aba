"""Rows of deployed functions: HTTP through the `check` module, memory, cold start, sizes."""

import os
import shutil
import urllib.parse

import cluster
import people
from cluster import ROOT, anonymous_bytes
from drivers import write_requests, wrk
from processes import Failed, first_seconds, settle
from reading import decisions, half_hit, sized
from references import Nginx
from rounds import alternate
from session import Row, middle, paired

KNOWN = 100_000
"""Marks of row x: the function is what is measured, not the filter."""

GOALS = {"reset": 0.9, "warm": 0.9, "strict": 0.75}
"""Isolation of the deployed `check`, and DESIGN 13's goal beside nginx."""

VERSIONS = 8
"""Functions that row y loads."""

STARTS = 5
"""Starts that row y times."""


def fn(session, *arguments):
    """`quell fn ...`; the kit is built once a run."""
    done = cluster.quell(
        "fn", *arguments, cwd=str(session.dir), timeout=180,
        env={"XDG_CACHE_HOME": str(session.dir / "cache")})
    if done.returncode != 0:
        raise Failed(f"fn {arguments[0]} ended {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def deploy(session, node, folder):
    """Builds, signs, activates, and waits until the node proves that it runs."""
    fn(session, "deploy", str(folder), "--cluster", str(node.cluster.file))


def told(node, name):
    """The node's own counters of a function; fails when any call of it failed."""
    answer = cluster.call(
        node.admin, "GET", "/v1/functions",
        headers={"Authorization": f"Bearer {node.cluster.admin_key}"}).json()
    found = next(one for one in answer["functions"] if one["name"] == name)
    if any(found["failures"].values()):
        raise Failed(f"calls of {name} failed: {found['failures']}")
    return found


def checking(session, isolation):
    """A folder with the shipped `check` under another isolation."""
    folder = session.dir / f"check-{isolation}"
    shutil.copytree(ROOT / "Functions" / "check", folder)
    manifest = folder / "function.yaml"
    text = manifest.read_text(encoding="utf-8")
    changed = text.replace("isolation: reset ", f"isolation: {isolation} ")
    assert isolation == "reset" or changed != text
    manifest.write_text(changed, encoding="utf-8")
    return folder


def deployed_rows(session):
    """x: GET check through the deployed module, each isolation, beside nginx; no call may fail."""
    asked = people.sample(KNOWN, 20_000)

    def path(person):
        return "/v1/check?" + urllib.parse.urlencode({
            "stream": "marketing", "topic": "news", "address": person.decode()}, safe="@")
    rows = []
    with session.node("--loops", "1", "--functions", "wasm") as node:
        people.add(people.resp(node), people.suppressed(KNOWN))
        settle(node)
        port = cluster.split(node.http)[1]
        key = f"Bearer {node.cluster.api_key}"
        lengths = [sized(port, path(person), {"Authorization": key}) for person in asked[:20]]
        length = round(sum(lengths) / len(lengths))
        requests = write_requests(
            session.dir / "deployed.txt", map(path, asked), header=f"Authorization: {key}")
        with session.server(Nginx, "x" * length) as nginx:
            for isolation, goal in GOALS.items():
                deploy(session, node, checking(session, isolation))

                def reference():
                    return wrk(nginx.port, requests, 50, session.seconds).rate

                def ours():
                    return wrk(port, requests, 50, session.seconds).rate
                reference()
                ours()
                before, calls = decisions(node), told(node, "check")["calls"]
                session.say(f"isolation {isolation}")
                measured = alternate(reference, ours, session.rounds, session.say)
                asked_count = half_hit(node, before)
                called = told(node, "check")["calls"] - calls
                if called < asked_count:
                    raise Failed(f"{called} calls for {asked_count} checks")
                rows.append(paired(
                    "x", f"HTTP GET check through the deployed check.wasm, {isolation}, one loop | "
                    f"nginx return 200, one worker, {length} B", measured, "k/s", f">= {goal}",
                    lambda ratio, goal=goal: ratio >= goal, scale=1e-3, isolation=isolation))
    return rows


def is_answered(connection, path):
    """Whether a function answers 200."""
    connection.request("GET", path)
    return connection.getresponse().status == 200


def version_rows(session):
    """y: memory of a loaded version, cold start to the first wasm answer, sizes of the modules."""
    with session.node("--loops", "1", "--functions", "wasm") as node:
        names = [f"greet-{number}" for number in range(VERSIONS + 1)]
        for name in names:
            fn(session, "new", name)
        # The first one brings what all of them share.
        deploy(session, node, session.dir / names[0])
        before = anonymous_bytes(node.pid)
        for name in names[1:]:
            deploy(session, node, session.dir / name)
            sized(cluster.split(node.http)[1], f"/f/{name}/Ada")
        each = (anonymous_bytes(node.pid) - before) / VERSIONS
        session.say(f"{each / 1024:,.0f} KiB a version")
        taken = []
        for _ in range(STARTS):
            node.stop()
            taken.append(first_seconds(node, lambda one: is_answered(one, f"/f/{names[-1]}/Ada")))
            session.say(f"{taken[-1]:.3f} s")
            node.wait_ready()
        told(node, names[-1])
    rows = [
        Row("y", f"anonymous memory of a loaded version, mean of {VERSIONS}",
            f"{each / 1024:,.0f} KiB", figures={"bytes": each}),
        Row("y", f"cold start to the first wasm answer, {VERSIONS + 1} functions, code in the "
            "cache", f"{middle(taken):.3f} s ({min(taken):.3f}..{max(taken):.3f})",
            figures={"seconds": taken})]
    modules = sorted((ROOT / ".build" / "functions").glob("*.wasm"))
    greet = session.dir / names[0] / ".build" / f"{names[0]}.wasm"
    for name, file in [("a handler of `fn new`", greet)] + [(one.name, one) for one in modules]:
        size = os.stat(file).st_size
        is_simple = file == greet
        rows.append(Row(
            "y", f"size of {name}", f"{size:,} B", goal="< 8,192 B" if is_simple else "-",
            is_met=size < 8_192 if is_simple else None, figures={"bytes": size}))
    return rows
