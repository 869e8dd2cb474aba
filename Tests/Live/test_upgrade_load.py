"""A rolling upgrade from the release before to this one, under load: no failed request.

The clients do what a balancer does: whoever gets no answer, or 503, from one node asks the next.
A request has failed when no node has served it.
"""

import http.client
import random
import re
import signal
import threading
import time

import pytest

from api import Api, FORM, ONE_CLICK
from cluster import Dialed, address, eventually, exchange, quell, split

pytestmark = pytest.mark.alone
NEWEST = int(re.search(r"disk (\d+)", quell("--version").stdout).group(1))
RELEASE = "QUELL_AS_FORMAT"
THREADS = 6


class Balanced(threading.Thread):
    """One client behind a balancer: opt-outs and checks, one after the other."""

    def __init__(self, cluster, tokens, queries, seed):
        super().__init__()
        self.nodes, self.tokens, self.queries = list(cluster.nodes), tokens, queries
        self.key, self.chance = cluster.api_key, random.Random(seed)
        self.stopping = False
        self.served = self.retried = 0
        self.failed, self.done = [], set()
        self.links = {}

    def run(self):
        while not self.stopping:
            person = self.chance.randrange(len(self.tokens))
            if self.chance.random() < 0.5:
                served = self.ask(
                    "POST", f"/u/{self.tokens[person]}", ONE_CLICK, {"Content-Type": FORM})
                if served:
                    self.done.add(person)
            else:
                self.ask(
                    "GET", f"/v1/check?{self.queries[person]}", None,
                    {"Authorization": f"Bearer {self.key}"})

    def ask(self, method, path, body, headers):
        """True when some node has served it; each is asked once, beginning anywhere."""
        said = []
        first = self.chance.randrange(len(self.nodes))
        for step in range(len(self.nodes)):
            node = self.nodes[(first + step) % len(self.nodes)]
            try:
                link = self.links.get(node.name) or Dialed(*split(node.http), timeout=10)
                self.links[node.name] = link
                answer = exchange(link, method, path, body, headers)
                if answer.status == 200:
                    self.served += 1
                    self.retried += step > 0
                    return True
                said.append(f"{node.name} {answer.status}")
            except (OSError, http.client.HTTPException) as error:
                said.append(f"{node.name} {type(error).__name__}")
                self.links.pop(node.name).close()
        self.failed.append(f"{method} {said}")
        return False


def become(node, release):
    """Stops a node as an operator would, and starts it as another release."""
    node.signal(signal.SIGTERM)
    node.reap()
    node.run(env={RELEASE: str(release)} if release else {}, wait=False)
    node.cluster.node_pids.add(node.pid)


def test_rolling_upgrade(fresh, full, figure):
    """Three nodes from N - 1 to N, one by one, then `finalize`: failed requests 0."""
    cluster = fresh("--staleness-bound", "5s", nodes=3)
    for node in cluster.nodes:
        become(node, NEWEST - 1)
    for node in cluster.nodes:
        node.wait_ready()
    assert {node.status()["format"]["runs"] for node in cluster.nodes} == {NEWEST - 1}
    readers = [address() for _ in range(2_000)]
    tokens = [link["token"] for link in Api(cluster.node).links(readers)]
    queries = [f"stream=marketing&topic=news&address={reader}" for reader in readers]
    clients = [Balanced(cluster, tokens, queries, seed) for seed in range(THREADS)]
    for client in clients:
        client.start()
    begun = time.monotonic()
    try:
        for node in cluster.nodes:
            time.sleep(5 if full else 1)
            become(node, None)
            node.wait_ready()
        time.sleep(1)
        eventually(
            lambda: quell("upgrade", "finalize", "--cluster", cluster.file).returncode == 0,
            "finalized", every=0.5)
        time.sleep(5 if full else 1)
    finally:
        for client in clients:
            client.stopping = True
        for client in clients:
            client.join()
    seconds = time.monotonic() - begun
    failed = [line for client in clients for line in client.failed]
    served = sum(client.served for client in clients)
    retried = sum(client.retried for client in clients)
    figure(
        f"{served} requests in {seconds:.0f} s, {retried} of them by the second or third node; "
        f"failed {len(failed)}")
    assert not failed, failed[:5]
    assert retried and served > 1_000
    for node in cluster.nodes:
        eventually(
            lambda node=node: node.status()["format"]["disk"] == NEWEST, "the new format")
    cluster.settle()
    opted_out = sorted(set().union(*(client.done for client in clients)))
    for node in cluster.nodes:
        found = Api(node).check_many([readers[person] for person in opted_out])
        assert {result["decision"] for result in found} == {"deny"}
