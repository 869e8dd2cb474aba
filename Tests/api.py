"""The HTTP calls of DESIGN 10.2 as a sending system would make them.

Each method asserts what every answer of its kind must keep, so that single tests need not repeat
it; `problem` is the shape of every error.
"""

import html.parser
import json
import urllib.parse

from cluster import SEEN_TOKENS, call

ONE_CLICK = "List-Unsubscribe=One-Click"
FORM = "application/x-www-form-urlencoded"


def problem(answer, status):
    """Asserts an RFC 9457 error of this status and returns it."""
    assert answer.status == status, answer
    assert answer.media_type == "application/problem+json", answer
    body = answer.json()
    assert body["status"] == status and body["title"], body
    return body


class Api:
    """One key at one node."""

    def __init__(self, node, key=None):
        self.node = node
        self.key = key or node.cluster.api_key

    def send(self, method, path, body=None, headers=None, media_type="application/json"):
        """One authorised request on a new connection."""
        every = {"Authorization": f"Bearer {self.key}", **(headers or {})}
        if body is not None:
            every.setdefault("Content-Type", media_type)
            body = body if isinstance(body, (str, bytes)) else json.dumps(body)
        return call(self.node.http, method, path, body, every)

    def ok(self, *arguments, **named):
        """As `send`, and the answer must be 200 JSON."""
        answer = self.send(*arguments, **named)
        assert answer.status == 200 and answer.media_type == "application/json", answer
        return answer.json()

    def check(self, address, stream="marketing", topic="news"):
        """GET check: the one result."""
        query = urllib.parse.urlencode({"stream": stream, "topic": topic, "address": address})
        body = self.ok("GET", "/v1/check?" + query)
        assert len(body["results"]) == 1, body
        return body["results"][0]

    def decision(self, *arguments, **named):
        """GET check: allow, deny or unknown."""
        return self.check(*arguments, **named)["decision"]

    def check_many(self, addresses, stream="marketing", topic="news"):
        """POST check: the results, in order."""
        results = []
        for start in range(0, len(addresses), 10_000):
            part = addresses[start:start + 10_000]
            body = self.ok(
                "POST", "/v1/check", {"stream": stream, "topic": topic, "addresses": part})
            assert len(body["results"]) == len(part)
            results += body["results"]
        return results

    def suppress(self, address, stream="marketing", topic="news", reason=None, request_id=None):
        """POST suppressions: id and durability."""
        body = {"address": address, "stream": stream, "topic": topic}
        if reason:
            body["reason"] = reason
        headers = {"Idempotency-Key": request_id} if request_id else None
        return self.ok("POST", "/v1/suppressions", body, headers=headers)

    def marks(self, address):
        """GET suppressions: every mark of a person."""
        query = urllib.parse.urlencode({"address": address})
        return self.ok("GET", "/v1/suppressions?" + query)["marks"]

    def ids(self, address, topic="news", reason="unsubscribe"):
        """The opaque ids that `show` hands out for one mark."""
        return [
            id for mark in self.marks(address)
            if mark["topic"] == topic and mark["reason"] == reason for id in mark["ids"]]

    def consent(
            self, address, observed, stream="marketing", topic="news", reason="unsubscribe",
            method="double opt-in"):
        """POST consents; the raw answer, because refusals matter."""
        body = {
            "address": address, "stream": stream, "topic": topic, "reason": reason,
            "evidence": {"method": method}}
        if observed is not None:
            body["observed"] = observed
        return self.send("POST", "/v1/consents", body)

    def links(self, addresses, stream="marketing", topic="news"):
        """POST links, same order."""
        links = []
        for start in range(0, len(addresses), 10_000):
            part = addresses[start:start + 10_000]
            body = self.ok("POST", "/v1/links", {
                "stream": stream, "topic": topic, "addresses": part})
            assert len(body["links"]) == len(part)
            links += body["links"]
        SEEN_TOKENS.extend(link["token"] for link in links)
        return links

    def token(self, address, **named):
        """The token of one link."""
        return self.links([address], **named)[0]["token"]


def visit(node, method, token, body=None, media_type=None):
    """A request to /u/, as a mailbox provider or a browser sends it, without any key."""
    headers = {"Content-Type": media_type} if media_type else {}
    answer = call(node.http, method, f"/u/{token}", body, headers)
    never_moves(answer)
    return answer


def never_moves(answer):
    """No answer of /u/ redirects or sets a cookie."""
    assert not 300 <= answer.status < 400, answer
    assert answer.header("set-cookie") is None and answer.header("location") is None, answer


def one_click(node, token):
    """Gmail's documented request: urlencoded, 26 bytes."""
    return visit(node, "POST", token, ONE_CLICK, FORM)


class Form:
    """One HTML form: where it goes and what it carries."""

    def __init__(self, action, method):
        self.action, self.method, self.fields = action, method, {}


class Page(html.parser.HTMLParser):
    """The forms, tags and language of a page."""

    def __init__(self, text):
        super().__init__()
        self.forms, self.tags, self.language, self.attributes = [], [], None, []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        """Collects what tests ask for."""
        values = dict(attrs)
        self.tags.append(tag)
        self.attributes += values
        if tag == "html":
            self.language = values.get("lang")
        if tag == "form":
            method = (values.get("method") or "get").lower()
            self.forms.append(Form(values.get("action"), method))
        if tag in ("input", "button") and self.forms and values.get("name"):
            self.forms[-1].fields[values["name"]] = values.get("value") or ""

    def form(self, word=None):
        """The first form, which is the narrow one; or the one form that holds a word."""
        if word is None:
            assert self.forms, "no form in the page"
            return self.forms[0]
        def holds(form):
            return any(word in part for part in [form.action or "", *form.fields])
        found = [form for form in self.forms if holds(form)]
        assert len(found) == 1, f"{len(found)} forms ({word}) in the page"
        return found[0]


def submit(node, form, page_path):
    """Sends a form as a browser would."""
    assert form.method == "post", form.method
    target = urllib.parse.urljoin(f"http://{node.http}{page_path}", form.action or "")
    parts = urllib.parse.urlsplit(target)
    assert parts.netloc == node.http, f"the form leaves this host: {target}"
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    answer = call(
        node.http, "POST", path, urllib.parse.urlencode(form.fields), {"Content-Type": FORM})
    never_moves(answer)
    return answer
