"""Differences between nodes, planted in stopped ones with a tool that is not ours, and repaired."""

import json

import lmdb

from cluster import call, eventually, quell


def repair(cluster, *flags):
    """Exit code and answer of `quell repair --json`."""
    done = quell("repair", "--cluster", str(cluster.file), "--json", *flags)
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


def repair_at(cluster, node, *flags):
    """The same, asked of one node."""
    host = {"QUELL_ADMIN_URL": f"http://{node.admin}", "QUELL_ADMIN_KEY": cluster.admin_key}
    done = quell("repair", "--json", *flags, env=host)
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


def fill(cluster, count, tmp_path):
    """Imports a list and waits until all nodes are equal; returns the addresses."""
    readers = [f"list.{n}@people.example" for n in range(count)]
    file = tmp_path / "list.csv"
    file.write_text("address\n" + "\n".join(readers))
    done = quell("import", str(file), "--cluster", str(cluster.file),
                 "--stream", "marketing", "--topic", "news", timeout=600)
    assert done.returncode == 0, done.stderr
    eventually(
        lambda: len(cluster.digests()) == 1 and all(
            node.status()["marks"]["count"] == count for node in cluster.nodes),
        "equal nodes", seconds=120, every=0.1)
    return readers


def delete(node, every=1, count=None, shuffled=None):
    """Deletes marks of a stopped node with a foreign tool; returns how many.

    `shuffled` is a random.Random: then `count` of all keys, anywhere.
    """
    path = str(node.data / "state.mdb")
    with lmdb.open(path, subdir=False, max_dbs=64, map_size=1 << 36) as state:
        marks = state.open_db(b"marks", create=False)
        with state.begin(db=marks, write=True) as writing:
            keys = [bytes(key) for key in writing.cursor().iternext(values=False)]
            if shuffled:
                shuffled.shuffle(keys)
            chosen = keys[::every][:count]
            for key in chosen:
                assert writing.delete(key)
    return len(chosen)


def marks_of(node):
    """All marks of a stopped node as they are on disk: values by key."""
    with lmdb.open(str(node.data / "state.mdb"), subdir=False, max_dbs=64, readonly=True) as state:
        with state.begin(db=state.open_db(b"marks", create=False)) as reading:
            return {bytes(key): bytes(value) for key, value in reading.cursor()}


def put(node, values):
    """Writes such values of other times or places over the marks of a stopped node."""
    path = str(node.data / "state.mdb")
    with lmdb.open(path, subdir=False, max_dbs=64, map_size=1 << 36) as state:
        with state.begin(db=state.open_db(b"marks", create=False), write=True) as writing:
            for key, value in values.items():
                assert writing.put(key, value)


def flip(node, count):
    """Changes a byte of marks of a stopped node; returns of how many."""
    path = str(node.data / "state.mdb")
    with lmdb.open(path, subdir=False, max_dbs=64, map_size=1 << 36) as state:
        marks = state.open_db(b"marks", create=False)
        with state.begin(db=marks, write=True) as writing:
            rows = [(bytes(key), bytearray(value)) for key, value in writing.cursor()][:count]
            for key, value in rows:
                value[40] ^= 1
                assert writing.put(key, bytes(value))
    return len(rows)


def linked(*nodes):
    """Waits until these nodes run and reach all others."""
    for node in nodes:
        eventually(lambda node=node: is_linked(node), f"{node.name} and its links")


def is_linked(node):
    """True once a node answers and sees every peer alive."""
    try:
        if call(node.http, "GET", "/livez").status != 200:
            return False
        return {peer["state"] for peer in node.status()["peers"]} == {"alive"}
    except OSError:
        return False
