"""DESIGN 10.2 and 11: links and their headers, which must work for years."""

import base64

from api import Api, problem
from cluster import address


def test_links_in_order(api, node):
    """`POST /v1/links` (1..10,000) -> links with token, url, headers, same order."""
    readers = [address() for _ in range(5)]
    links = api.links(readers)
    for reader, link in zip(readers, links):
        assert link == api.links([reader])[0], "the same person and topic give the same token"
    assert len({link["token"] for link in links}) == 5


def test_one_link(api, node):
    """The public URL is the base of links (`URL/u/TOKEN`); `dev` uses its own http address."""
    link = api.links([address()])[0]
    assert link["url"] == f"http://{node.http}/u/{link['token']}"
    assert link["headers"]["List-Unsubscribe"] == f"<{link['url']}>"
    assert link["headers"]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"


def test_token_shape(api):
    """Tokens: sealed, no personal data, 68 to 110 characters."""
    reader = address()
    token = api.token(reader)
    assert 68 <= len(token) <= 110, len(token)
    opened = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    assert base64.urlsafe_b64encode(opened).decode().rstrip("=") == token
    assert reader.encode() not in opened and b"news" not in opened and b"demo" not in opened


def test_many_links(api):
    """`POST /v1/links` takes 10,000 addresses; none, or 10,001, is refused."""
    assert len(api.links([f"bulk{n}@example.org" for n in range(10_000)])) == 10_000
    body = {"stream": "marketing", "topic": "news", "addresses": []}
    problem(api.send("POST", "/v1/links", body), 400)
    body["addresses"] = [f"bulk{n}@example.org" for n in range(10_001)]
    assert api.send("POST", "/v1/links", body).status in (400, 413)


def test_unknown_topic(api):
    """404 unknown stream or topic."""
    for stream, topic in (("nothing", "news"), ("marketing", "nothing")):
        body = {"stream": stream, "topic": topic, "addresses": [address()]}
        problem(api.send("POST", "/v1/links", body), 404)


def test_public_url(fresh):
    """`dev` forwards --public-url: it is the base of links."""
    made = fresh("--public-url", "https://mail.example.com/q")
    link = Api(made.node).links([address()])[0]
    assert link["url"] == f"https://mail.example.com/q/u/{link['token']}"
