"""kill -9 under load: an acknowledged opt-out is there after the restart, every time."""

import random
import subprocess

import lmdb

from api import Api
from load import Storm, lost, readers_with_tokens

CLIENTS = 64


def test_kill_under_load(fresh, full, figure):
    """20 rounds of `kill -9` under 64 concurrent one-click clients: acknowledged and lost: 0."""
    made = fresh()
    node, everyone, total = made.node, [], 0
    for round_ in range(20 if full else 4):
        readers, tokens = readers_with_tokens(Api(node), 4_000)
        storm = Storm(node, tokens).run(CLIENTS, random.uniform(0.05, 1.0), node.kill)
        kept = [readers[person] for person in storm.acknowledged]
        everyone += kept
        total += len(kept)
        node.run()
        missing = lost(node, everyone)
        assert missing == 0, f"round {round_}: {missing} of {len(everyone)} acknowledged are lost"
    figure(f"{total} acknowledged, {lost(node, everyone)} lost")
    assert total >= 100, "the storm did not reach the node"


def test_kill_during_replay(fresh, full, figure):
    """A node killed while it starts again loses nothing either."""
    made = fresh()
    node = made.node
    readers, tokens = readers_with_tokens(Api(node), 4_000)
    storm = Storm(node, tokens).run(CLIENTS, 1.0, node.kill)
    kept = [readers[person] for person in storm.acknowledged]
    for _ in range(20 if full else 5):
        child = node.run(wait=False)
        try:
            child.wait(timeout=random.uniform(0.001, 0.15))
        except subprocess.TimeoutExpired:
            pass
        node.kill()
    node.run()
    figure(f"{len(kept)} acknowledged, {lost(node, kept)} lost")
    assert kept and lost(node, kept) == 0


def trimmed(path):
    """Deletes every event record of a stopped node's log; returns how many there were."""
    count = 0
    with lmdb.open(str(path), subdir=False, max_dbs=32, map_size=1 << 36) as log:
        with log.begin() as reading:
            names = [bytes(key) for key in reading.cursor().iternext(values=False)]
        for name in [None, *names]:
            try:
                table = log.open_db(name, create=False)
            except lmdb.Error:
                continue
            with log.begin(db=table, write=True) as writing:
                keys = [bytes(key) for key in writing.cursor().iternext(values=False)]
                sequences = [key for key in keys if len(key) == 8 and key not in names]
                if name is not None and len(sequences) != len(keys):
                    continue
                for key in sequences:
                    assert writing.delete(key)
                count += len(sequences)
    return count


def test_trimmed_log(fresh, figure):
    """Trim the log empty, restart, opt-outs, `kill -9`: lost 0 (next sequence = 1 + max(last log
    key, watermark), never 1 below the watermark)."""
    made = fresh()
    node, everyone, trims = made.node, [], []
    for _ in range(3):
        readers, tokens = readers_with_tokens(Api(node), 500)
        storm = Storm(node, tokens).run(8, 0.3, lambda: None)
        everyone += [readers[person] for person in storm.acknowledged]
        assert node.stop() in (0, None)
        trims.append(trimmed(node.data / "log.mdb"))
        node.run()
        assert lost(node, everyone) == 0, "a clean stop checkpoints to the log's end"
        readers, tokens = readers_with_tokens(Api(node), 500)
        storm = Storm(node, tokens).run(8, 0.3, node.kill)
        assert storm.acknowledged
        everyone += [readers[person] for person in storm.acknowledged]
        node.run()
        assert lost(node, everyone) == 0
    figure(f"{len(everyone)} acknowledged, {lost(node, everyone)} lost; records trimmed {trims}")
