"""What a link offers beyond its one click: GET and POST /u/TOKEN?preferences.

DESIGN 9: the host stages what was chosen before the page's function runs; 10.2: a GET changes
nothing, the answer to a change carries its durability, and no answer redirects or sets a cookie.
"""

import json
import time
from datetime import datetime

import pytest

from api import FORM, ONE_CLICK, Api, Page, visit
from cluster import ROOT, Cluster, address, call, eventually
from fn import deploy, edit, fn, shipped
from test_functions import running_modules

LANGUAGES = ["en", "de", "fr", "es", "it", "pt", "nl", "pl", "ar", "ja"]


def preferences(node, token, body=None, method=None, language="en"):
    """The page of choices, or what a form of it is answered with."""
    headers = {"Accept-Language": language}
    if body is not None:
        headers["Content-Type"] = FORM
    answer = call(
        node.http, method or ("GET" if body is None else "POST"), f"/u/{token}?preferences",
        body, headers)
    assert answer.status == 200, answer
    assert answer.header("location") is None and answer.header("set-cookie") is None, answer
    return answer


def box(page, name):
    """The value of the box with this label."""
    before = page.text.partition(f"<bdi>{name}</bdi></label>")[0]
    return before.rpartition('value="')[2][:8]


def undo_of(page):
    """The sealed token of a result page."""
    return page.text.partition('name="undo" value="')[2].partition('"')[0]


def marks(api, reader):
    """Stream, topic and reason of what is suppressed."""
    return {(mark["stream"], mark["topic"], mark["reason"])
            for mark in api.marks(reader) if mark["suppressed"]}


def test_the_page_links_to_the_choices(api, node):
    """GET /u/{token} offers the choices; looking at them, ten thousand times, changes nothing."""
    reader = address()
    token = api.token(reader)
    assert 'href="?preferences"' in visit(node, "GET", token).text
    for method in ("GET", "HEAD") * 50:
        assert preferences(node, token, method=method).header("quell-durability") is None
    assert api.marks(reader) == []
    page = preferences(node, token)
    parsed = Page(page.text)
    assert len(parsed.forms) == 3 and all(form.method == "post" for form in parsed.forms)
    assert "script" not in parsed.tags and token not in page.text
    assert page.header("cache-control") == "no-store"
    assert "default-src 'none'" in page.header("content-security-policy")


def test_topics(api, node):
    """Ticked topics stop and no other; undo takes back exactly these."""
    reader = address()
    token = api.token(reader)
    page = preferences(node, token)
    body = f"choice=topics&topic={box(page, 'offers')}&topic={box(page, 'news')}"
    answer = preferences(node, token, body)
    assert answer.header("quell-durability") == "quorum", answer
    both = {("marketing", "news", "unsubscribe"), ("marketing", "offers", "unsubscribe")}
    assert marks(api, reader) == both
    assert answer.text.count("<li") == 2
    undone = preferences(node, token, "undo=" + undo_of(answer))
    assert undone.header("quell-durability") == "quorum", undone
    assert marks(api, reader) == set()

    answer = preferences(node, token, f"choice=topics&topic={box(page, 'offers')}")
    assert marks(api, reader) == {("marketing", "offers", "unsubscribe")}
    assert api.decision(reader, topic="news") == "allow"
    preferences(node, token, "choice=all")
    preferences(node, token, "undo=" + undo_of(answer))
    assert marks(api, reader) == {("*", "*", "unsubscribe")}, "an undo lifts what it names"


def test_pause(api, node):
    """A pause denies the stream for 30 days, then ends by itself; undo ends it now."""
    reader = address()
    token = api.token(reader)
    answer = preferences(node, token, "choice=pause")
    assert answer.header("quell-durability") == "quorum", answer
    assert marks(api, reader) == {("marketing", "*", "pause")}
    for topic in ("news", "offers"):
        result = api.check(reader, topic=topic)
        assert (result["decision"], result["reason"]) == ("deny", "pause")
    assert api.decision(reader, "transactional", "receipts") == "allow"
    preferences(node, token, "undo=" + undo_of(answer))
    assert api.decision(reader) == "allow"


def test_all_mail(api, node):
    """All mail of the sender: the tenant-wide opt-out."""
    reader = address()
    token = api.token(reader)
    preferences(node, token, "choice=all")
    assert marks(api, reader) == {("*", "*", "unsubscribe")}


def test_a_link_for_all_mail(api, node):
    """A link without a stream offers no topics; its pause is the sender's, and so are the words."""
    reader = address()
    token = api.token(reader, stream="*", topic="*")
    shown = visit(node, "GET", token).text
    assert len(Page(shown).forms) == 1 and ">*<" not in shown
    page = preferences(node, token)
    assert "checkbox" not in page.text and len(Page(page.text).forms) == 2
    preferences(node, token, "choice=pause")
    assert marks(api, reader) == {("*", "*", "pause")}


@pytest.mark.parametrize("body", [
    "", "choice=topics", "choice=", "choice=topics&topic=zzzzzzzz", "choice=topics&topic=00000001",
    "topic=00000001", "choice=none", "confirm=0"])
def test_what_is_no_choice_changes_nothing(api, node, body):
    """A form that chooses nothing gets the page again; no topic of another stream can be named."""
    reader = address()
    token = api.token(reader)
    answer = preferences(node, token, body)
    assert answer.header("quell-durability") is None and "<form" in answer.text
    assert api.marks(reader) == []


@pytest.mark.parametrize("query", ["", "?preferences=1", "?x&preferences", "?Preferences"])
def test_choices_elsewhere_change_nothing(api, node, query):
    """POST /u/{token}, anything else -> page, no change: a choice counts on its own page alone."""
    reader = address()
    token = api.token(reader)
    answer = call(node.http, "POST", f"/u/{token}{query}", "choice=all", {"Content-Type": FORM})
    assert answer.status == 200 and answer.header("quell-durability") is None, answer
    assert api.marks(reader) == []


def test_one_click_wins(api, node):
    """The one-click pair and `confirm=1` mean the same with the query as without."""
    reader, other = address(), address()
    answer = preferences(node, api.token(reader), f"{ONE_CLICK}&choice=all")
    assert answer.media_type == "text/plain" and answer.text == "You are unsubscribed.\n"
    assert marks(api, reader) == {("marketing", "news", "unsubscribe")}
    preferences(node, api.token(other), "confirm=1&choice=all")
    assert marks(api, other) == {("marketing", "news", "unsubscribe")}


def test_languages(api, node):
    """Ten languages by Accept-Language, each whole; Arabic from right to left."""
    token = api.token(address())
    titles = set()
    for language in LANGUAGES:
        page = preferences(node, token, language=f"{language}-XX, xx;q=0.9, en;q=0.1").text
        assert f'<html lang="{language}"' in page
        assert (' dir="rtl"' in page) == (language == "ar")
        titles.add(page.partition("<h1>")[2].partition("</h1>")[0])
    assert len(titles) == len(LANGUAGES)
    assert '<html lang="en"' in preferences(node, token, language="x" * 4_000).text


def test_bad_token(node):
    """A link that does not open is 404 HTML, whatever the query."""
    answer = call(node.http, "GET", "/u/" + "A" * 90 + "?preferences")
    assert answer.status == 404 and answer.media_type == "text/html", answer


def test_a_pause_ends(api, node):
    """A pause carries its end, 30 days from now; an unsubscription beside it has none."""
    reader = address()
    token = api.token(reader)
    before = int(time.time())
    preferences(node, token, "choice=pause")
    [mark] = api.marks(reader)
    end = datetime.fromisoformat(mark["until"].replace("Z", "+00:00")).timestamp()
    assert before + 30 * 86_400 <= end <= time.time() + 30 * 86_400, mark
    preferences(node, token, "choice=all")
    assert sorted("until" in mark for mark in api.marks(reader)) == [False, True]
    rows = [json.loads(line) for line in api.send("GET", "/v1/export").text.splitlines()]
    assert mark["until"] in [row.get("until") for row in rows if row["reason"] == "pause"]
    assert not any("until" in row for row in rows if row["reason"] == "unsubscribe")


@pytest.fixture(scope="module")
def as_wasm(tmp_path_factory):
    """A node of this file's own that runs the shipped modules."""
    with running_modules(tmp_path_factory.mktemp("preferences")) as made:
        yield made


def test_wasm_and_built_in_agree(as_wasm, api, node):
    """The module's pages are the built-in's, byte for byte, and its calls do not fail."""
    mine, theirs = as_wasm.api.token(address()), api.token(address())
    for language in LANGUAGES:
        for body in (None, "choice=topics", "undo=AAAA"):
            assert preferences(as_wasm.node, mine, body, language=language).body == preferences(
                node, theirs, body, language=language).body
    reader = address()
    preferences(as_wasm.node, as_wasm.api.token(reader), "choice=pause")
    assert marks(as_wasm.api, reader) == {("marketing", "*", "pause")}
    told = as_wasm.function("preferences")
    assert told["calls"] > 30 and not any(told["failures"].values()), told


def test_a_broken_page_loses_no_choice(as_wasm):
    """Whatever the module does, what was chosen is staged and the built-in shows the page."""
    as_wasm.replace(preferences=(ROOT / ".build/functions/check.wasm").read_bytes())
    reader = address()
    answer = preferences(as_wasm.node, as_wasm.api.token(reader), "choice=all")
    assert answer.header("quell-durability") == "quorum" and "undo" in answer.text
    # Its own built-in, not another page that would do.
    assert "<h1>Your choice is saved</h1>" in answer.text
    assert marks(as_wasm.api, reader) == {("*", "*", "unsubscribe")}
    eventually(
        lambda: as_wasm.function("preferences").get("error"), "the failure is told", 5)


def test_a_deployed_page(tmp_path):
    """A copy of Functions/preferences, changed and deployed, is what people see; it can go back."""
    with Cluster(tmp_path / "dev", "--loops", "1") as cluster:
        api, node = Api(cluster.node), cluster.node
        folder = shipped("preferences", tmp_path)
        edit(folder, "Sources/WordsEnglish.swift", "Choose which mail", "Decide which mail")
        done = deploy(cluster, folder)
        assert [node["state"] for node in done["nodes"]] == ["active"], done
        token = api.token(address())
        assert "<h1>Decide which mail you get</h1>" in preferences(node, token).text
        fn(cluster, "rollback", "preferences")
        eventually(
            lambda: "<h1>Choose which mail you get</h1>" in preferences(node, token).text,
            "the page of before", 5)
