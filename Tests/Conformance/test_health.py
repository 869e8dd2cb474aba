"""DESIGN 10.2 and 10.5: what a balancer, a scraper and an operator read."""

import re

import pytest

from api import Api, one_click, problem
from cluster import address, call, eventually


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/readyz?for=unsubscribe"])
def test_health_needs_no_key(node, path):
    """`/livez`, `/readyz` need no key; the first two also answer on the public port."""
    for door in (node.admin, node.http):
        assert call(door, "GET", path).status == 200
        assert call(door, "HEAD", path).status == 200


def test_metrics(node, api):
    """`/metrics` (Prometheus text) needs no key; it is not on the public port."""
    one_click(node, api.token(address()))
    api.check(address())
    answer = call(node.admin, "GET", "/metrics")
    assert answer.status == 200 and answer.media_type == "text/plain", answer
    line = re.compile(
        r"(# (HELP|TYPE) [a-z_:][a-z0-9_:]* .+"
        r"|[a-z_:][a-z0-9_:]*(\{.*\})? [-+0-9.eEInfNa]+( \d+)?)")
    for text in answer.text.splitlines():
        assert not text or line.fullmatch(text), text
    samples = dict(
        part.rsplit(" ", 1) for part in answer.text.splitlines() if part and part[0] != "#")
    acknowledged = [
        float(value) for name, value in samples.items()
        if name.startswith("quell_write_acknowledge_seconds_count")]
    assert sum(acknowledged) >= 1, sorted(samples)
    assert all(name.startswith(("quell_", "process_")) for name in samples), sorted(samples)
    assert "@" not in answer.text
    assert call(node.http, "GET", "/metrics").status in (401, 404)


def test_admin_key(node, api):
    """Admin listener (admin key): `/v1/status`; an API key is not enough."""
    problem(call(node.admin, "GET", "/v1/status"), 401)
    for key in ("wrong", api.key):
        answer = call(
            node.admin, "GET", "/v1/status", headers={"Authorization": f"Bearer {key}"})
        assert answer.status in (401, 403), answer
    admin = {"Authorization": f"Bearer {node.cluster.admin_key}"}
    assert call(node.http, "GET", "/v1/status", headers=admin).status in (401, 404)


def test_status_shape(node):
    """`GET /v1/status`: name, node_id, epoch, zone, role, ready, lease, marks, functions."""
    status = node.status()
    wanted = {"name", "node_id", "epoch", "zone", "region", "role", "holds", "ready", "lease",
              "marks", "peers", "functions"}
    assert set(status) >= wanted, wanted - set(status)
    assert status["name"] == node.name == "n1" and status["zone"] == "z1"
    assert status["role"] == "voter" and status["holds"] == "all" and status["ready"] is True
    assert status["lease"]["valid"] is True and status["lease"]["staleness_ms"] >= 0
    assert status["peers"] == []
    functions = {function["name"]: function for function in status["functions"]}
    for name in ("unsubscribe", "check"):
        assert functions[name]["source"] == "built-in"
        assert set(functions[name]) >= {"name", "digest", "generation", "source"}


def test_count_follows_the_marks(fresh):
    """`marks`: the count, which counts keys and not writes, also after kill -9 and a clean stop."""
    node = fresh().node
    api, readers = Api(node), [address() for _ in range(3)]

    def counted(wanted):
        eventually(lambda: node.status()["marks"]["count"] == wanted, f"{wanted} marks", 10)
    assert node.status()["marks"]["count"] == 0
    for reader in readers:
        api.suppress(reader)
        api.suppress(reader)
    counted(3)
    node.kill()
    node.run()
    counted(3)
    assert node.stop() == 0
    node.run()
    counted(3)


def test_digest_follows_the_marks(fresh):
    """`digest` is cell 0 of the global sketch: equal sets give equal digests, whatever happened."""
    node = fresh().node
    empty = node.status()["marks"]["digest"]
    if empty is None:
        pytest.skip("`digest` is null: sketches are not in this version yet")
    api = Api(node)
    api.suppress(address())
    one = eventually(
        lambda: (node.status()["marks"]["digest"] != empty and node.status()["marks"]["digest"]),
        "another digest", 10)
    node.kill()
    node.run()
    assert node.status()["marks"]["digest"] == one
    assert node.stop() == 0
    node.run()
    assert node.status()["marks"]["digest"] == one
