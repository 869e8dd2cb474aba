"""Fixtures: one quiet node for tests that only talk, a fresh one for tests that break it."""

import pytest

from api import Api
from cluster import Cluster


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """A node with two serving loops that no test may stop or kill."""
    with Cluster(tmp_path_factory.mktemp("shared") / "dev", "--loops", "2") as made:
        yield made


@pytest.fixture(scope="session")
def node(cluster):
    """The shared node."""
    return cluster.node


@pytest.fixture(scope="session")
def api(node):
    """The shared node with the key that has every scope."""
    return Api(node)


@pytest.fixture
def fresh(tmp_path):
    """Starts clusters of this test's own and stops them at its end."""
    started = []

    def start(*flags, name="dev", base=None, nodes=1, directory=None):
        made = Cluster(
            (directory or tmp_path) / name, "--loops", "2", *flags, base=base, nodes=nodes)
        started.append(made)
        return made.start()

    yield start
    for made in started:
        made.stop()
