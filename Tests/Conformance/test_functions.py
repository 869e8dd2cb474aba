"""DESIGN 9 on one node: functions as wasm, the built-in behind them, and modules that mean harm.

Modules are written as text and assembled by the wheel that the set-up installs. Whatever a module
does, an opt-out is taken, a suppressed person is denied, the node lives and names the error.
"""

import contextlib
import hashlib
import importlib
import json
import shutil
import sys

import pytest
import redis

from api import Api, one_click, visit
from cluster import ROOT, Cluster, address, call, eventually, is_running, split
from fn import deploy, edit, fn, shipped

BUILT = ROOT / ".build" / "functions"

MODULE = r"""
(module
  {before}
  (memory (export "memory") 1 1)
  (data (i32.const 16) "\00\04\00\00\00\44\00\00\00\80\00\00\00\40\00\00")
  (func (export "quell_abi") (result i32) (i32.const {abi}))
  (func (export "quell_io") (result i32) (i32.const 16))
  (func $deep (param i32) (result i32)
    (i32.add (i32.const 1) (call $deep (i32.add (local.get 0) (i32.const 1)))))
  (func (export "quell_handle") (param $kind i32) (param $length i32) (result i32)
    (local $count i32)
    (local.set $count (i32.load (i32.const 1068)))
    {body}))
"""


@pytest.fixture(scope="module")
def assemble():
    """Text of a `quell_handle` -> the bytes of a module."""
    sys.path.insert(0, str(ROOT / ".build" / "wasmtime"))
    try:
        wasmtime = importlib.import_module("wasmtime")
    finally:
        sys.path.pop(0)
    return lambda body, before="", abi=65_536: bytes(
        wasmtime.wat2wasm(MODULE.format(body=body, before=before, abi=abi)))


def answering(data):
    """Instructions that answer these bytes."""
    stores = "\n".join(
        f"(i32.store8 (i32.const {32_768 + at}) (i32.const {byte}))"
        for at, byte in enumerate(data))
    return f"{stores}\n(i32.const {len(data)})"


def page(status=200, effects=b""):
    """The bytes of a response to a link."""
    fields = b"".join(
        bytes([tag, 0, 0, 0]) + len(data).to_bytes(4, "little") + data
        for tag, data in [(1, b"text/html"), (2, b"made by a module"), (3, effects)])
    return status.to_bytes(2, "little") + bytes(14) + (3).to_bytes(4, "little") + bytes(12) + fields


class Deployed:
    """A node whose modules a test replaces."""

    def __init__(self, cluster, folder):
        self.cluster, self.folder = cluster, folder
        self.api = Api(self.node)

    @property
    def node(self):
        """The one node."""
        return self.cluster.node

    def replace(self, env=None, **modules):
        """Puts modules in, `check=bytes`; the shipped ones else; starts the node again."""
        self.node.stop()
        for name in ("unsubscribe", "preferences", "check"):
            data = modules.get(name, (BUILT / f"{name}.wasm").read_bytes())
            (self.folder / f"{name}.wasm").write_bytes(data)
        self.node.run(env=env)
        return self

    def functions(self):
        """What /v1/functions says."""
        return call(
            self.node.admin, "GET", "/v1/functions",
            headers={"Authorization": f"Bearer {self.cluster.admin_key}"}).json()

    def engine(self):
        """Engine and profile."""
        return self.functions()["engine"]

    def function(self, name):
        """What it says of one."""
        return {entry["name"]: entry for entry in self.functions()["functions"]}[name]

    def opts_out(self):
        """A link works: page, one-click, denied afterwards; returns the page's bytes."""
        reader = address()
        token = self.api.token(reader)
        shown = visit(self.node, "GET", token)
        assert shown.status == 200, shown
        answer = one_click(self.node, token)
        assert answer.status == 200 and answer.header("quell-durability") == "quorum", answer
        assert self.api.check(reader)["reason"] == "unsubscribe"
        assert [mark["topic"] for mark in self.api.marks(reader)] == ["news"]
        assert is_running(self.node.pid)
        return shown.body

    def resp(self):
        """A client of the RESP listener."""
        host, port = split(self.node.resp)
        return redis.Redis(
            host, port, username="demo", password=self.cluster.api_key, decode_responses=True)


@contextlib.contextmanager
def running_modules(folder):
    """A node that runs the shipped modules, copies in this folder, for the length of a block."""
    for name in ("unsubscribe", "preferences", "check"):
        assert (BUILT / f"{name}.wasm").exists(), "no modules; run Scripts/wasm.sh"
        shutil.copy(BUILT / f"{name}.wasm", folder)
    flags = ("--loops", "2", "--functions", "wasm", "--functions-dir", str(folder))
    with Cluster(folder / "dev", *flags) as cluster:
        yield Deployed(cluster, folder)


@pytest.fixture(scope="module")
def deployed(tmp_path_factory):
    """A node of this file's own that runs its functions as wasm."""
    with running_modules(tmp_path_factory.mktemp("functions")) as made:
        yield made


def test_the_shipped_modules_serve(deployed, api, node):
    """Results byte-equal to the built-ins; the digest in `status` is the module's."""
    deployed.replace()
    for entry in deployed.node.status()["functions"]:
        digest = hashlib.sha256((BUILT / f"{entry['name']}.wasm").read_bytes()).hexdigest()
        assert entry == {
            "name": entry["name"], "digest": digest, "generation": 0, "source": "deployed"}
    shown = deployed.opts_out()
    assert shown == visit(node, "GET", api.token(address())).body
    for mine, theirs in [
            (visit(deployed.node, method, deployed.api.token(address()), body, kind),
             visit(node, method, api.token(address()), body, kind))
            for method, body, kind in [
                ("HEAD", None, None), ("OPTIONS", None, None), ("POST", "x=1", None),
                ("POST", "undo=AAAA", "application/x-www-form-urlencoded")]]:
        assert (mine.status, mine.body, mine.media_type) == (
            theirs.status, theirs.body, theirs.media_type)
    assert visit(deployed.node, "GET", "A" * 90).status == 404
    assert deployed.resp().get(f"allow:marketing:news:{address()}") == "1"
    for name in ("unsubscribe", "check"):
        told = deployed.function(name)
        assert told["calls"] > 0 and not any(told["failures"].values()), told


def test_all_mail_and_undo_through_wasm(deployed):
    """`scope=all` stages the tenant-wide opt-out in the module; its page undoes exactly that."""
    deployed.replace()
    reader = address()
    token = deployed.api.token(reader)
    form = "application/x-www-form-urlencoded"
    answer = visit(deployed.node, "POST", token, "confirm=1&scope=all", form)
    assert answer.status == 200 and answer.header("quell-durability") == "quorum"
    assert {mark["stream"] for mark in deployed.api.marks(reader)} == {"*", "marketing"}
    assert deployed.api.decision(reader, topic="offers") == "deny"
    undo = answer.text.partition('name="undo" value="')[2].partition('"')[0]
    assert undo, answer.text
    assert visit(deployed.node, "POST", token, f"undo={undo}", form).status == 200
    assert deployed.api.decision(reader) == "allow"


def test_without_the_engine(deployed):
    """Built-ins only when the library is absent; `status` says so."""
    deployed.replace(env={"QUELL_WASM_ENGINE": "/nowhere/libwasmtime.so"})
    for entry in deployed.node.status()["functions"]:
        assert entry["source"] == "built-in" and "no wasm engine" in entry["error"]
    assert "function runs as built-in although wasm is configured" in deployed.node.log_end()
    deployed.opts_out()
    page_text = call(deployed.node.admin, "GET", "/metrics").text
    assert 'quell_function_missing_state{function="check"} 1' in page_text


def test_little_address_space(deployed):
    """The self-test picks the pooling profile; beside the store's maps the large one must fit."""
    deployed.replace()
    assert deployed.engine().endswith("wide")
    status = open(f"/proc/{deployed.node.pid}/status", encoding="ascii").read()
    taken = int(status.partition("VmSize:")[2].split()[0]) * 1024
    deployed.node.stop()
    limit = f"--as={taken - (64 << 30)}"
    deployed.node.run(command=["/usr/bin/prlimit", limit, *deployed.node.command])
    assert deployed.engine().endswith("narrow")
    deployed.opts_out()
    assert {entry["source"] for entry in deployed.node.status()["functions"]} == {"deployed"}


@pytest.mark.parametrize("body, cause", [
    ("(loop (br 0)) unreachable", "deadline"),
    ("(call $deep (i32.const 0))", "stack"),
    ("(i32.load (i32.const 70000))", "bounds"),
    ("unreachable", "trap"),
    ("(drop (memory.grow (i32.const 160))) (i32.const 10485760)", "bad_response"),
    (answering(b"\xff" * 40), "bad_response"),
    (answering(page(302)), "bad_response"),
    (answering(page(effects=bytes(8) + b"\x01")), "bad_response"),
    (answering(page(effects=bytes(24) + b"\x01")), "bad_response"),
], ids=[
    "loop", "recursion", "out-of-bounds", "unreachable", "10-MB", "garbage", "redirect",
    "effects-on-GET", "effects-on-another-recipient"])
def test_hostile_unsubscribe(deployed, assemble, body, cause):
    """Never a crashed node, never a lost opt-out: the same request is answered by the built-in."""
    deployed.replace(unsubscribe=assemble(body))
    reader = address()
    token = deployed.api.token(reader)
    shown = visit(deployed.node, "GET", token)
    assert shown.status == 200 and b"made by a module" not in shown.body
    assert deployed.api.marks(reader) == [], "a GET changes nothing"
    answer = one_click(deployed.node, token)
    assert answer.status == 200 and answer.header("quell-durability") == "quorum", answer
    assert deployed.api.decision(reader) == "deny" and is_running(deployed.node.pid)
    told = deployed.function("unsubscribe")
    assert told["failures"][cause] >= 1 and told["error"] == cause, told
    entry = deployed.node.status()["functions"][0]
    assert entry["error"] == cause, "the error is named"


def test_no_function_sees_a_token(deployed, assemble):
    """DESIGN 11: no token where it may be stored; a module that says all it was told has none."""
    head = bytearray(page()[:32]) + b"\1\0\0\0" + (10).to_bytes(4, "little") + b"text/plain"
    head += b"\2\0\0\0" + bytes(4)
    head[16] = 2
    stores = answering(bytes(head)).rpartition("\n")[0]
    deployed.replace(unsubscribe=assemble(f"""
        {stores}
        (i32.store (i32.const {32_768 + len(head) - 4}) (local.get $length))
        (local.set $count (i32.const 0))
        (loop $next
          (i32.store8
            (i32.add (i32.const {32_768 + len(head)}) (local.get $count))
            (i32.load8_u (i32.add (i32.const 1024) (local.get $count))))
          (local.set $count (i32.add (local.get $count) (i32.const 1)))
          (br_if $next (i32.lt_u (local.get $count) (local.get $length))))
        (i32.add (i32.const {len(head)}) (local.get $length))"""))
    token = deployed.api.token(address())
    told = visit(deployed.node, "GET", token)
    assert told.status == 200 and b"QLL1" in told.body and b"marketing" in told.body, told
    assert b"/u/" in told.body and token.encode() not in told.body


def test_200_with_nothing_staged(deployed, assemble):
    """A module that says 200 and stages nothing loses nothing: the host staged it itself."""
    deployed.replace(unsubscribe=assemble(answering(page())))
    assert deployed.opts_out() == b"made by a module"
    assert not any(deployed.function("unsubscribe")["failures"].values())


@pytest.mark.parametrize("change, says", [
    (lambda make: make("(i32.const 0)", '(import "env" "exit" (func))'), "imports env.exit"),
    (lambda make: make("(i32.const 0)", '(import "quell1" "log" (func))'), "imports quell1.log"),
    (lambda make: make("(i32.const 0)", abi=131_072), "answers 131072"),
    (lambda make: make("unreachable").replace(b"quell_io", b"quell_oi"), "quell_io"),
    (lambda make: (BUILT / "unsubscribe.wasm").read_bytes() + bytes(100_000), "at most 81920"),
    (lambda make: (BUILT / "unsubscribe.wasm").read_bytes()[:-7], "cut"),
    (lambda make: b"", "not a wasm module"),
], ids=["import", "capability", "abi", "export", "oversized", "cut", "empty"])
def test_what_never_becomes_a_version(deployed, assemble, change, says):
    """Refused before it serves: the built-in serves, and `status` names what is wrong."""
    deployed.replace(unsubscribe=change(assemble))
    entry, *others = deployed.node.status()["functions"]
    assert entry["source"] == "built-in" and says in entry["error"], entry
    assert [other["source"] for other in others] == ["deployed"] * 2, "one does not spoil another"
    deployed.opts_out()


def test_one_byte_corrupted(deployed):
    """A module with one byte changed is refused, or fails, or answers; an opt-out is never lost."""
    good = (BUILT / "unsubscribe.wasm").read_bytes()
    for at in (3, 9, 200, len(good) // 2, len(good) - 3):
        changed = bytearray(good)
        changed[at] ^= 0x11
        deployed.replace(unsubscribe=bytes(changed))
        deployed.opts_out()


def test_deployed_check_at_every_listener(deployed, assemble):
    """A deployed `check` may turn allow into deny; HTTP, batch and RESP ask it alike."""
    deployed.replace(check=assemble(
        "(memory.fill (i32.const 32768) (i32.const 2) (local.get $count)) (local.get $count)"))
    reader = address()
    assert deployed.api.check(reader) == {"decision": "deny", "reason": None, "since": None}
    many = deployed.api.check_many([address() for _ in range(1_100)])
    assert {result["decision"] for result in many} == {"deny"}
    client = deployed.resp()
    assert client.get(f"allow:marketing:news:{reader}") is None
    assert client.execute_command("SISMEMBER", "marketing:news", reader) == 1
    assert client.mget([f"allow:marketing:news:{address()}" for _ in range(600)]) == [None] * 600


@pytest.mark.parametrize("body", [
    "unreachable", "(loop (br 0)) unreachable", "(i32.const 0)", "(i32.const -1)",
    "(i32.add (local.get $count) (i32.const 1))"],
    ids=["trap", "loop", "too-short", "error", "too-long"])
def test_failing_check_ends_in_deny(deployed, assemble, body):
    """`check` ends in deny, whatever fails."""
    deployed.replace(check=assemble(body))
    reader = address()
    assert deployed.api.decision(reader) == "deny"
    assert deployed.resp().get(f"allow:marketing:news:{reader}") is None
    assert sum(deployed.function("check")["failures"].values()) >= 2
    assert is_running(deployed.node.pid)


def test_allow_for_a_suppressed_person_is_overruled(deployed, assemble):
    """Monotone guard: only consents lift; the attempt is counted."""
    deployed.replace(check=assemble(
        "(memory.fill (i32.const 32768) (i32.const 1) (local.get $count)) (local.get $count)"))
    reader = address()
    assert deployed.api.decision(reader) == "allow"
    deployed.api.suppress(reader)
    eventually(lambda: deployed.api.decision(reader) == "deny", "denied")
    before = deployed.function("check")["overruled"]
    assert deployed.api.decision(reader) == "deny"
    assert deployed.resp().get(f"allow:marketing:news:{reader}") is None
    assert deployed.function("check")["overruled"] == before + 1


def test_back_to_the_modules_of_the_configuration(deployed, tmp_path):
    """`rollback` goes back to what the node came with: the folder's module, restarted or not."""
    deployed.replace()
    module = hashlib.sha256((BUILT / "unsubscribe.wasm").read_bytes()).hexdigest()
    folder = shipped("unsubscribe", tmp_path)
    edit(folder, "Sources/Words.swift", '"Unsubscribe"', '"Really stop?"')
    edit(folder, "function.yaml", "version: 1.0.0", "version: 9.0.0")
    for is_restarted in (False, True):
        digest = deploy(deployed.cluster, folder)["digest"]
        assert deployed.node.status()["functions"][0]["digest"] == digest
        if is_restarted:
            deployed.node.stop()
            deployed.node.run()
            assert deployed.node.status()["functions"][0]["digest"] == digest
        back = json.loads(fn(deployed.cluster, "rollback", "unsubscribe", "--json"))
        assert back["digest"] is None and back["nodes"][0]["state"] == "active", back
        assert deployed.node.status()["functions"][0]["digest"] == module
        assert b"<h1>Unsubscribe</h1>" in deployed.opts_out()
