"""New versions of `unsubscribe` and `check` go to every node while wrk asks for both all the time.

Every node has two wrk of its own, one for checks and one for one-clicks, from before the first
deploy until after the last rollback. Each answer that is not a 2xx, and each connection that
breaks, is a failure, and there may be none. What a deployed version decides is then asked by HTTP,
in a batch and by RESP. Each of wrk's connections rests for 5 ms after an answer: a load that takes
the processors whole is a test of the compiler that builds the versions beside it.
"""

import json
import signal
import shutil
import subprocess

import pytest
import redis

from api import FORM, ONE_CLICK, Api, visit
from cluster import ROOT, address, eventually, split
from fn import edit, fn, shipped

pytestmark = pytest.mark.alone
REPLAY = ROOT / "Tests" / "Live" / "paced.lua"
CONNECTIONS, PEOPLE, ASKED = 4, 2_000, 70
LONGEST = 1_500
# Seconds that a build may take beside the load.
BUILD = 300
# Version n denies whoever has n in this remainder, so two versions in turn deny nobody alike.
KINDS = 7
ALL = "decide(_ item: CheckItem, nowMillis: UInt64) -> Decision { .allow }"


class Wrk:
    """wrk beside everything else, until told to end."""

    def __init__(self, node, file, method, paths, body="", header=""):
        file.write_text("\n".join([method, body, header, *paths]) + "\n")
        self.child = subprocess.Popen(
            ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{LONGEST}s", "--timeout", "10s", "-s",
             str(REPLAY), f"http://{node.http}/", "--", str(file)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, cwd=ROOT)

    def end(self):
        """What it counted; SIGINT ends wrk as its time would."""
        self.child.send_signal(signal.SIGINT)
        printed, _ = self.child.communicate(timeout=30)
        return json.loads(printed[printed.rindex("{"):])

    def kill(self):
        """Leaves nothing behind."""
        self.child.kill()
        self.child.wait()


@pytest.fixture
def load(tmp_path):
    """Starts both kinds at every node."""
    if not shutil.which("wrk"):
        pytest.skip("wrk is not installed; run Scripts/setup.sh")
    made = []

    def start(cluster):
        api = Api(cluster.node)
        tokens = [link["token"] for link in api.links([address() for _ in range(PEOPLE)])]
        question = "/v1/check?stream=marketing&topic=news&address="
        asked = [question + address() for _ in range(PEOPLE)]
        for node in cluster.nodes:
            made.append(Wrk(
                node, tmp_path / f"{node.name}.checks", "GET", asked,
                header=f"Authorization: Bearer {cluster.api_key}"))
            made.append(Wrk(
                node, tmp_path / f"{node.name}.clicks", "POST",
                [f"/u/{token}" for token in tokens], ONE_CLICK, f"Content-Type: {FORM}"))
        return made

    yield start
    for one in made:
        one.kill()


class Versions:
    """One function and its versions, each with an answer of its own."""

    def __init__(self, name, folder, file, text):
        self.folder = shipped(name, folder)
        self.name, self.number, self.file, self.text = name, 0, file, text
        self.version, self.now = "version: 1.0.0", text

    def next(self, replacement):
        """The folder of the next version."""
        self.number += 1
        edit(self.folder, self.file, self.now, replacement)
        edit(self.folder, "function.yaml", self.version, f"version: {self.number + 1}.0.0")
        self.now, self.version = replacement, f"version: {self.number + 1}.0.0"
        return self.folder


def denied(cluster, node, readers):
    """Whom a node denies, by HTTP one by one, in a batch, and by RESP in both forms: all alike."""
    api = Api(node)
    batch = [result["decision"] == "deny" for result in api.check_many(readers)]
    single = [api.decision(reader) == "deny" for reader in readers]
    host, port = split(node.resp)
    with redis.Redis(host, port, username="demo", password=cluster.api_key) as client:
        positive = [
            one is None for one in client.mget([f"allow:marketing:news:{one}" for one in readers])]
        compatible = [bool(client.sismember("marketing:news", one)) for one in readers]
    assert batch == single == positive == compatible
    return batch


def percentiles(millis):
    """p50, p99 and the number."""
    ordered = sorted(millis)
    at = [ordered[min(len(ordered) - 1, len(ordered) * share // 100)] for share in (50, 99)]
    return f"p50 {at[0]:.0f} p99 {at[1]:.0f} ms of {len(ordered)}"


def check_turn(cluster, versions, readers):
    """A new `check` that denies a seventh of all people, and back; milliseconds of both."""
    test = f"item.recipient.low % {KINDS} == {versions.number % KINDS}"
    body = f"{{\n        {test} ? .deny : .allow\n    }}"
    done = deployed(cluster, versions.next(ALL.replace("{ .allow }", body)))
    said = [denied(cluster, node, readers) for node in cluster.nodes]
    assert all(one == said[0] for one in said) and any(said[0]) and not all(said[0])
    back = rollback(cluster, "check")
    others = [denied(cluster, node, readers) for node in cluster.nodes]
    assert all(one == others[0] for one in others)
    assert not any(new and old for new, old in zip(said[0], others[0]))
    return done["millis"], back


def unsubscribe_turn(cluster, versions, _):
    """A new `unsubscribe` with another title, and back; milliseconds of both."""
    title = f"Stop {versions.number}"
    done = deployed(cluster, versions.next(f'"{title}"'))

    def titled(node):
        return f"<h1>{title}</h1>" in visit(node, "GET", Api(node).token(address())).text

    assert all(titled(node) for node in cluster.nodes)
    back = rollback(cluster, "unsubscribe")
    for node in cluster.nodes:
        eventually(lambda node=node: not titled(node), f"{node.name} is back")
    return done["millis"], back


def deployed(cluster, folder):
    """`fn deploy` with time to build on a machine that has other work; its answer."""
    return json.loads(fn(cluster, "deploy", folder, "--json", timeout=BUILD))


def rollback(cluster, name):
    """`fn rollback`; its milliseconds."""
    return json.loads(fn(cluster, "rollback", name, "--json", timeout=BUILD))["millis"]


@pytest.mark.parametrize("nodes", [3, 5])
def test_deploys_under_wrk(nodes, fresh, full, load, tmp_path, figure):
    """Failed requests 0 while each of 20 versions goes to every node and back."""
    if nodes > 3 and not full:
        pytest.skip("five nodes in the full form: QUELL_LIVE=full")
    turns, cluster = 20 if full else 2, fresh(nodes=nodes)
    check = Versions("check", tmp_path, "Sources/Check.swift", ALL)
    page = Versions("unsubscribe", tmp_path, "Sources/Words.swift", '"Unsubscribe"')
    readers = [address() for _ in range(ASKED)]
    loads = load(cluster)
    millis, backs = {"check": [], "unsubscribe": []}, []
    for turn in range(turns):
        work, versions = (check_turn, check) if turn % 2 else (unsubscribe_turn, page)
        took, back = work(cluster, versions, readers)
        millis[versions.name].append(took)
        backs.append(back)
    counts = [one.end() for one in loads]
    requests, wrong = (sum(one[key] for one in counts) for key in ("requests", "wrong"))
    seconds = max(one["seconds"] for one in counts)
    figure(
        f"{requests} requests in {seconds:.0f} s ({requests / seconds:,.0f}/s, worst p99 "
        f"{max(one['p99'] for one in counts):.0f} ms), failed {wrong}; active on every node: check "
        f"{percentiles(millis['check'])}, unsubscribe {percentiles(millis['unsubscribe'])}, "
        f"rollback {percentiles(backs)}")
    assert wrong == 0 and all(one["requests"] for one in counts), counts
