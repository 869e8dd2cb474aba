"""DESIGN 10.1, the client verbs and their exit codes, as a shell script would use them."""

import json
import shutil

import pytest

from cluster import address, free_block, quell

SCOPE = ("--stream", "marketing", "--topic", "news")


@pytest.fixture
def verb(cluster):
    """Runs a verb against the shared cluster."""
    def run(*arguments, **named):
        return quell(*arguments, "--cluster", cluster.file, **named)
    return run


def test_check_suppress_check(verb):
    """Exit codes: 0 ok/allow, 1 deny."""
    reader = address()
    allowed = verb("check", reader, *SCOPE)
    assert allowed.returncode == 0 and "allow" in allowed.stdout, allowed
    assert verb("suppress", reader, *SCOPE).returncode == 0
    denied = verb("check", reader, *SCOPE)
    assert denied.returncode == 1, denied
    assert "deny" in denied.stdout and "unsubscribe" in denied.stdout
    assert denied.stderr == ""


def test_reason_and_default_topic(verb, api):
    """with `--stream`, `--topic` (default `*`), `--reason` (suppress: `unsubscribe`)."""
    reader, other = address(), address()
    assert verb("suppress", reader, "--stream", "marketing").returncode == 0
    assert api.check(reader, topic="offers")["reason"] == "unsubscribe"
    assert verb("suppress", other, *SCOPE, "--reason", "manual").returncode == 0
    assert api.check(other)["reason"] == "manual"


def test_json(verb):
    """`--json`: the shape of the HTTP answer."""
    reader = address()
    body = json.loads(verb("check", reader, *SCOPE, "--json").stdout)
    assert body["results"][0]["decision"] == "allow"
    body = json.loads(verb("suppress", reader, *SCOPE, "--json").stdout)
    assert body["durability"] == "quorum"
    body = json.loads(verb("show", reader, "--json").stdout)
    assert body["marks"][0]["reason"] == "unsubscribe" and body["marks"][0]["ids"]


def test_show(verb):
    """`show ADDRESS`: for people; names the scope and the reason."""
    reader = address()
    assert verb("show", reader).returncode == 0
    verb("suppress", reader, *SCOPE)
    shown = verb("show", reader)
    assert shown.returncode == 0
    for word in ("marketing", "news", "unsubscribe"):
        assert word in shown.stdout, shown.stdout


def test_link(verb, node):
    """`link ADDRESS` prints a link that opens."""
    done = verb("link", address(), *SCOPE)
    assert done.returncode == 0 and f"http://{node.http}/u/" in done.stdout, done


def test_consent(verb, api):
    """`consent`: without observed ids it lifts nothing and hands them out; with them, it lifts."""
    reader = address()
    api.suppress(reader)
    asked = verb("consent", reader, *SCOPE, "--reason", "unsubscribe", "--method", "phone")
    assert asked.returncode not in (0, 69, 70), asked
    assert api.decision(reader) == "deny"
    observed = [part for id in api.ids(reader) for part in ("--observed", id)]
    done = verb(
        "consent", reader, *SCOPE, "--reason", "unsubscribe", "--method", "phone", *observed)
    assert done.returncode == 0, done
    assert api.decision(reader) == "allow"


def test_status(verb, node):
    """`quell status --json`: nodes as `GET /v1/status`; the top level adds `equal`."""
    done = verb("status", "--json")
    assert done.returncode == 0, done
    body = json.loads(done.stdout)
    assert body["equal"] is True and [one["name"] for one in body["nodes"]] == ["n1"]
    assert body["nodes"][0]["node_id"] == node.status()["node_id"]
    people = verb("status")
    assert people.returncode == 0 and "n1" in people.stdout


def test_registers(verb, api):
    """`tenant|stream|topic|key add|list|rm`."""
    assert "demo" in verb("tenant", "list").stdout
    streams = verb("stream", "list").stdout
    assert "marketing" in streams and "transactional" in streams
    for topic in ("news", "offers"):
        assert topic in verb("topic", "list", "--stream", "marketing").stdout
    assert verb("topic", "add", "events", "--stream", "marketing").returncode == 0
    assert api.decision(address(), topic="events") == "allow"
    reader = address()
    api.suppress(reader, topic="events")
    assert api.decision(reader, topic="events") == "deny"
    assert verb("topic", "rm", "events", "--stream", "marketing").returncode == 0


def test_key_lifecycle(verb, cluster, node):
    """API keys: added with scopes, listed without the secret, removed for ever."""
    from api import Api, problem
    made = json.loads(verb("key", "add", "worker", "--scopes", "check", "--json").stdout)
    assert Api(node, made["key"]).decision(address()) == "allow"
    listed = verb("key", "list")
    assert "worker" in listed.stdout and made["key"] not in listed.stdout
    assert verb("key", "rm", "worker").returncode == 0
    problem(
        Api(node, made["key"]).send("GET", "/v1/check?stream=marketing&topic=news&address=a@b.org"),
        401)


def test_environment(cluster, node):
    """else `QUELL_URL` + `QUELL_API_KEY` (`QUELL_ADMIN_URL` + `QUELL_ADMIN_KEY`)."""
    env = {"QUELL_URL": f"http://{node.http}", "QUELL_API_KEY": cluster.api_key}
    assert quell("check", address(), *SCOPE, env=env).returncode == 0
    env = {"QUELL_ADMIN_URL": f"http://{node.admin}", "QUELL_ADMIN_KEY": cluster.admin_key}
    assert quell("status", env=env).returncode == 0


def test_default_cluster(cluster, tmp_path):
    """else `.quell/dev/cluster.json`."""
    (tmp_path / ".quell" / "dev").mkdir(parents=True)
    shutil.copy(cluster.file, tmp_path / ".quell" / "dev" / "cluster.json")
    assert quell("check", address(), *SCOPE, cwd=tmp_path).returncode == 0


def test_not_permitted(cluster, node):
    """77 not permitted."""
    env = {"QUELL_URL": f"http://{node.http}", "QUELL_API_KEY": "wrong"}
    assert quell("check", address(), *SCOPE, env=env).returncode == 77
    env["QUELL_API_KEY"] = cluster.add_key("check")
    assert quell("suppress", address(), *SCOPE, env=env).returncode == 77


def test_unreachable(cluster):
    """69 unreachable: and never allow."""
    env = {"QUELL_URL": f"http://127.0.0.1:{free_block()}", "QUELL_API_KEY": cluster.api_key}
    done = quell("check", address(), *SCOPE, env=env)
    assert done.returncode == 69 and "allow" not in done.stdout, done


@pytest.mark.parametrize("arguments", [
    ("nothing",), ("check",), ("check", "a@example.org", "--no-such-flag"),
    ("suppress", "a@example.org", "--stream"), ("dev", "--nodes", "many")])
def test_usage(arguments):
    """64 usage: with a word on stderr, nothing on stdout."""
    done = quell(*arguments)
    assert done.returncode == 64 and done.stderr and not done.stdout, done


def test_no_cluster(tmp_path):
    """78 configuration: no cluster named and none found here."""
    done = quell("check", "a@example.org", *SCOPE, cwd=tmp_path)
    assert done.returncode == 78 and "--cluster" in done.stderr, done
    done = quell("check", "a@example.org", *SCOPE, "--cluster", tmp_path / "none.json")
    assert done.returncode == 78 and "none.json" in done.stderr, done


def test_malformed_and_unknown(verb):
    """1 deny (a malformed address is never mailed); an unknown topic is an error, never 0 or 1."""
    assert verb("check", "nobody", *SCOPE).returncode == 1
    done = verb("check", address(), "--stream", "marketing", "--topic", "nothing")
    assert done.returncode not in (0, 1) and done.stderr, done


def test_secret_never_on_the_command_line(verb):
    """A reader's address goes to stdout only when asked to show; errors do not repeat it."""
    reader = address()
    done = verb("suppress", reader, "--stream", "nothing")
    assert done.returncode != 0 and reader not in done.stderr
