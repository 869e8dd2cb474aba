"""DESIGN 2 and 11: no address, token or key on disk or in a log line.

Named to run last, so that the data directory and log have seen everything that other tests did,
mistakes included: bad tokens, malformed addresses, errors. Run alone it makes its own traffic.
"""

import os
import subprocess
import urllib.parse

from api import ONE_CLICK, one_click, visit
from cluster import SEEN_ADDRESSES, SEEN_TOKENS, address


def files(cluster):
    """Every file that nodes write: the data directories and the logs, not cluster.json."""
    for path in cluster.dir.rglob("*"):
        if path.is_file() and path.name != "cluster.json" and "key" not in path.name:
            yield path, path.read_bytes()


def spellings(secret):
    """How a careless line might write it."""
    quoted = urllib.parse.quote(secret, safe="")
    local = secret.partition("@")[0]
    found = {secret, secret.upper(), quoted, secret.encode("utf-16-le").decode("latin-1")}
    if "@" in secret and len(local) > 12:
        found.add(local)
    return {spelling.encode("latin-1") for spelling in found}


def leaks(patterns, *paths):
    """Which file holds which of the patterns, one a line; grep looks for all of them at once."""
    done = subprocess.run(
        ["grep", "-aoHFf", patterns, *paths], env={**os.environ, "LC_ALL": "C"},
        capture_output=True, timeout=120, check=False)
    assert done.returncode in (0, 1), done.stderr
    return done.stdout


def test_no_address_no_token(cluster, api, node, tmp_path):
    """The address itself is never stored or logged; no token in a log line."""
    for _ in range(20):
        reader = address()
        token = api.token(reader)
        one_click(node, token)
        api.check(reader)
        api.suppress(reader, reason="manual")
        api.consent(reader, api.ids(reader), method="phone")
        api.send("GET", "/v1/nothing?address=" + urllib.parse.quote(reader))
        visit(node, "POST", token[:-1] + "!", ONE_CLICK)
    secrets = {
        spelling for secret in SEEN_ADDRESSES[-2_000:] + SEEN_TOKENS[-2_000:]
        for spelling in spellings(secret)}
    assert len(secrets) >= 100
    patterns, planted = tmp_path / "patterns", tmp_path / "planted"
    patterns.write_bytes(b"\n".join(secrets))
    for spelling in spellings(SEEN_ADDRESSES[-1]):
        planted.write_bytes(b"\1\0" + spelling + b"\xff")
        assert spelling in leaks(patterns, planted), "the search itself is blind"
    looked = [path for path, _ in files(cluster)]
    assert looked
    found = leaks(patterns, *looked)
    assert not found, found


def test_no_key_at_rest(cluster):
    """API keys: hash at rest."""
    looked = 0
    for path, content in files(cluster):
        looked += 1
        assert cluster.api_key.encode() not in content, path
        assert cluster.admin_key.encode() not in content, path
    assert looked >= 3, "state.mdb, log.mdb and the log were read"


def test_files_are_private(cluster):
    """Keys are 0600, and no other user may read or write what a node keeps."""
    for path, _ in files(cluster):
        assert path.stat().st_mode & 0o007 == 0 or path.suffix == ".log", path
    for path in cluster.dir.rglob("*key*"):
        if path.is_file():
            assert path.stat().st_mode & 0o077 == 0, path
