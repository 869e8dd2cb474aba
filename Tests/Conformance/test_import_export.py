"""DESIGN 10.2 and 10.1, import and export: lists of any length, streamed, resumable, honest."""

import json
import signal
import socket
import subprocess
import threading
import time

import pytest

from api import Api, problem
from cluster import BINARY, address, eventually, quell, split

CSV, NDJSON = "text/csv", "application/x-ndjson"
PLACE = "/v1/import?stream=marketing&topic=news"


def post(api, text, media_type=CSV, path=PLACE):
    return api.ok("POST", path, text, media_type=media_type)


def counts(answer):
    return tuple(answer[name] for name in ("accepted", "already", "invalid"))


def test_csv(api):
    """streamed CSV (header row with `address`, optional `reason`, `created_at`, others ignored;
    BOM, CRLF, quotes) -> `{"accepted","already","invalid","rejected":[{"line","why"}]}`."""
    plain, quoted, complained, old = (address() for _ in range(4))
    text = (
        "\ufeffname,Address,reason,created_at\r\n"
        f'"Doe, ""J""",{plain},,\r\n'
        f'x,"{quoted}",,\r\n'
        f"x,{complained},complaint,\r\n"
        "x,not an address,,\r\n"
        f"x,{old},,2020-02-03T04:05:06Z\r\n"
        f"x,{plain},,\r\n"
        "x,,,\r\n")
    answer = post(api, text.encode())
    assert set(answer) == {"accepted", "already", "invalid", "rejected"}
    assert counts(answer) == (4, 1, 2)
    assert [row["line"] for row in answer["rejected"]] == [5, 8]
    assert all(row["why"] and "@" not in row["why"] for row in answer["rejected"])
    assert [api.check(a)["reason"] for a in (plain, quoted, complained, old)] == [
        "import", "import", "complaint", "import"]
    assert api.check(old)["since"].startswith("2020-02-03T04:05:06")
    # complaint is written tenant-wide whatever scope it was given.
    assert api.decision(complained, topic="offers") == "deny"
    assert api.decision(plain, topic="offers") == "allow"


def test_ndjson(api):
    """or NDJSON `{"address":...}`, by Content-Type."""
    readers = [address() for _ in range(3)]
    lines = [json.dumps({"address": reader, "more": {"a": [1]}}) for reader in readers]
    lines.insert(1, "{broken")
    answer = post(api, "\n".join(lines), NDJSON)
    assert counts(answer) == (3, 0, 1) and answer["rejected"][0]["line"] == 2
    assert all(api.decision(reader) == "deny" for reader in readers)


def test_already_describes_the_state_before(api):
    """`already` in an import describes the state before; the write is acknowledged all the same."""
    readers = [address() for _ in range(5)]
    text = "address\n" + "\n".join(readers)
    assert counts(post(api, text)) == (5, 0, 0)
    assert counts(post(api, text)) == (0, 5, 0)
    other = "/v1/import?stream=marketing&topic=news&reason=manual"
    assert counts(post(api, text, path=other)) == (5, 0, 0)


def test_lifted_then_imported_again(api):
    """Suppress always mints a new dot: a list after a consent denies again."""
    reader = address()
    post(api, f"address\n{reader}\n")
    ids = api.ids(reader, reason="import")
    assert api.consent(reader, ids, reason="import").status == 200
    assert api.decision(reader) == "allow"
    assert counts(post(api, f"address\n{reader}\n")) == (1, 0, 0)
    assert api.decision(reader) == "deny"


def test_malformed(api, cluster):
    """400 malformed, 401 key, 403 scope, 404 unknown stream or topic, 415."""
    headless = api.send("POST", PLACE, "mail\na@b.example\n", media_type=CSV)
    assert "address" in problem(headless, 400)["detail"]
    problem(api.send("POST", PLACE, "", media_type=CSV), 400)
    problem(api.send("POST", PLACE, "address\n", media_type="application/json"), 415)
    problem(api.send("POST", "/v1/import?stream=nowhere", "address\n", media_type=CSV), 404)
    problem(api.send("POST", PLACE + "&reason=because", "address\n", media_type=CSV), 400)
    problem(api.send("GET", PLACE), 405)
    problem(Api(api.node, "wrong").send("POST", PLACE, "address\n", media_type=CSV), 401)
    checker = Api(api.node, cluster.add_key("check"))
    problem(checker.send("POST", PLACE, "address\n", media_type=CSV), 403)
    problem(checker.send("GET", "/v1/export"), 403)
    # A bad row costs that row alone, also an unclosed quote and bytes that are no UTF-8.
    good = address()
    body = b'address\n"unclosed\n\xff\xfe@b.example\n' + good.encode() + b"\n"
    answer = post(api, body)
    assert counts(answer) == (1, 0, 2) and [r["line"] for r in answer["rejected"]] == [2, 3]
    assert api.decision(good) == "deny"


def test_chunked_in_odd_pieces(api):
    """Lists are streamed: chunked, cut anywhere, larger than any buffer."""
    readers = [address() for _ in range(30_000)]
    text = ("address\r\n" + "\r\n".join(readers) + "\r\n").encode()
    connection = socket.create_connection(split(api.node.http), timeout=60)
    connection.sendall((
        f"POST {PLACE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.key}\r\n"
        "Content-Type: text/csv\r\nTransfer-Encoding: chunked\r\n"
        "Connection: close\r\n\r\n").encode())
    size = 1
    while text:
        piece, text = text[:size], text[size:]
        connection.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        size = size * 3 % 99_991 + 1
    connection.sendall(b"0\r\n\r\n")
    answer = b""
    while part := connection.recv(65_536):
        answer += part
    assert answer.startswith(b"HTTP/1.1 200"), answer[:200]
    assert counts(json.loads(answer.split(b"\r\n\r\n", 1)[1])) == (30_000, 0, 0)
    decisions = {result["decision"] for result in api.check_many(readers[::10])}
    assert decisions == {"deny"}


def test_large_import_denies_at_once(fresh):
    """Every acknowledged row is denied, by every loop, during and after; after kill -9 as well."""
    node = fresh().node
    api = Api(node)
    readers = [f"bulk{n}@people.example" for n in range(150_000)]
    lifted = readers[:50]
    for reader in lifted[:10]:
        api.suppress(reader, reason="import")
        assert api.consent(reader, api.ids(reader, reason="import"), reason="import").status == 200
        assert api.decision(reader) == "allow"
    text = "address\n" + "\n".join(readers)
    answer = api.send("POST", PLACE, text.encode(), media_type=CSV).json()
    assert counts(answer) == (150_000, 0, 0)
    assert {r["decision"] for r in api.check_many(readers[::3])} == {"deny"}
    assert {api.decision(reader) for reader in lifted} == {"deny"}
    node.kill()
    node.run()
    node.wait_ready()
    assert {r["decision"] for r in api.check_many(readers[::7])} == {"deny"}
    assert {api.decision(reader) for reader in lifted} == {"deny"}


def test_export(fresh):
    """`GET /v1/export` -> NDJSON stream, every mark once, nothing acknowledged missing."""
    cluster = fresh()
    api = Api(cluster.node)
    readers = [address() for _ in range(3_000)]
    post(api, "address\n" + "\n".join(readers))
    api.suppress(readers[0], topic="offers", reason="manual")
    ids = api.ids(readers[1], reason="import")
    api.consent(readers[1], ids, reason="import")
    answer = api.send("GET", "/v1/export")
    assert answer.status == 200 and answer.media_type == "application/x-ndjson"
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert len(rows) == 3_001
    keys = {(row["recipient"], row["stream"], row["topic"], row["reason"]) for row in rows}
    assert len(keys) == 3_001
    assert sum(not row["suppressed"] for row in rows) == 1
    assert sum(row["topic"] == "offers" and row["reason"] == "manual" for row in rows) == 1
    printed = quell("export", "--cluster", str(cluster.file))
    assert printed.returncode == 0 and len(printed.stdout.splitlines()) == 3_001


def test_import_verb(fresh, tmp_path):
    """`import FILE`; bad rows by line; exit 65 some rows rejected; `--json`."""
    cluster = fresh()
    list_file = tmp_path / "people.csv"
    rows = [f"verb{n}@people.example" for n in range(25_000)]
    rows[12_345] = "broken"
    list_file.write_text("address\n" + "\n".join(rows) + "\n")
    flags = ("--cluster", str(cluster.file), "--stream", "marketing", "--topic", "news")
    done = quell("import", str(list_file), *flags, "--json")
    assert done.returncode == 65, done
    answer = json.loads(done.stdout)
    assert (answer["rows"], answer["accepted"], answer["invalid"]) == (25_000, 24_999, 1)
    assert f"{list_file}:12347: " in done.stderr
    assert not list(tmp_path.glob("*.quell-import"))
    again = quell("import", str(list_file), *flags)
    assert again.returncode == 65 and "24999 already" in again.stdout
    piped = quell(
        "import", "-", *flags, "--format", "ndjson", stdin='{"address":"pipe@people.example"}')
    assert piped.returncode == 0 and "1 newly suppressed" in piped.stdout
    assert quell("import", str(tmp_path / "missing.csv"), *flags).returncode == 65
    assert quell("import", str(list_file), "--stream", "nowhere",
                 "--cluster", str(cluster.file)).returncode == 64


def test_import_goes_on(fresh, tmp_path):
    """An import that is cut off goes on with the first row that was not acknowledged."""
    cluster = fresh()
    list_file = tmp_path / "long.csv"
    rows = 400_000
    with open(list_file, "w", encoding="ascii") as out:
        out.write("address\n")
        out.writelines(f"long{n}@people.example\n" for n in range(rows))
    command = [str(BINARY), "import", str(list_file), "--cluster", str(cluster.file),
               "--stream", "marketing", "--topic", "news"]
    first = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    journal = tmp_path / "long.csv.quell-import"
    eventually(lambda: journal.exists() or first.poll() is not None, "a first piece", every=0.001)
    first.send_signal(signal.SIGKILL)
    first.communicate()
    if not journal.exists():
        pytest.skip("the whole import was faster than the signal")
    again = quell("import", str(list_file), "--cluster", str(cluster.file),
                  "--stream", "marketing", "--topic", "news", "--json")
    assert again.returncode == 0 and "going on behind row" in again.stderr, again
    answer = json.loads(again.stdout)
    assert answer["rows"] == rows and answer["accepted"] + answer["already"] == rows
    assert not journal.exists()


def test_import_over_a_restart(fresh, tmp_path):
    """The node is killed under an import and comes back: the command waits, no row is lost."""
    cluster = fresh()
    list_file = tmp_path / "over.csv"
    rows = 200_000
    with open(list_file, "w", encoding="ascii") as out:
        out.write("address\n")
        out.writelines(f"over{n}@people.example\n" for n in range(rows))
    result = {}

    def run():
        result["done"] = quell(
            "import", str(list_file), "--cluster", str(cluster.file),
            "--stream", "marketing", "--topic", "news", "--json", timeout=120)

    thread = threading.Thread(target=run)
    thread.start()
    journal = tmp_path / "over.csv.quell-import"
    eventually(lambda: journal.exists() or not thread.is_alive(), "a first piece", every=0.001)
    cluster.node.kill()
    time.sleep(0.3)
    cluster.node.run()
    thread.join()
    assert result["done"].returncode == 0, result["done"]
    cluster.node.wait_ready()
    readers = [f"over{n}@people.example" for n in range(0, rows, 11)]
    assert {r["decision"] for r in Api(cluster.node).check_many(readers)} == {"deny"}


def test_batch_of_ten_thousand(api):
    """`addresses` (1..10,000) in the same order, answered over several turns."""
    readers = [address() for _ in range(10_000)]
    post(api, "address\n" + "\n".join(readers[::5]))
    results = api.check_many(readers)
    assert [r["decision"] for r in results] == [
        "deny" if n % 5 == 0 else "allow" for n in range(10_000)]


def test_large_sadd(fresh):
    """SADD of 1,000 members is one write; each is denied, and a consent for one lifts one."""
    cluster = fresh()
    api = Api(cluster.node)
    import redis
    host, port = split(cluster.node.resp)
    client = redis.Redis(host=host, port=port, username="demo", password=cluster.api_key)
    readers = [address() for _ in range(1_000)]
    assert client.sadd("marketing:news", *readers) == 1_000
    assert client.sadd("marketing:news", *readers[:10], address()) == 1
    assert set(client.smismember("marketing:news", readers)) == {1}
    ids = api.ids(readers[3], reason="manual")
    assert api.consent(readers[3], ids, reason="manual").status == 200
    assert [api.decision(r) for r in readers[2:5]] == ["deny", "allow", "deny"]
