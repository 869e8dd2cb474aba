"""DESIGN 10.3: RESP2 and RESP3, any Redis client. The clients here are redis-cli, redis-py and bare
sockets; none of them knows Quell."""

import json
import os
import socket
import subprocess

import pytest
import redis

from cluster import ROOT, address

SET = "marketing:news"


def dial(node, key=None):
    """A bare connection that can be asked line by line."""
    host, port = node.resp.split(":")
    connection = socket.create_connection((host, int(port)), timeout=10)
    stream = connection.makefile("rwb")

    def ask(line, replies=1):
        stream.write(line.encode() + b"\r\n")
        stream.flush()
        return b"".join(stream.readline() for _ in range(replies)).decode().strip()
    if key:
        assert ask(f"AUTH demo {key}") == "+OK"
    return ask


@pytest.fixture
def client(cluster, node):
    """redis-py, unmodified."""
    host, port = node.resp.split(":")
    made = redis.Redis(host, int(port), username="demo", password=cluster.api_key)
    yield made
    made.close()


def test_auth(cluster, node):
    """`AUTH tenant key`; before it `-NOAUTH`, a bad key `-WRONGPASS`."""
    ask = dial(node)
    assert ask("PING").startswith("-NOAUTH")
    assert ask(f"SISMEMBER {SET} a@b.c").startswith("-NOAUTH")
    assert ask("AUTH demo wrong").startswith("-WRONGPASS")
    assert ask(f"AUTH other {cluster.api_key}").startswith("-WRONGPASS")
    assert ask(f"AUTH demo {cluster.api_key}") == "+OK"
    assert ask("PING") == "+PONG"


def test_hello(cluster, node):
    """(or `HELLO 3 AUTH tenant key`): RESP3 answers with a map, and nil is `_`."""
    ask = dial(node)
    assert ask(f"HELLO 3 AUTH demo {cluster.api_key}").startswith("%")


def test_positive_form(client):
    """`GET allow:marketing:news:a@b.c` -> `1` only when sending is allowed, else nil."""
    reader = address()
    key = f"allow:{SET}:{reader}"
    assert client.get(key) == b"1"
    assert client.mget([key, f"allow:{SET}:nobody"]) == [b"1", None]
    assert client.exists(key, f"allow:{SET}:{address()}", f"allow:{SET}:nobody") == 2
    client.sadd(SET, reader)
    assert client.get(key) is None and client.exists(key) == 0


def test_compatibility_form(client):
    """`SISMEMBER marketing:news a@b.c` -> 1 suppressed or malformed, 0 may be sent."""
    reader = address()
    assert client.sismember(SET, reader) == 0
    client.sadd(SET, reader)
    assert client.sismember(SET, reader) == 1
    assert client.sismember(SET, "nobody") == 1
    assert client.execute_command("SMISMEMBER", SET, reader, address(), "nobody") == [1, 0, 1]


def test_unknown_set(client):
    """unknown set `-ERR`; never 0, never allow."""
    for name in ("marketing:nothing", "nothing:news", "marketing"):
        with pytest.raises(redis.ResponseError):
            client.sismember(name, address())
        with pytest.raises(redis.ResponseError):
            client.sadd(name, address())
    with pytest.raises(redis.ResponseError):
        client.get(f"allow:marketing:nothing:{address()}")


def test_sadd(client, api):
    """`SADD set addr...` (reason `manual`) replies with the number newly suppressed."""
    first, second = address(), address()
    assert client.sadd(SET, first, second, first) == 2
    assert client.sadd(SET, first, address()) == 1
    assert api.check(first)["reason"] == "manual"
    with pytest.raises(redis.ResponseError):
        client.sadd(SET, address(), "nobody")


def test_srem(client):
    """`SREM` -> `-NOPERM`."""
    reader = address()
    client.sadd(SET, reader)
    with pytest.raises(redis.exceptions.ResponseError, match="NOPERM|consent"):
        client.srem(SET, reader)
    assert client.sismember(SET, reader) == 1


def test_scopes(cluster, node):
    """A key may do what its scopes say and nothing else."""
    ask = dial(node, cluster.add_key("check"))
    assert ask(f"SISMEMBER {SET} {address()}") == ":0"
    assert ask(f"SADD {SET} {address()}").startswith("-NOPERM")
    ask = dial(node, cluster.add_key("suppress"))
    assert ask(f"SISMEMBER {SET} {address()}").startswith("-NOPERM")
    assert ask(f"SADD {SET} {address()}") == ":1"


def test_other_commands(cluster, node):
    """`PING ECHO ... SELECT QUIT RESET`; any other CLIENT subcommand, CONFIG, unknown commands:
    `-ERR`, the connection stays."""
    ask = dial(node, cluster.api_key)
    assert ask("ECHO hello", 2).endswith("hello")
    assert ask("SELECT 0") == "+OK" and ask("CLIENT SETNAME worker") == "+OK"
    for line in ("CLIENT KILL ID 1", "CONFIG GET *", "FLUSHALL", "SET a b", "KEYS *"):
        assert ask(line).startswith("-ERR"), line
    assert ask("PING") == "+PONG"
    assert ask("QUIT") == "+OK"


def test_pipeline(client):
    """1,000 pipelined checks answer in order, also between writes."""
    readers = [address() for _ in range(500)]
    pipe = client.pipeline(transaction=False)
    for reader in readers:
        pipe.sadd(SET, reader)
    for reader in readers:
        pipe.sismember(SET, reader)
        pipe.sismember(SET, "x" + reader)
    answers = pipe.execute()
    assert answers[:500] == [1] * 500
    assert [int(one) for one in answers[500:]] == [1, 0] * 500


def test_seen_through_http_and_back(client, api):
    """One list behind every listener."""
    reader, other = address(), address()
    client.sadd(SET, reader)
    assert api.decision(reader) == "deny"
    api.suppress(other)
    assert client.get(f"allow:{SET}:{other}") is None


def test_redis_cli(cluster, node):
    """redis-cli, unmodified, in both protocols."""
    for version in ("-2", "-3"):
        done = subprocess.run(
            ["redis-cli", version, "-p", node.resp.split(":")[1], "--user", "demo", "--pass",
             cluster.api_key, "--no-auth-warning", "GET", f"allow:{SET}:{address()}"],
            capture_output=True, text=True, timeout=20, check=False)
        assert done.stdout.strip() == "1", done


def test_http_on_the_wrong_port(node):
    """A browser that is lured to this port must not speak for somebody: closed at once."""
    ask = dial(node)
    assert "+" not in ask("POST / HTTP/1.1")


CURRENT = ROOT / ".build" / "python"
WORKER = """
import json, os, sys
import redis
port, key, protocol, person = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
client = redis.Redis(port=port, username="demo", password=key, protocol=protocol)
allow, place = f"allow:marketing:news:{person}", "marketing:news"
said = [redis.VERSION >= (8,), client.ping(), client.get(allow) == b"1", client.exists(allow),
        client.sismember(place, person), client.sadd(place, person), client.get(allow),
        client.smismember(place, [person, "x" + person]), client.mget([allow])]
pipe = client.pipeline(transaction=False)
for _ in range(100):
    pipe.sismember(place, person)
said.append(sum(pipe.execute()))
for refused in (lambda: client.srem(place, person), lambda: client.config_get("save")):
    try:
        refused()
        said.append("answered")
    except redis.ResponseError as error:
        said.append(type(error).__name__)
said.append(client.ping())
print(json.dumps(said))
"""


@pytest.mark.parametrize("protocol", [2, 3])
def test_present_redis_py(cluster, node, protocol):
    """10.3 (RESP2 and RESP3; any Redis client): redis-py as PyPI has it now, in both protocols."""
    done = subprocess.run(
        ["/usr/bin/python3", "-c", WORKER, node.resp.split(":")[1], cluster.api_key,
         str(protocol), address()],
        env={**os.environ, "PYTHONPATH": str(CURRENT)}, capture_output=True, text=True,
        timeout=30, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        True, True, True, 1, 0, 1, None, [1, 0], [None], 100,
        "NoPermissionError", "ResponseError", True]
