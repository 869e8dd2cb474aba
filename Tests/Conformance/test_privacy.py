"""DESIGN 2 and 11: the node keeps no address, in no spelling and under no hash without a key.

A node at its most talkative (log level debug) meets known people through every door, mistakes
included. Then, while it runs, the raw bytes of all that it keeps and says are searched for them: as
text, as base64 at any alignment, as hex, and as MD5, SHA-1 and SHA-256, which anybody with a list
of addresses could turn back. Every way of looking is tried first on a planted address.
"""

import base64
import hashlib
import json
import socket
import urllib.parse

import lmdb
import pytest
import redis

from api import FORM, ONE_CLICK, Api, one_click, visit
from cluster import address, call, eventually, quell, raw, replaced

SET = "marketing:news"
HASHES = ("md5", "sha1", "sha256")
HASH_BYTES = 16
"""What is looked for of a hash: its first bytes, so that a shortened one is found as well."""


def base64_cores(content):
    """The characters that must appear wherever base64 of something holds `content`.

    Base64 turns 3 bytes into 4 characters, so what stands before moves ours by 0, 1 or 2 bytes. The
    characters at the ends depend on the neighbours and are left out.
    """
    for before in range(3):
        first = -(-before * 8 // 6)
        last = (before + len(content)) * 8 // 6
        core = base64.b64encode(b"\0" * before + content + b"\0\0")[first:last]
        yield core
        yield core.replace(b"+", b"-").replace(b"/", b"_")


def hex_cores(content):
    """Hexadecimal, small and large."""
    return {content.hex().encode(), content.hex().upper().encode()}


def written(text):
    """How a line, a body, a key or a file might write a person's address."""
    local = text.partition("@")[0]
    spellings = {text, text.lower(), text.upper(), urllib.parse.quote(text, safe="")}
    # Ours have a local part that nobody else has; shorter ones could be found by chance.
    if len(local) >= 16:
        spellings |= {local, local.lower(), local.upper()}
    for spelling in spellings:
        content = spelling.encode()
        yield from (content, spelling.encode("utf-16-le"))
        yield from base64_cores(content)
        yield from hex_cores(content)


def hashed(text):
    """The hashes that anybody can compute: of the address as given and in either case."""
    for spelling in {text, text.lower(), text.upper()}:
        for name in HASHES:
            short = hashlib.new(name, spelling.encode()).digest()[:HASH_BYTES]
            yield short
            yield from hex_cores(short)
            yield from base64_cores(short)


def needles(people):
    """What must not be found, with the person that it gives away."""
    return {
        needle: person for person in people for ways in (written, hashed)
        for needle in ways(person)}


def found(content, wanted):
    """The people whom these bytes give away."""
    return {person for needle, person in wanted.items() if needle in content}


def kept(cluster):
    """All that the node writes, and all that it says about itself, by name."""
    everything = {
        str(path.relative_to(cluster.dir)): path.read_bytes()
        for path in cluster.dir.rglob("*") if path.is_file()}
    node = cluster.node
    authorised = {"Authorization": f"Bearer {cluster.admin_key}"}
    for path in ("/metrics", "/v1/status", "/v1/members", "/livez", "/readyz"):
        everything[path] = call(node.admin, "GET", path, headers=authorised).body
    return everything


# Signs that base64 writes as `+` and `/`, that a query quotes; and too short to be known by less.
PLANTED = "Maria?~?~?~@Example.org"
NAMED = "Maria.Planted.0123456789@Example.org"
LINE = b'x=17 peer="n1" address=%s since=2026\n'
GIVEN, LOWER, UPPER = PLANTED.encode(), PLANTED.lower().encode(), PLANTED.upper().encode()
WAYS = {
    "plain": LINE % GIVEN,
    "lower": LINE % LOWER,
    "upper": LINE % UPPER,
    "in a query": LINE % b"Maria%3F~%3F~%3F~%40Example.org",
    "utf-16": PLANTED.encode("utf-16"),
    **{f"base64, {skip} before": base64.b64encode(b"z" * skip + LINE % GIVEN)
       for skip in range(3)},
    **{f"base64url, {skip} before": base64.urlsafe_b64encode(b"\xff" * skip + LOWER + b"\xfe")
       for skip in range(3)},
    "hex": LINE % GIVEN.hex().encode(),
    "HEX": LINE % LOWER.hex().upper().encode(),
    **{f"{name} {how}": b"\x01\x02" + made + b"\x03"
       for name in ("md5", "sha1", "sha256") for how, made in {
           "raw": hashlib.new(name, GIVEN).digest(),
           "raw of lower": hashlib.new(name, LOWER).digest(),
           "raw, first 16": hashlib.new(name, LOWER).digest()[:16],
           "hex": hashlib.new(name, LOWER).hexdigest().encode(),
           "HEX of upper": hashlib.new(name, UPPER).hexdigest().upper().encode(),
           "hex, first 16": hashlib.new(name, GIVEN).hexdigest()[:32].encode(),
           "base64": base64.b64encode(hashlib.new(name, LOWER).digest()),
           "base64url": base64.urlsafe_b64encode(b"k" + hashlib.new(name, GIVEN).digest()),
       }.items()},
}


@pytest.mark.parametrize("way", WAYS)
def test_a_planted_address_is_found(way):
    """Each way of looking works, and accuses only the person who is there."""
    other = address()
    assert found(WAYS[way], needles([PLANTED, other])) == {PLANTED}, way
    assert not found(WAYS[way], needles([other])), way


def test_a_planted_local_part_is_found():
    """A local part that only one person has gives that person away."""
    for part in ("Maria.Planted.0123456789", "maria.planted.0123456789"):
        assert found(LINE % part.encode(), needles([NAMED, address()])) == {NAMED}


def test_a_planted_address_is_found_in_every_place(fresh):
    """A file of the data directory, LMDB's pages and the log: nothing kept is passed over."""
    cluster = fresh()
    wanted = needles([PLANTED])
    assert not any(found(content, wanted) for content in kept(cluster).values())
    (cluster.node.data / "extra").write_bytes(b"\0" * 5_000 + PLANTED.encode())
    with open(cluster.node.log, "ab") as log:
        log.write(LINE % PLANTED.encode())
    with lmdb.open(str(cluster.dir / "other.mdb"), subdir=False) as store:
        with store.begin(write=True) as write:
            write.put(b"k" * 9, hashlib.sha256(PLANTED.lower().encode()).digest()[:16] + b"v")
    places = {name for name, content in kept(cluster).items() if found(content, wanted)}
    assert places == {f"{cluster.node.data.name}/extra", cluster.node.log.name, "other.mdb"}


class Visitors:
    """Known people who come through every door; each method is one door."""

    def __init__(self, cluster):
        self.cluster, self.node, self.api = cluster, cluster.node, Api(cluster.node)
        self.people = []

    def person(self, prefix):
        """A fresh address in mixed case."""
        made = address(prefix).replace("example.org", "Example.ORG")
        made = made[0].upper() + made[1:]
        self.people.append(made)
        return made

    def through_http(self):
        """Suppress, check by all three forms, show, consent, links."""
        api = self.api
        reader, absent = self.person("suppressed"), self.person("absent")
        api.suppress(reader, reason="complaint", request_id="order-1")
        api.suppress(reader, topic="*")
        api.suppress(reader, stream="transactional", topic="receipts", reason="manual")
        assert api.decision(reader) == "deny" and api.decision(absent) == "allow"
        api.check_many([reader, absent, self.person("batch")])
        lines = "\n".join([reader, self.person("line")])
        api.ok("POST", "/v1/check?stream=marketing&topic=news", lines, media_type="text/plain")
        lifted = self.person("lifted")
        api.suppress(lifted)
        assert api.consent(lifted, None).status == 409
        assert api.consent(lifted, api.ids(lifted)).status == 200

    def through_links(self):
        """One click, the page, the form, and links that are broken or misused."""
        token = self.api.token(self.person("clicked"))
        visit(self.node, "GET", token)
        assert one_click(self.node, token).status == 200
        visit(self.node, "POST", self.api.token(self.person("confirmed")), "confirm=1", FORM)
        visit(self.node, "POST", token[:-2] + "AA", ONE_CLICK, FORM)
        visit(self.node, "POST", token, "address=" + self.person("in-form"), FORM)
        visit(self.node, "GET", self.person("as-token"))

    def through_resp(self):
        """SADD, both forms of checks, and commands that are refused with an address in them."""
        host, port = self.node.resp.split(":")
        client = redis.Redis(host, int(port), username="demo", password=self.cluster.api_key)
        added = self.person("added")
        assert client.sadd(SET, added, self.person("second")) == 2
        assert client.sismember(SET, added) == 1
        assert client.get(f"allow:{SET}:{self.person('asked')}") == b"1"
        for command in (
                ("SREM", SET, added), ("GET", self.person("key")), ("SET", self.person("set"), 1),
                ("SISMEMBER", "marketing:" + self.person("topic"), added),
                ("SADD", SET, self.person("rolled"), "nobody"),
                ("CLIENT", "SETNAME", self.person("name")), (self.person("verb"), "x")):
            try:
                client.execute_command(*command)
            except redis.ResponseError:
                pass
        client.close()
        with socket.create_connection((host, int(port)), timeout=10) as link:
            link.sendall(b"AUTH %s wrong\r\n" % self.person("user").encode())
            assert link.recv(100).startswith(b"-WRONGPASS")
            link.sendall(b"*1\r\n$9999999999\r\n" + self.person("framing").encode() + b"\r\n")
            link.recv(100)

    def through_mistakes(self):
        """Requests that fail, each with an address where a careless log line would print it."""
        api, node = self.api, self.node
        quoted = urllib.parse.quote(self.person("nowhere"))
        for path in (f"/v1/nothing?address={quoted}", f"/{quoted}", f"/v1/export/{quoted}"):
            api.send("GET", path)
        Api(node, key=self.person("as-key")).send("GET", "/v1/check")
        api.send("POST", "/v1/suppressions", '{"address": "%s", ' % self.person("json"))
        api.send("POST", "/v1/suppressions", {
            "address": self.person("unknown-topic"), "stream": "marketing", "topic": "nothing"})
        api.send("POST", "/v1/suppressions", {
            "address": self.person("reason"), "stream": "marketing", "topic": "news",
            "reason": "because"})
        for body in ("order", "other"):
            api.send("POST", "/v1/suppressions", {
                "address": self.person(body), "stream": "marketing", "topic": "news"},
                headers={"Idempotency-Key": "the-same"})
        malformed = self.person("malformed").replace("@", " at ")
        self.people.append(malformed)
        api.check(malformed)
        api.send("POST", "/v1/links", {
            "stream": "marketing", "topic": "news", "addresses": [malformed]})
        api.send("GET", "/v1/check?stream=marketing&topic=news&address=", headers={
            "Referer": "https://shop.example/" + self.person("referer"),
            "User-Agent": self.person("agent")})
        raw(node.http, b"GET /%s HTTP/1.1\r\nbad header %s\r\n\r\n" % (
            self.person("target").encode(), self.person("header").encode()))
        call(node.admin, "GET", "/v1/status?for=" + quoted, headers={
            "Authorization": "Bearer " + self.person("as-admin")})

    def through_commands(self):
        """The client's verbs: they reach the node by HTTP."""
        reader = self.person("verb")
        scope = ("--stream", "marketing", "--topic", "news")
        for verb in (("suppress", *scope), ("check", *scope), ("link", *scope), ("show",)):
            done = quell(*verb, reader, "--cluster", self.cluster.file)
            assert done.returncode in (0, 1), done

    def through_import(self):
        """A CSV and NDJSON with rows that are refused; nothing where a node has no import."""
        path = "/v1/import?stream=marketing&topic=news"
        rows = [self.person("row") for _ in range(50)]
        wrong = rows[0].replace("@", "@@")
        self.people.append(wrong)
        text = "address,reason\n" + "".join(f'"{row}",import\n' for row in [*rows, wrong])
        answer = self.api.send("POST", path, text, media_type="text/csv")
        lines = "".join(json.dumps({"address": self.person("json-row")}) + "\n" for _ in range(9))
        self.api.send("POST", path, lines + '{"address": ', media_type="application/x-ndjson")
        return answer.status


def test_no_address_in_any_spelling(fresh):
    """The node's files, log, metrics and status give nobody away who came through any door."""
    cluster = fresh()
    node = cluster.node
    node.stop()
    node.run(command=replaced(node.command, "--log-level", "debug"))
    visitors = Visitors(cluster)
    visitors.through_http()
    visitors.through_links()
    visitors.through_resp()
    visitors.through_mistakes()
    visitors.through_commands()
    assert visitors.through_import() in (200, 404)
    wanted = needles(visitors.people)
    assert len(visitors.people) >= 90 and len(wanted) > 50 * len(visitors.people)

    def search():
        everything = kept(cluster)
        for name in (f"{node.data.name}/state.mdb", f"{node.data.name}/log.mdb", node.log.name,
                     "/metrics", "/v1/status"):
            assert everything[name], f"{name} was searched"
        given_away = {
            name: people for name, content in everything.items()
            if (people := found(content, wanted))}
        assert not given_away, given_away
    # At once, while the log and the overlay hold the changes; then when the state has them as well.
    search()
    eventually(
        lambda: "\nquell_state_checkpoint_lag_changes 0\n" in call(
            node.admin, "GET", "/metrics").text, "everything is merged")
    search()
    assert node.status()["marks"]["count"] >= 5, "the people are really on the list"
