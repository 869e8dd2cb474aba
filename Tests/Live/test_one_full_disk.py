"""A disk that is full on one of three nodes: the others go on, and it catches up when it has room.

The shim makes every write and flush of that node's log fail with ENOSPC once the trigger exists.
"""

import time

import pytest

from api import Api
from clients import Crowd, People
from cluster import address, call, eventually, is_running
from faults import Fault, built
from outcome import BOUND, checked


def is_up(node):
    """Whether the node answers its operator; after EIO it need not be a voter, nor ready."""
    try:
        return call(node.admin, "GET", "/livez", timeout=2).status == 200
    except OSError:
        return False


@pytest.mark.parametrize("error", ["ENOSPC", "EIO"])
def test_one_of_three(fresh, tmp_path, full, history, figure, error):
    """Disk full, or broken, on one of three nodes: the others go on."""
    cluster = fresh("--staleness-bound", f"{BOUND}s", nodes=3)
    third = cluster.nodes[2]
    fault = Fault(built(tmp_path), tmp_path, 1, error, "log.mdb", sticky=True)
    assert third.stop() in (0, None)
    third.run(env=fault.env)
    crowd = Crowd(cluster, history, People(Api(cluster.node), 10_000))

    def strike():
        time.sleep(0.5)
        with history.down(third.name):
            fault.arm()
            time.sleep(2 * BOUND if full else BOUND + 1)
            assert fault.failed, "nothing was written"
            for node in cluster.nodes[:2]:
                assert Api(node).decision(address()) == "allow", "two of three are a majority"
            if error == "EIO":
                eventually(lambda: not is_running(third.pid), "n3 ends after EIO", 15)
            elif is_running(third.pid):
                third.kill()
            else:
                # LMDB gives its environment up when the page that fails is its meta page.
                assert "the disk failed" in third.log_end()
            third.reap()
            third.run(wait=False)
            eventually(lambda: is_up(third), "n3 answers again")

    crowd.run(32, 6, strike)
    figure(f"{error}: {len(fault.failed)} calls failed; n3 is ready: {third.is_ready()}")
    cluster.settle()
    crowd.finish()
    checker = checked(history, cluster, BOUND, figure)
    assert not any(checker.failures().values()), checker.failures()
    assert checker.count("optout", "200", "quorum", "n1") > 100
