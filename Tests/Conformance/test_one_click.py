"""DESIGN 10.2, /u/: the request that must never be lost, as mailbox providers and people send it.

Gmail's documented sample is urlencoded with Content-Length 26; RFC 8058 recommends multipart. Both
go through curl here, because curl is what an operator will type first.
"""

import http.client
import subprocess

import pytest

from api import FORM, ONE_CLICK, Api, Page, never_moves, one_click, submit, visit
from cluster import address, eventually, exchange, split

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def curl(*arguments):
    """Runs curl; returns status, lower-case head and body."""
    done = subprocess.run(
        ["curl", "-sS", "-i", "--max-time", "20", *arguments], capture_output=True, check=True)
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    while head.startswith(b"HTTP/1.1 100"):
        head, _, body = body.partition(b"\r\n\r\n")
    return int(head.split()[1]), head.decode().lower(), body.decode()


def acknowledged(status, head):
    """A state change was answered: 200 text/plain with its durability, no cookie, no redirect."""
    assert status == 200 and "\r\ncontent-type: text/plain" in head, head
    assert "\r\nquell-durability: quorum" in head, head
    assert "\r\nset-cookie:" not in head and "\r\nlocation:" not in head, head


def test_gmail_urlencoded(api, node):
    """RFC 8058, urlencoded pair `List-Unsubscribe=One-Click` -> 200 text/plain."""
    reader = address()
    url = api.links([reader])[0]["url"]
    assert len(ONE_CLICK) == 26
    assert api.decision(reader) == "allow"
    status, head, _ = curl(
        "-X", "POST", "-H", f"Content-Type: {FORM}", "-H", "Content-Length: 26",
        "--data-raw", ONE_CLICK, url)
    acknowledged(status, head)
    assert api.check(reader)["reason"] == "unsubscribe"
    assert api.decision(reader) == "deny"


def test_multipart_by_curl(api):
    """RFC 8058, multipart pair `List-Unsubscribe=One-Click` -> 200 text/plain."""
    reader = address()
    status, head, _ = curl("-F", ONE_CLICK, api.links([reader])[0]["url"])
    acknowledged(status, head)
    assert api.decision(reader) == "deny"


@pytest.mark.parametrize("extra", [
    ["-H", "Transfer-Encoding: chunked", "--data-raw", ONE_CLICK],
    ["-H", f"Content-Type: {FORM}; charset=UTF-8", "--data-raw", ONE_CLICK],
    ["-H", "Expect: 100-continue", "--data-raw", ONE_CLICK],
    ["--http1.0", "--data-raw", ONE_CLICK],
    ["-A", "", "-H", "Accept:", "--data-raw", ONE_CLICK],
], ids=["chunked", "charset", "expect", "http1.0", "bare"])
def test_one_click_variants(api, extra):
    """RFC 8058, urlencoded ... -> 200 text/plain, however a client frames it."""
    reader = address()
    status, head, _ = curl(*extra, api.links([reader])[0]["url"])
    acknowledged(status, head)
    assert api.decision(reader) == "deny"


def test_repeated_one_click(api, node):
    """The same one-click twice is twice 200: a mailbox provider retries."""
    reader = address()
    token = api.token(reader)
    for _ in range(2):
        answer = one_click(node, token)
        assert answer.status == 200 and answer.media_type == "text/plain", answer
        assert answer.header("quell-durability") == "quorum"
    assert api.decision(reader) == "deny"


def test_scope_of_a_token(api, node):
    """A link made for one topic stops that topic; one made for `*` stops the stream."""
    reader, other = address(), address()
    one_click(node, api.token(reader))
    assert api.decision(reader, topic="news") == "deny"
    assert api.decision(reader, topic="offers") == "allow"
    one_click(node, api.token(other, topic="*"))
    assert api.decision(other, topic="news") == "deny"
    assert api.decision(other, topic="offers") == "deny"
    assert api.decision(other, "transactional", "receipts") == "allow"


def test_get_head_options(api, node):
    """`GET /u/{token}` 200 confirmation page, no state change; HEAD 200; OPTIONS 204."""
    reader = address()
    token = api.token(reader)
    page = visit(node, "GET", token)
    assert page.status == 200 and page.media_type == "text/html", page
    head = visit(node, "HEAD", token)
    assert head.status == 200 and head.body == b"" and head.media_type == "text/html", head
    options = visit(node, "OPTIONS", token)
    assert options.status == 204 and options.body == b"", options
    for answer in (page, head, options):
        assert answer.header("quell-durability") is None, answer
    assert api.decision(reader) == "allow"


def test_page_is_accessible(api, node):
    """`GET /u/{token}` 200 confirmation page: a language, a title, a button, and no script."""
    parsed = Page(visit(node, "GET", api.token(address())).text)
    assert parsed.language and "title" in parsed.tags and "script" not in parsed.tags
    assert not [name for name in parsed.attributes if name.startswith("on")]
    assert parsed.form().method == "post"


def test_storm_of_reads_changes_nothing(fresh):
    """10,000 GET, HEAD and OPTIONS: no state change (link scanners, previews, preflights)."""
    node = fresh().node
    api, reader = Api(node), address()
    token = api.token(reader)
    connection = http.client.HTTPConnection(*split(node.http), timeout=30)
    wanted = {"GET": 200, "HEAD": 200, "OPTIONS": 204}
    for number in range(10_000):
        method = ("GET", "HEAD", "OPTIONS")[number % 3]
        answer = exchange(connection, method, f"/u/{token}")
        never_moves(answer)
        assert answer.status == wanted[method], (number, answer)
    connection.close()
    assert api.decision(reader) == "allow"
    assert api.marks(reader) == []
    assert node.status()["marks"]["count"] == 0
    one_click(node, token)
    eventually(lambda: node.status()["marks"]["count"] == 1, "the count would have moved")


def test_confirm_from_the_page(api, node):
    """`confirm=1` from the page -> 200 HTML."""
    reader = address()
    token = api.token(reader)
    form = Page(visit(node, "GET", token).text).form()
    assert form.fields.get("confirm") == "1", form.fields
    result = submit(node, form, f"/u/{token}")
    assert result.status == 200 and result.media_type == "text/html", result
    assert result.header("quell-durability") == "quorum"
    assert api.decision(reader) == "deny"


@pytest.mark.parametrize("body, media_type", [
    ("", None), ("", FORM), ("confirm=0", FORM), ("list-unsubscribe=no", FORM),
    ("List-Unsubscribe=One-Clic", FORM), ('{"List-Unsubscribe":"One-Click"}', "application/json"),
    ("x" * 5_000, "text/plain"), ("--b\r\nbroken", "multipart/form-data; boundary=b"),
    ("broken", "multipart/form-data"), ("%%%=%", FORM), (b"\xff\x00\xfe", "image/png"),
], ids=range(11))
def test_any_other_post(api, node, body, media_type):
    """anything else -> page, no change. Never 3xx, Set-Cookie, or 4xx for a valid token."""
    reader = address()
    answer = visit(node, "POST", api.token(reader), body, media_type)
    assert answer.status == 200 and answer.media_type == "text/html", answer
    assert answer.header("quell-durability") is None
    assert api.decision(reader) == "allow"


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_change_nothing(api, node, method):
    """Only POST changes state; no other method moves, sets a cookie or suppresses."""
    reader = address()
    visit(node, method, api.token(reader), ONE_CLICK, FORM)
    assert api.decision(reader) == "allow"


def test_every_changed_character(api, node):
    """Bad token 404 HTML: a token with any one character changed opens nothing."""
    reader = address()
    token = api.token(reader)
    for index, letter in enumerate(token):
        place = ALPHABET.index(letter)
        for other in {ALPHABET[(place + 1) % 64], ALPHABET[place ^ 1], ALPHABET[place ^ 32]}:
            bad = token[:index] + other + token[index + 1:]
            answer = one_click(node, bad)
            assert answer.status == 404 and answer.media_type == "text/html", (index, other, answer)
    assert api.decision(reader) == "allow"
    assert visit(node, "GET", token[:-1] + ("A" if token[-1] != "A" else "B")).status == 404
    assert one_click(node, token).status == 200, "the true token still works after bad ones"


@pytest.mark.parametrize("spoil", [
    lambda token: token + "=", lambda token: token + "==", lambda token: token + "A",
    lambda token: token[:-1], lambda token: "", lambda token: "A", lambda token: token * 2,
    lambda token: token + "/", lambda token: token + "%20", lambda token: token + "%00",
    lambda token: token.swapcase(), lambda token: "x" * 4_000,
], ids=range(12))
def test_bad_tokens(api, node, spoil):
    """Bad token (non-canonical base64url included) 404 HTML."""
    reader = address()
    token = spoil(api.token(reader))
    for method in ("GET", "POST"):
        answer = visit(
            node, method, token, ONE_CLICK if method == "POST" else None,
            FORM if method == "POST" else None)
        assert answer.status == 404 and answer.media_type == "text/html", (token, answer)
    assert api.decision(reader) == "allow"


def test_unused_bits_of_the_last_character(api, node):
    """non-canonical base64url included: bits that no byte needs must be zero."""
    links = [api.token(address(), topic=topic) for topic in ("news", "offers", "*")]
    tried = 0
    for token in links:
        spare = {0: 0, 2: 4, 3: 2}[len(token) % 4]
        place = ALPHABET.index(token[-1])
        for bits in range(1, 1 << spare):
            assert one_click(node, token[:-1] + ALPHABET[place | bits]).status == 404
            tried += 1
    if tried == 0:
        assert all(len(token) % 4 == 0 for token in links)


def test_link_again_after_consent(api, node):
    """A link token never grants consent, and after a consent the same link stops mail again."""
    reader = address()
    token = api.token(reader)
    one_click(node, token)
    assert api.consent(reader, api.ids(reader)).status == 200
    assert api.decision(reader) == "allow"
    assert visit(node, "GET", token).status == 200
    assert api.decision(reader) == "allow"
    one_click(node, token)
    assert api.decision(reader) == "deny"


def test_undo_on_the_result_page(api, node):
    """the result page carries a sealed undo token naming exactly the dots of that response."""
    reader = address()
    token = api.token(reader)
    form = Page(visit(node, "GET", token).text).form()
    undo = Page(submit(node, form, f"/u/{token}").text).form("undo")
    assert api.decision(reader) == "deny"
    answer = submit(node, undo, f"/u/{token}")
    assert answer.status == 200 and answer.media_type == "text/html", answer
    eventually(lambda: api.decision(reader) == "allow", "the undo is seen", 5)

    one_click(node, token)
    assert api.decision(reader) == "deny"
    submit(node, undo, f"/u/{token}")
    assert api.decision(reader) == "deny", "an old undo lifts only what it names"


def test_undo_cannot_be_forged(api, node):
    """a sealed undo token: changed, or used with another person's link, it lifts nothing."""
    reader, other = address(), address()
    undos = {}
    for person in (reader, other):
        token = api.token(person)
        form = Page(visit(node, "GET", token).text).form()
        undos[person] = (token, Page(submit(node, form, f"/u/{token}").text).form("undo"))
    token, undo = undos[other]
    name, value = max(undo.fields.items(), key=lambda field: len(field[1]))
    middle = len(value) // 2
    undo.fields[name] = value[:middle] + ("A" if value[middle] != "A" else "B") + value[middle + 1:]
    submit(node, undo, f"/u/{token}")
    assert api.decision(other) == "deny"
    undo.fields[name] = undos[reader][1].fields.get(name, value)
    submit(node, undo, f"/u/{token}")
    assert api.decision(other) == "deny", "another person's undo lifts nothing of mine"
