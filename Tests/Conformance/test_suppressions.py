"""DESIGN 10.2 and 4: suppress always mints, a consent lifts exactly what it names.

The stories here are the promise (S1) as one node can break it: a consent that waited in someone's
queue must never cover a later opt-out.
"""

import datetime
import shutil
import uuid

import pytest

from api import Api, one_click, problem
from cluster import address


def test_suppress(api):
    """`POST /v1/suppressions` -> 200 `{"id","durability"}`."""
    reader = address()
    body = api.suppress(reader)
    assert isinstance(body["id"], str) and body["id"]
    assert body["durability"] == "quorum"
    assert api.check(reader)["reason"] == "unsubscribe"


@pytest.mark.parametrize("reason", [
    "unsubscribe", "complaint", "hard_bounce", "soft_bounce", "manual", "import", "legal",
    "erasure", "pause"])
def test_every_reason(api, reason):
    """reason `unsubscribe`, `complaint`, ... `pause`: each blocks `marketing`."""
    reader = address()
    api.suppress(reader, reason=reason)
    assert api.check(reader)["reason"] == reason


def test_suppress_always_mints(api):
    """Suppress always mints a new dot, even when already suppressed."""
    reader = address()
    assert api.suppress(reader)["id"] != api.suppress(reader)["id"]


def test_show(api):
    """`GET /v1/suppressions?address=` -> marks with stream, topic, reason, suppressed, since..."""
    reader = address()
    assert api.marks(reader) == []
    api.suppress(reader)
    api.suppress(reader, topic="offers", reason="manual")
    api.suppress(reader, topic="*", reason="hard_bounce")
    marks = {(mark["topic"], mark["reason"]): mark for mark in api.marks(reader)}
    assert set(marks) == {("news", "unsubscribe"), ("offers", "manual"), ("*", "hard_bounce")}
    for mark in marks.values():
        assert set(mark) >= {"stream", "topic", "reason", "suppressed", "since", "ids", "source"}
        assert mark["stream"] == "marketing" and mark["suppressed"] is True
        assert mark["ids"] and all(isinstance(id, str) for id in mark["ids"])
        datetime.datetime.fromisoformat(mark["since"].replace("Z", "+00:00"))


def test_consent_flow(api, node):
    """Consent C := max(C, observed): opt-out, consent with the shown ids, allow again."""
    reader = address()
    one_click(node, api.token(reader))
    ids = api.ids(reader)
    assert ids
    answer = api.consent(reader, ids)
    assert answer.status == 200 and answer.json()["covered"] >= 1, answer
    assert api.decision(reader) == "allow"
    assert not any(mark["suppressed"] for mark in api.marks(reader))


def test_consent_without_observed(api):
    """without `observed` 409 with `{"ids":[...]}`, and nothing is lifted."""
    reader = address()
    api.suppress(reader)
    answer = api.consent(reader, None)
    assert answer.status == 409, answer
    assert answer.media_type in ("application/problem+json", "application/json"), answer
    assert api.decision(reader) == "deny"
    assert api.consent(reader, answer.json()["ids"]).status == 200
    assert api.decision(reader) == "allow"


def test_ids_before_a_later_opt_out(api, node):
    """a consent that waited in someone's queue never covers a later opt-out."""
    reader = address()
    token = api.token(reader)
    one_click(node, token)
    early = api.ids(reader)
    one_click(node, token)
    api.consent(reader, early)
    assert api.decision(reader) == "deny"
    later = api.ids(reader)
    assert later and later != early
    assert api.consent(reader, later).status == 200
    assert api.decision(reader) == "allow"


def test_the_same_consent_twice(api, node):
    """The same ids again lift nothing that came after them."""
    reader = address()
    token = api.token(reader)
    one_click(node, token)
    ids = api.ids(reader)
    assert api.consent(reader, ids).status == 200
    assert api.consent(reader, ids).status == 200
    one_click(node, token)
    assert api.consent(reader, ids).status == 200
    assert api.decision(reader) == "deny"


def refused(answer):
    """A consent that names what it may not: an error, never 2xx and never a crash."""
    problem(answer, answer.status)
    assert answer.status in (400, 403, 409, 422), answer


def test_ids_of_another_key(api):
    """an id of another key is refused: person, topic and reason are part of the key."""
    reader, other = address(), address()
    api.suppress(reader)
    api.suppress(reader, topic="offers")
    api.suppress(reader, reason="manual")
    api.suppress(other)
    refused(api.consent(reader, api.ids(other)))
    refused(api.consent(reader, api.ids(reader, topic="offers")))
    refused(api.consent(reader, api.ids(reader, reason="manual")))
    refused(api.consent(reader, api.ids(reader) + api.ids(other)))
    assert api.check(reader)["reason"] == "unsubscribe"
    assert api.decision(other) == "deny"


def test_forged_ids(api):
    """each id is opaque, sealed over (tenant, key, dot): a changed one is refused."""
    reader = address()
    api.suppress(reader)
    good = api.ids(reader)[0]
    middle = len(good) // 2
    changed = good[:middle] + ("A" if good[middle] != "A" else "B") + good[middle + 1:]
    for bad in (changed, good[:-1], good + "A", "", "1", "x" * 3_000):
        refused(api.consent(reader, [bad]))
    assert api.decision(reader) == "deny"


@pytest.mark.parametrize("observed", ["text", {"a": 1}, [1], [None], 7])
def test_malformed_observed(api, observed):
    """400 malformed."""
    reader = address()
    api.suppress(reader)
    refused(api.consent(reader, observed))
    assert api.decision(reader) == "deny"


def test_consent_needs_evidence(api):
    """`"evidence":{"method":text,...}` is part of every consent."""
    reader = address()
    api.suppress(reader)
    body = {"address": reader, "stream": "marketing", "topic": "news", "reason": "unsubscribe",
            "observed": api.ids(reader)}
    for evidence in ({}, {"evidence": {}}, {"evidence": {"method": ""}}, {"evidence": "told me"}):
        problem(api.send("POST", "/v1/consents", {**body, **evidence}), 400)
    assert api.decision(reader) == "deny"


def test_ids_from_a_future_that_was_lost(fresh):
    """an id above what this node holds of that origin is refused (a restored backup)."""
    made = fresh()
    node, api = made.node, Api(made.node)
    reader = address()
    api.suppress(reader)
    assert node.stop() in (0, None)
    backup = node.data.with_name("backup")
    shutil.copytree(node.data, backup)
    node.run()
    api.suppress(reader)
    future = api.ids(reader)
    assert node.stop() == 0
    shutil.rmtree(node.data)
    shutil.move(backup, node.data)
    node.run()
    refused(api.consent(reader, future))
    assert api.decision(reader) == "deny"


def test_same_request_id(api):
    """a node that knows the Idempotency-Key re-drives that dot."""
    reader, request = address(), uuid.uuid4().hex
    first = api.suppress(reader, request_id=request)
    assert api.suppress(reader, request_id=request)["id"] == first["id"]
    assert api.suppress(reader)["id"] != first["id"]


def test_request_id_of_a_covered_dot(api):
    """or mints a new one if the dot is covered: the retry still ends in deny."""
    reader, request = address(), uuid.uuid4().hex
    first = api.suppress(reader, request_id=request)
    assert api.consent(reader, api.ids(reader)).status == 200
    assert api.suppress(reader, request_id=request)["id"] != first["id"]
    assert api.decision(reader) == "deny"


@pytest.mark.parametrize("change", [
    {"address": "other@example.org"}, {"topic": "offers"}, {"reason": "manual"}])
def test_request_id_with_another_body(api, change):
    """Same key, other body: 422."""
    reader, request = address(), uuid.uuid4().hex
    body = {"address": reader, "stream": "marketing", "topic": "news", "reason": "unsubscribe"}
    headers = {"Idempotency-Key": request}
    assert api.send("POST", "/v1/suppressions", body, headers=headers).status == 200
    problem(api.send("POST", "/v1/suppressions", {**body, **change}, headers=headers), 422)


def test_request_id_belongs_to_one_key(api, cluster):
    """Request id = the `Idempotency-Key` header alone (per tenant and API key)."""
    request = uuid.uuid4().hex
    other = Api(api.node, cluster.add_key("suppress"))
    first = api.suppress(address(), request_id=request)
    assert other.suppress(address(), request_id=request)["id"] != first["id"]


def test_request_id_survives_a_restart(fresh):
    """It travels in the event and is kept 24 h: also over kill -9."""
    made = fresh()
    api, reader, request = Api(made.node), address(), uuid.uuid4().hex
    first = api.suppress(reader, request_id=request)
    made.node.kill()
    made.node.run()
    assert api.suppress(reader, request_id=request)["id"] == first["id"]


def test_ids_survive_a_restart(fresh):
    """each id is opaque and sealed; one shown before a crash still names its dot."""
    made = fresh()
    api, reader = Api(made.node), address()
    api.suppress(reader)
    ids = api.ids(reader)
    made.node.kill()
    made.node.run()
    assert api.decision(reader) == "deny"
    assert api.consent(reader, ids).status == 200
    assert api.decision(reader) == "allow"


def test_evidence_without_the_address(api):
    """The address itself is never stored: evidence is kept as it comes, so it may not hold it."""
    reader = address()
    api.suppress(reader)
    ids = api.ids(reader)
    told = api.consent(reader, ids, method=f"asked {reader.upper()} by phone")
    assert "evidence" in problem(told, 400)["detail"]
    assert api.decision(reader) == "deny"
    assert api.consent(reader, ids, method="asked by phone, record 17").status == 200
