"""DESIGN 10.2 and 4, check: three answers, and only a positive allow means send."""

import datetime
import urllib.parse

import pytest

from api import problem
from cluster import address

MALFORMED = ["", "nobody", "@example.org", "a@", "a b@example.org", "a@b@c", "a@exa mple.org",
             "x" * 400 + "@example.org", "a@" + "b" * 300 + ".org", "a@-.org"]


def test_get_shape(api, node):
    """-> 200 `{"results":[{"decision","reason","since"}],"staleness_ms","node"}`, one result."""
    query = urllib.parse.urlencode(
        {"stream": "marketing", "topic": "news", "address": address()})
    body = api.ok("GET", "/v1/check?" + query)
    assert set(body) >= {"results", "staleness_ms", "node"}
    assert body["node"] == node.name and 0 <= body["staleness_ms"] <= 60_000
    assert body["results"] == [{"decision": "allow", "reason": None, "since": None}]


def test_since(api):
    """`since` RFC 3339 or null."""
    reader = address()
    before = datetime.datetime.now(datetime.timezone.utc)
    api.suppress(reader)
    result = api.check(reader)
    assert result["decision"] == "deny" and result["reason"] == "unsubscribe"
    since = datetime.datetime.fromisoformat(result["since"].replace("Z", "+00:00"))
    slack = datetime.timedelta(seconds=5)
    assert before - slack <= since <= datetime.datetime.now(datetime.timezone.utc) + slack


def test_post_in_order(api):
    """`POST /v1/check` `{"stream","topic","addresses":[...]}`, in the same order."""
    readers = [address() for _ in range(300)]
    for reader in readers[::7]:
        api.suppress(reader)
    mixed = readers + readers[::-1] + ["broken"]
    wanted = ["deny" if n % 7 == 0 else "allow" for n in range(300)]
    decisions = [result["decision"] for result in api.check_many(mixed)]
    assert decisions == wanted + wanted[::-1] + ["deny"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_text_plain(api, end):
    """or `text/plain`, one address a line, with `?stream&topic`."""
    readers = [address() for _ in range(3)]
    api.suppress(readers[1])
    for last in ("", end):
        body = api.ok(
            "POST", "/v1/check?stream=marketing&topic=news", end.join(readers) + last,
            media_type="text/plain; charset=utf-8")
        assert [r["decision"] for r in body["results"]] == ["allow", "deny", "allow"]


@pytest.mark.parametrize("malformed", MALFORMED, ids=range(len(MALFORMED)))
def test_malformed(api, malformed):
    """a malformed address is `{"decision":"deny","reason":"invalid"}`."""
    result = api.check_many([malformed])[0]
    assert (result["decision"], result["reason"]) == ("deny", "invalid")
    result = api.check(malformed)
    assert (result["decision"], result["reason"]) == ("deny", "invalid")


@pytest.mark.parametrize("spell", [
    str.upper, lambda a: " " + a + " ", lambda a: a.replace("example", "EXAMPLE"),
], ids=["upper", "blanks", "domain"])
def test_spelling(api, spell):
    """A person who opted out is denied in any spelling of the same address (fails closed)."""
    reader = address()
    api.suppress(reader)
    assert api.check_many([spell(reader)])[0]["decision"] == "deny"


def test_plus_and_percent(api):
    """The query is decoded once: `%2B` is a plus."""
    reader = address("with+tag")
    api.suppress(reader)
    assert api.decision(reader) == "deny"
    assert api.decision(reader.replace("+", "-")) == "allow"


def test_ten_thousand(api):
    """`addresses` (1..10,000)."""
    readers = [f"many{n}@example.org" for n in range(10_000)]
    assert {r["decision"] for r in api.check_many(readers)} == {"allow"}
    body = {"stream": "marketing", "topic": "news", "addresses": []}
    problem(api.send("POST", "/v1/check", body), 400)
    body["addresses"] = readers + ["one@example.org"]
    assert api.send("POST", "/v1/check", body).status in (400, 413)


@pytest.mark.parametrize("stream, topic", [
    ("nothing", "news"), ("marketing", "nothing"), ("marketing", "receipts"),
    ("transactional", "news"), ("", "news"), ("Marketing ", "news")])
def test_unknown_scope(api, stream, topic):
    """An unknown stream or topic is an error at every listener, never allow: 404."""
    query = urllib.parse.urlencode({"stream": stream, "topic": topic, "address": address()})
    answer = api.send("GET", "/v1/check?" + query)
    assert answer.status in ((400, 404) if stream == "" else (404,)), answer
    body = {"stream": stream, "topic": topic, "addresses": [address()]}
    answer = api.send("POST", "/v1/check", body)
    assert answer.status in ((400, 404) if stream == "" else (404,)), answer


def test_wider_scopes_deny(api):
    """deny if any live mark in scope {topic, stream `*`, tenant `*`} blocks."""
    stream_wide, tenant_wide = address(), address()
    api.suppress(stream_wide, topic="*")
    assert api.decision(stream_wide, topic="news") == "deny"
    assert api.decision(stream_wide, topic="offers") == "deny"
    api.suppress(tenant_wide, stream="*", topic="*")
    assert api.decision(tenant_wide, topic="offers") == "deny"


@pytest.mark.parametrize("reason", ["complaint", "legal", "erasure"])
def test_tenant_wide_reasons(api, reason):
    """complaint, legal, erasure are written tenant-wide whatever scope they were given."""
    reader = address()
    api.suppress(reader, topic="news", reason=reason)
    assert api.check(reader, topic="offers")["reason"] == reason
    blocked = "allow" if reason == "complaint" else "deny"
    assert api.decision(reader, "transactional", "receipts") == blocked


@pytest.mark.parametrize("reason, decision", [
    ("unsubscribe", "allow"), ("soft_bounce", "allow"), ("pause", "allow"), ("import", "allow"),
    ("hard_bounce", "deny"), ("manual", "deny")])
def test_transactional_class(api, reason, decision):
    """only hard_bounce, manual, legal, erasure block `transactional`."""
    reader = address()
    api.suppress(reader, "transactional", "receipts", reason=reason)
    assert api.decision(reader, "transactional", "receipts") == decision


def test_precedence(api):
    """the winning reason by precedence legal, erasure, complaint, unsubscribe (widest first),
    hard_bounce, manual, import, soft_bounce, pause."""
    reader = address()
    order = ["pause", "soft_bounce", "import", "manual", "hard_bounce", "unsubscribe",
             "complaint", "erasure", "legal"]
    for reason in order:
        api.suppress(reader, reason=reason)
        assert api.check(reader)["reason"] == reason


def test_lifting_one_reason_keeps_others(api):
    """lifting a bounce never lifts an unsubscribe."""
    reader = address()
    api.suppress(reader, reason="unsubscribe")
    api.suppress(reader, reason="hard_bounce")
    ids = api.ids(reader, reason="hard_bounce")
    assert api.consent(reader, ids, reason="hard_bounce").status == 200
    assert api.check(reader)["reason"] == "unsubscribe"
