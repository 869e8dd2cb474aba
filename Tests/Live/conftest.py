"""What live tests share: how long they run, where their figures are printed, breakable networks.

`make test` runs a short form of each; `QUELL_LIVE=full` (`make live`) the whole.
"""

import os

import pytest

from history import History
from networked import Networked, namespaces
from proxies import Proxies

FIGURES = []


@pytest.fixture(scope="session")
def full():
    """True for the whole length."""
    return os.environ.get("QUELL_LIVE") == "full"


@pytest.fixture
def figure(request):
    """Keeps a line of figures for the end of the run."""
    def keep(text):
        FIGURES.append(f"{request.node.name}: {text}")
    return keep


@pytest.fixture
def history(tmp_path):
    """This test's recorded history, in history.jsonl of its directory."""
    made = History(tmp_path / "history.jsonl")
    yield made
    made.close()


@pytest.fixture
def networks():
    """Makes networks and removes them at the end: `networks(count, kind)`.

    kind `any`: namespaces where this machine has them, else proxies; `namespaces` or a `fault` that
    only they can make: a loud skip where there are none; `proxies`: always.
    """
    made = []

    def make(count, kind="any"):
        network, why = (None, "") if kind == "proxies" else namespaces(count)
        if network is None and kind == "namespaces":
            pytest.skip(f"no network namespaces with nftables here: {why}")
        made.append(network or Proxies(count))
        return made[-1]

    yield make
    for network in made:
        network.close()


@pytest.fixture
def networked(networks, tmp_path):
    """Starts clusters on networks of their own and stops them at the end."""
    started = []

    def start(*flags, kind="any", nodes=3):
        made = Networked(
            tmp_path / "dev", networks(nodes, kind), "--loops", "2", *flags, nodes=nodes)
        started.append(made)
        return made.start()

    yield start
    for made in started:
        made.stop()


def pytest_terminal_summary(terminalreporter):
    """Prints acknowledged and lost, whether or not anything failed."""
    if FIGURES:
        terminalreporter.section("figures")
        for line in FIGURES:
            terminalreporter.write_line(line)
