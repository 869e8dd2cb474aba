"""The n-th write or flush of the store fails: no 200 for an opt-out that is absent afterwards.

ENOSPC sheds writes and keeps reading. The first EIO latches: the node stops acknowledging and
ends, because after a failed flush the kernel may call dirty pages clean (DESIGN 5).
"""

import pytest

from api import Api, one_click
from cluster import eventually, is_running
from faults import Fault, built
from load import allowed, lost, readers_with_tokens

SPREAD = [1, 2, 3, 4, 5, 6, 9, 14, 23, 47, 101, 200]
REQUESTS = 300
AFTER = 10


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """The compiled shim."""
    return built(tmp_path_factory.mktemp("shim"))


def send_until(node, readers, tokens, fault):
    """Opt-outs one by one until the fault has struck and a few more; who got a 200."""
    kept, refused, after = [], 0, 0
    for reader, token in zip(readers, tokens):
        try:
            answer = one_click(node, token)
        except OSError:
            break
        if answer.status == 200:
            assert answer.header("quell-durability"), answer
            kept.append(reader)
        else:
            assert answer.status == 503 and answer.header("retry-after"), answer
            refused += 1
        if fault.failed:
            after += 1
        if after > AFTER:
            break
    return kept, refused


def one_fault(made, fault, error):
    """One planted failure, a restart, and the count; answers (kept, refused, struck, lost)."""
    node = made.node
    readers, tokens = readers_with_tokens(Api(node), REQUESTS)
    assert node.stop() in (0, None)
    node.run(env=fault.env)
    fault.arm()
    kept, refused = send_until(node, readers, tokens, fault)
    struck = bool(fault.failed)
    if struck and error == "EIO":
        eventually(lambda: not is_running(node.pid), "the node ends after its first EIO", 15)
        node.reap()
    elif is_running(node.pid):
        try:
            # Deny while it keeps reading. A meta page that cannot be written makes LMDB give up on
            # the environment: then unknown for a moment, and the node must end, as after EIO.
            assert allowed(node, kept) == 0, "an acknowledged opt-out is allowed"
        except OSError:
            eventually(lambda: not is_running(node.pid), "the node ends when LMDB panics", 15)
            node.reap()
    if is_running(node.pid):
        node.kill()
    node.run()
    return len(kept), refused, struck, lost(node, kept)


@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
@pytest.mark.parametrize("path", ["log.mdb", "state.mdb", ".mdb"])
def test_nth_write_fails(fresh, library, tmp_path, full, figure, error, path):
    """With a preload shim that fails the n-th write or fdatasync with EIO or ENOSPC, n = 1..200:
    no 200 for an opt-out that is absent after the restart."""
    made = fresh()
    numbers = range(1, 201) if full else SPREAD[::2] if error == "EIO" else SPREAD[1::2]
    total, refusals, strikes = 0, 0, 0
    for number in numbers:
        fault = Fault(library, tmp_path, number, error, path)
        kept, refused, struck, missing = one_fault(made, fault, error)
        total, refusals, strikes = total + kept, refusals + refused, strikes + struck
        assert missing == 0, f"n = {number}: {missing} acknowledged are lost; {fault.failed}"
    figure(f"{len(numbers)} failures planted, {strikes} struck, {total} acknowledged, "
           f"{refusals} refused, 0 lost")
    assert path == "state.mdb" or strikes >= len(numbers) // 2, "the shim struck too rarely"


@pytest.mark.parametrize("error", ["EIO", "ENOSPC"])
def test_disk_stays_broken(fresh, library, tmp_path, figure, error):
    """A disk that is full, or broken, from one call on: nothing is acknowledged from then on."""
    made = fresh()
    fault = Fault(library, tmp_path, 5, error, "log.mdb", sticky=True)
    kept, refused, struck, missing = one_fault(made, fault, error)
    figure(f"{kept} acknowledged, {refused} refused, {missing} lost")
    assert struck and missing == 0
    assert error == "EIO" or refused >= AFTER


def test_full_disk_recovers(fresh, library, tmp_path):
    """ENOSPC sheds writes; when there is room again, opt-outs are taken again, no restart."""
    made = fresh()
    node = made.node
    readers, tokens = readers_with_tokens(Api(node), 40)
    assert node.stop() in (0, None)
    fault = Fault(library, tmp_path, 2, "ENOSPC", "log.mdb")
    node.run(env=fault.env)
    fault.arm()
    kept, refused = send_until(node, readers, tokens, fault)
    assert fault.failed and is_running(node.pid)

    def taken():
        return one_click(node, tokens[-1]).status == 200
    eventually(taken, "opt-outs are taken again", 15)
    assert lost(node, kept + [readers[-1]]) == 0
    node.kill()
    node.run()
    assert lost(node, kept + [readers[-1]]) == 0
    assert refused <= AFTER
