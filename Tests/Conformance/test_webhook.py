"""Functions/webhook, deployed: who may make it suppress anybody, and what it makes of events.

DESIGN 9: effects on another recipient are a bad response. A function at /f/NAME/ has no link, so it
names people by address, and is asked only with an API key that may suppress them.
"""

import base64
import json

import pytest

from api import Api, problem
from cluster import Cluster, address, call, eventually, quell
from fn import deploy, edit, fn, shipped


@pytest.fixture(scope="module")
def hooked(tmp_path_factory):
    """One node on which the shipped webhook is active."""
    folder = tmp_path_factory.mktemp("webhook")
    with Cluster(folder / "dev", "--loops", "1") as cluster:
        deploy(cluster, shipped("webhook", folder))
        yield cluster


def post(cluster, events, path="/f/webhook/marketing/news", key=None, body=None):
    """Reports events, with the cluster's own key unless told otherwise."""
    headers = {"Content-Type": "application/json"}
    if key is None or key:
        headers["Authorization"] = f"Bearer {key or cluster.api_key}"
    data = json.dumps(events) if body is None else body
    return call(cluster.node.http, "POST", path, data, headers)


def marks(cluster, reader):
    """Stream, topic, reason and source of what is suppressed."""
    return {(mark["stream"], mark["topic"], mark["reason"], mark["source"])
            for mark in Api(cluster.node).marks(reader) if mark["suppressed"]}


def test_events_become_suppressions(hooked):
    """The answer leaves after every effect that it staged is acknowledged."""
    people = [address() for _ in range(5)]
    answer = post(hooked, [
        {"event": "bounce", "type": "bounce", "email": people[0], "status": "5.1.1"},
        {"event": "bounce", "type": "blocked", "email": people[1]},
        {"event": "spamreport", "email": people[2].upper()},
        {"event": "unsubscribe", "email": people[3]},
        {"event": "delivered", "email": people[4]}])
    assert (answer.status, answer.text) == (200, "4 staged.\n"), answer
    assert answer.header("quell-durability") == "quorum"
    assert [marks(hooked, person) for person in people] == [
        {("*", "*", "hard_bounce", "function")}, {("*", "*", "soft_bounce", "function")},
        {("*", "*", "complaint", "function")}, {("marketing", "news", "unsubscribe", "function")},
        set()]
    assert Api(hooked.node).decision(people[0], "transactional", "receipts") == "deny"


def test_one_event_and_none(hooked):
    """One object is a list of one; no event that is a wish stages nothing and is answered."""
    reader = address()
    assert post(hooked, {"event": "complaint", "email": reader}, "/f/webhook").status == 200
    assert marks(hooked, reader) == {("*", "*", "complaint", "function")}
    for events in ([], [{"event": "open", "email": reader}], [{}]):
        answer = post(hooked, events)
        assert (answer.status, answer.text) == (200, "0 staged.\n"), answer
        assert answer.header("quell-durability") is None


def test_nobody_without_a_key(hooked):
    """401 key, 403 scope: the path alone lets nobody opt out anybody; nor does Basic."""
    reader = address()
    events = [{"event": "bounce", "email": reader}]
    problem(post(hooked, events, key=False), 401)
    problem(post(hooked, events, key="A" * 43), 401)
    basic = base64.b64encode(f"x:{hooked.api_key}".encode()).decode()
    problem(call(hooked.node.http, "POST", "/f/webhook", json.dumps(events),
                 {"Authorization": f"Basic {basic}"}), 401)
    done = quell("key", "add", "reader", "--scopes", "check", "--json",
                 "--cluster", str(hooked.file))
    assert done.returncode == 0, done.stderr
    key = json.loads(done.stdout)["key"]
    eventually(lambda: post(hooked, events, key=key).status == 403, "the key is known", 5)
    assert marks(hooked, reader) == set()


@pytest.mark.parametrize("body", [
    "", "[", "[{]", "{}x", '[{"event":"unsubscribe","email":"PERSON"},{"event":"uns',
    '[{"event":"unsubscribe","email":"PERSON"}] []', '{"email":"PERSON","event":unsubscribe',
    "event=unsubscribe&email=PERSON"])
def test_half_a_body_stages_nothing(hooked, body):
    """A body that is no whole list of events: 400, nothing staged."""
    reader = address()
    answer = post(hooked, None, body=body.replace("PERSON", reader))
    assert answer.status == 400 and answer.header("quell-durability") is None, answer
    assert marks(hooked, reader) == set()


def test_what_is_no_address_is_left_out(hooked):
    """A service that reports no address would send it again for ever: the others count."""
    reader = address()
    answer = post(hooked, [{"event": "bounce", "email": text}
                           for text in ("nobody", "", "a@@b", "x" * 300 + "@example.org", reader)])
    assert answer.status == 200 and answer.header("quell-durability") == "quorum", answer
    assert marks(hooked, reader) == {("*", "*", "hard_bounce", "function")}


def test_128_people_and_no_more(hooked):
    """One request suppresses up to 128 people; more is a bad response, and nobody is suppressed."""
    people = [address() for _ in range(129)]
    few = [{"event": "bounce", "email": person} for person in people[:128]]
    assert post(hooked, few).text == "128 staged.\n"
    assert all(marks(hooked, person) for person in people[:128])
    more = [{"event": "spamreport", "email": person} for person in people]
    problem(post(hooked, more), 503)
    assert marks(hooked, people[128]) == set()
    problem(post(hooked, None, body="[" + " " * 17_000 + "]"), 413)


def test_unknown_names(hooked):
    """404 unknown stream or topic, before anything is written."""
    reader = address()
    events = [{"event": "unsubscribe", "email": reader}]
    problem(post(hooked, events, "/f/webhook/nowhere"), 404)
    problem(post(hooked, events, "/f/webhook/marketing/nothing"), 404)
    assert marks(hooked, reader) == set()


def test_staging_is_declared_with_post_alone(tmp_path):
    """Effects on GET are a bad response: a manifest that could have them is refused, by line."""
    folder = shipped("webhook", tmp_path)
    edit(folder, "function.yaml", "methods: [POST]", "methods: [GET, POST]")
    assert "function.yaml" in fn(None, "test", str(folder), code=78)
    edit(folder, "function.yaml", "methods: [GET, POST]", "methods: [POST]")
    edit(folder, "function.yaml", "staged_effects: 128", "staged_effects: 129")
    assert "staged_effects" in fn(None, "test", str(folder), code=78)


def test_what_no_manifest_declares_is_a_bad_response(hooked, tmp_path):
    """Without `staged_effects` nothing is staged, whoever asks: the answer is a bad one."""
    folder = shipped("webhook", tmp_path)
    edit(folder, "function.yaml", "name: webhook", "name: sneaky")
    edit(folder, "function.yaml", "/f/webhook/*", "/f/sneaky/*")
    edit(folder, "function.yaml", "staged_effects: 128", "staged_effects: 0")
    edit(folder, "function.yaml", "capabilities:\n  stage: [suppress]\n", "")
    for name in ("events", "one", "cut"):
        edit(folder, f"fixtures/{name}.http", "/f/webhook", "/f/sneaky")
    assert "bad_response" in fn(None, "test", str(folder), code=1)
