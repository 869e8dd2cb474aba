"""What the tests of deployed functions share: a folder, a deploy, a look at every node."""

import hashlib
import json
import subprocess

from cluster import ROOT, call, eventually, quell

# What stands before the 32 bytes of an Ed25519 seed (RFC 8410).
PKCS8 = bytes.fromhex("302e020100300506032b657004220420")
KIT = ROOT / "Functions"
# Later than any fixture: what passes every smoke request may fail all the same.
LATER = "nowMillis > 1_735_000_000_000"
# The kit is built once for all tests.
CACHE = {"XDG_CACHE_HOME": str(ROOT / ".build" / "cache")}


def fn(cluster, *arguments, code=0, cwd="/", timeout=90):
    """`quell fn ...` against a cluster; its output."""
    told = ["--cluster", str(cluster.file)] if cluster else []
    done = quell("fn", *arguments, *told, cwd=str(cwd), timeout=timeout, env=CACHE)
    assert done.returncode == code, (arguments, done.returncode, done.stdout, done.stderr)
    return done.stdout if code == 0 else done.stderr + done.stdout


def deploy(cluster, folder, code=0):
    """`fn deploy --json`, decoded."""
    text = fn(cluster, "deploy", str(folder), "--json", code=code)
    return json.loads(text) if code == 0 else text


def admin(cluster, node, method="GET", path="/v1/functions", body=None, kind="application/json"):
    """A call on a node's admin listener."""
    headers = {"Authorization": f"Bearer {cluster.admin_key}"}
    if body is not None:
        headers["Content-Type"] = kind
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
    return call(node.admin, method, path, body, headers)


def function(node, name):
    """A node's element of `functions` in /v1/status."""
    return next((one for one in node.status()["functions"] if one["name"] == name), None)


def get(node, path):
    """A public GET."""
    return call(node.http, "GET", path)


def greets(node, words, path="/f/greet/Ada"):
    """Whether the node answers these words."""
    answer = get(node, path)
    return answer.status == 200 and answer.text == words


def edit(folder, path, old, new):
    """Replaces text in a file of a function."""
    file = folder / path
    text = file.read_text()
    assert old in text, (path, old)
    file.write_text(text.replace(old, new))


def greet(folder, words="Hello"):
    """A folder `greet` as `fn new` writes it, with other words."""
    if not (folder / "greet").exists():
        done = quell("fn", "new", "greet", cwd=str(folder))
        assert done.returncode == 0, done.stderr
    if words != "Hello":
        edit(folder / "greet", "Sources/Greet.swift", '"Hello, "', f'"{words}, "')
        edit(folder / "greet", "fixtures/hello.txt", "Hello,", f"{words},")
        edit(folder / "greet", "fixtures/nobody.txt", "Hello,", f"{words},")
    return folder / "greet"


def shipped(name, folder):
    """A copy of a function of the source tree, to be changed."""
    subprocess.run(["cp", "-r", str(KIT / name), str(folder / name)], check=True)
    return folder / name


def runs(node, name, digest):
    """Waits until a node serves a version."""
    eventually(
        lambda: function(node, name) and function(node, name)["digest"] == digest,
        f"{node.name} runs {name} {digest[:8]}", seconds=20, every=0.05)


def sha256(data):
    """Lower-case digits."""
    return hashlib.sha256(data).hexdigest()


def built(folder):
    """Manifest, wasm and smoke requests of a folder, as they stand in its artifact."""
    fn(None, "build", str(folder))
    data = next((folder / ".build").glob("*.qfn")).read_bytes()
    assert data[:4] == b"QFN1"
    length = int.from_bytes(data[4:8], "big")
    manifest, rest = data[8:8 + length], data[8 + length:]
    length = int.from_bytes(rest[:4], "big")
    assert rest[-1] == 0, "signatures of an unsigned artifact"
    return manifest, rest[4:4 + length], rest[4 + length:-1]


def artifact(manifest, wasm, smoke, seed=None, folder=None):
    """The bytes of an artifact, signed where a deployer's seed is given; and its digest."""
    body = b"QFN1" + len(manifest).to_bytes(4, "big") + manifest
    body += len(wasm).to_bytes(4, "big") + wasm + smoke
    digest = hashlib.sha256(body).digest()
    if seed is None:
        return body + b"\0", digest.hex()
    key, said = folder / "key.der", folder / "said"
    key.write_bytes(PKCS8 + bytes.fromhex(seed))
    said.write_bytes(b"quell-function-1\0" + digest)
    command = ["openssl", "pkeyutl", "-sign", "-inkey", key, "-keyform", "DER", "-rawin", "-in",
               said]
    signature = subprocess.run(command, check=True, capture_output=True).stdout
    command = ["openssl", "pkey", "-in", key, "-inform", "DER", "-pubout", "-outform", "DER"]
    public = subprocess.run(command, check=True, capture_output=True).stdout[-32:]
    return body + b"\1" + public + signature, digest.hex()


def seed(cluster):
    """The deployer's key of a development cluster."""
    return (cluster.file.parent / "keys" / "deployer.key").read_text().strip()
