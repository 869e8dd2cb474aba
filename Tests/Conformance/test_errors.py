"""DESIGN 10.2: errors are RFC 9457 problem+json, with the status that says whose fault it is."""

import json
import urllib.parse

import pytest

from api import Api, problem
from cluster import address, call, quell, raw

CALLS = {
    "check": ("POST", "/v1/check", {"stream": "marketing", "topic": "news",
                                    "addresses": ["a@example.org"]}),
    "suppress": ("POST", "/v1/suppressions", {"stream": "marketing", "topic": "news",
                                              "address": "scope@example.org"}),
    "consent": ("POST", "/v1/consents", {"stream": "marketing", "topic": "news",
                                         "reason": "unsubscribe", "address": "a@example.org",
                                         "evidence": {"method": "test"}}),
    "link": ("POST", "/v1/links", {"stream": "marketing", "topic": "news",
                                   "addresses": ["a@example.org"]}),
}


@pytest.mark.parametrize("scope", CALLS)
@pytest.mark.parametrize("authorization", [
    None, "Bearer ", "Bearer wrong", "Basic cXVlbGw6cXVlbGw=", "wrong"])
def test_no_valid_key(node, scope, authorization):
    """401 key."""
    method, path, body = CALLS[scope]
    headers = {"Content-Type": "application/json"}
    if authorization is not None:
        headers["Authorization"] = authorization
    problem(call(node.http, method, path, json.dumps(body), headers), 401)


@pytest.mark.parametrize("change", [lambda k: k[:-1], lambda k: k + "A", lambda k: k.swapcase()])
def test_almost_the_key(node, cluster, change):
    """401 key: a prefix, an extension or another spelling is no key."""
    api = Api(node, change(cluster.api_key))
    problem(api.send("GET", "/v1/check?stream=marketing&topic=news&address=a@b.org"), 401)


def test_scopes(api, cluster):
    """403 scope. Scopes: `check`, `suppress`, `consent`, `import`, `export`, `link`."""
    for held in CALLS:
        limited = Api(api.node, cluster.add_key(held))
        for scope, (method, path, body) in CALLS.items():
            answer = limited.send(method, path, body)
            if scope == held:
                assert answer.status in (200, 409), (held, scope, answer)
            else:
                problem(answer, 403)


@pytest.mark.parametrize("scope", CALLS)
@pytest.mark.parametrize("body", [
    "", "{", "[]", "null", '"text"', '{"stream":"marketing"}', '{"stream":1,"topic":2}', "\x00",
    '{"a":' * 2_000, '{"stream":"marketing","topic":"news","address":7,"addresses":"a"}',
    b'{"stream":"\xff\xfe"}'], ids=range(11))
def test_malformed_body(api, scope, body):
    """400 malformed."""
    method, path, _ = CALLS[scope]
    problem(api.send(method, path, body), 400)


@pytest.mark.parametrize("change", [
    {"address": "nobody"}, {"address": ""}, {"reason": "because"}, {"reason": ""}])
def test_malformed_suppression(api, change):
    """400 malformed: an address or a reason that is none is refused, not stored."""
    body = {"address": address(), "stream": "marketing", "topic": "news", **change}
    problem(api.send("POST", "/v1/suppressions", body), 400)


@pytest.mark.parametrize("query", [
    "", "stream=marketing", "stream=marketing&topic=news", "topic=news&address=a@b.org",
    "stream=marketing&topic=news&address=%zz"])
def test_malformed_query(api, query):
    """400 malformed: what is missing is named, never guessed."""
    problem(api.send("GET", "/v1/check?" + query), 400)


@pytest.mark.parametrize("path, body", [
    ("/v1/suppressions", {"address": "a@example.org"}),
    ("/v1/consents", {"address": "a@example.org", "reason": "unsubscribe", "observed": [],
                      "evidence": {"method": "test"}})])
def test_unknown_scope(api, path, body):
    """404 unknown stream or topic."""
    for stream, topic in (("nothing", "news"), ("marketing", "nothing")):
        problem(api.send("POST", path, {**body, "stream": stream, "topic": topic}), 404)


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/nothing", "/v2/check", "/u", "/index.html"])
def test_unknown_path(api, path):
    """An unknown path is 404, with or without a key."""
    assert api.send("GET", path).status == 404
    assert call(api.node.http, "GET", path).status in (401, 404)


@pytest.mark.parametrize("method, path", [
    ("DELETE", "/v1/check"), ("PUT", "/v1/suppressions"), ("GET", "/v1/consents")])
def test_wrong_method(api, method, path):
    """A method that a path does not have is 405, naming those that it has."""
    answer = api.send(method, path)
    problem(answer, 405)
    assert answer.header("allow"), answer


@pytest.mark.parametrize("scope", CALLS)
@pytest.mark.parametrize("media_type", ["application/xml", "image/png", "nonsense"])
def test_wrong_media_type(api, scope, media_type):
    """415."""
    method, path, body = CALLS[scope]
    problem(api.send(method, path, json.dumps(body), media_type=media_type), 415)


def test_too_large(api):
    """413: refused from the announced length, before the bytes are sent."""
    for path in ("/v1/suppressions", "/v1/check", "/v1/links"):
        request = (
            f"POST {path} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {api.key}\r\n"
            "Content-Type: application/json\r\nContent-Length: 99999999999\r\n\r\n{")
        answer = raw(api.node.http, request.encode())
        assert answer.startswith(b"HTTP/1.1 413 "), answer[:200]
        assert b"application/problem+json" in answer


def test_errors_do_not_echo_people(api):
    """No address in an error: problem pages end in logs of others."""
    reader = address()
    query = urllib.parse.urlencode({"stream": "nothing", "topic": "news", "address": reader})
    assert reader.encode() not in api.send("GET", "/v1/check?" + query).body
    body = {"address": reader, "stream": "nothing", "topic": "news"}
    assert reader.encode() not in api.send("POST", "/v1/suppressions", body).body


def test_a_key_ends_when_it_is_removed(api, cluster):
    """401 key: one that was used a moment ago is refused once it is removed."""
    name = f"short-{address().split('@')[0]}"
    added = quell("key", "add", name, "--scopes", "check", "--cluster", str(cluster.file), "--json")
    worker = Api(api.node, json.loads(added.stdout)["key"])
    reader = address()
    assert {worker.decision(reader) for _ in range(20)} == {"allow"}
    removed = quell("key", "rm", name, "--cluster", str(cluster.file))
    assert removed.returncode == 0, removed
    query = f"/v1/check?stream=marketing&topic=news&address={reader}"
    for _ in range(20):
        problem(worker.send("GET", query), 401)
