"""`bridgecheck import`: the file it writes, what it says, and that this passes the gate."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bridgecheck.conformance._player import Exchange, parse
from bridgecheck.conformance.taps import har, tap, traffic
from bridgecheck.conformance.taps.recorded import carried
from bridgecheck.conformance.taps.secret import Secrets

from .test_har import DATA, said
from .test_har import har as made

SHOP = "shop.test"
PASSWORDS = {
    "BRIDGECHECK_SECRET_PASSWORD": "guess",
    "BRIDGECHECK_SECRET_PASSWORD_2": "grace-password",
    "BRIDGECHECK_SECRET_PASSWORD_3": "ada-password",
}


def bridgecheck(*words: object, cwd: Path, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bridgecheck", *map(str, words)]
    return subprocess.run(
        command, cwd=cwd, env={**os.environ, **(environment or {})}, capture_output=True, text=True, timeout=120, check=False
    )


def imported(text: str, tmp_path: Path, secrets: Secrets | None = None) -> list[Exchange]:
    file = tmp_path / "a.har"
    file.write_text(text)
    read = har.read(file)
    if secrets:
        read.entries = secrets.scrubbed(read.entries)
    return parse(f"bridgecheck-exchange 1\n{traffic.text(read, 'a', traffic.carried(read.entries).givers)}".encode(), "a")


def played(exchanges: list[Exchange]) -> list[Exchange]:
    """With what is carried."""
    return [exchange for session in carried(tap.sessions(exchanges))[0] for exchange in session]


def sent(exchange: Exchange) -> bytes:
    return b"".join(data for _, kind, data in exchange.steps if kind == "send")


def test_a_request_of_http_2_becomes_one_of_http_1(tmp_path: Path) -> None:
    fields = {
        ":authority": "shop.test",
        "cookie": "a=1",
        "accept": "text/ä",
        "content-length": "4",
        "te": "trailers",
        "connection": "x",
        "expect": "100-continue",
    }
    change = {
        "request.method": "POST",
        "request.url": "https://shop.test:8443/a?b#c",
        "request.headers": [*({"name": name, "value": value} for name, value in fields.items()), {"name": "cookie", "value": "b=2"}],
        "request.postData": {"mimeType": "text/plain", "text": "$ä\n"},
    }
    [exchange] = imported(made(change), tmp_path)
    assert sent(exchange) == (
        "POST /a?b HTTP/1.1\r\nHost: shop.test:8443\r\naccept: text/ä\r\nCookie: a=1; b=2\r\nContent-Length: 4\r\n\r\n$ä\n".encode()
    )
    assert (exchange.session, exchange.name) == ("a", "post-a")
    assert (exchange.meta["status"], exchange.meta["origin"]) == ("200", "a test 1")


@pytest.mark.parametrize(
    ("method", "length"), [("GET", b""), ("DELETE", b""), ("POST", b"Content-Length: 0\r\n"), ("PUT", b"Content-Length: 0\r\n")]
)
def test_a_request_without_a_body(method: str, length: bytes, tmp_path: Path) -> None:
    [exchange] = imported(made({"request.method": method, "request.headers": []}), tmp_path)
    assert sent(exchange) == method.encode() + b" /a?b=c HTTP/1.1\r\nHost: shop.test\r\n" + length + b"\r\n"


def test_pages_that_take_turns_go_on_in_sessions_of_the_next_name(tmp_path: Path) -> None:
    moments = [("p/2", 4), ("p1", 2), ("p/2", 1), ("p1", 3)]
    text = made(
        *({"pageref": page, "startedDateTime": f"2025-11-25T10:00:0{at}Z", "request.url": f"http://shop.test/{at}"} for page, at in moments)
    )
    found = [(exchange.session, exchange.name) for exchange in imported(text, tmp_path)]
    assert found == [("a-p-2", "get-1"), ("a-p1", "get-2"), ("a-p1", "get-3"), ("a-p-2.2", "get-4")]


TOKEN = "a8Fk20xQ9zLmP31v"
LOGIN = {"request.url": "http://shop.test/login", "response.content": {"text": f'{{"token":"{TOKEN}"}}'}}


TALK = [said("hi", kind="receive"), said('naïve "$"'), said("AP8=", 2)]
KEY = [{"name": "Sec-WebSocket-Key", "value": "4A6qkr0F0LZdSvKLcwZmZw=="}, {"name": "Upgrade", "value": "WebSocket"}]


def test_a_websocket_is_asked_for_and_its_messages_are_sent(tmp_path: Path) -> None:
    change = {"request.url": "wss://shop.test/x", "request.headers": KEY, "response.status": 101, "_webSocketMessages": TALK}
    bare = {**change, "request.headers": [], "_webSocketMessages": TALK[:1]}
    refused = {**{path: value for path, value in change.items() if path[0] != "_"}, "response.status": 403}
    whole, short, denied = imported(made(change, bare, refused), tmp_path)
    upgrade = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    version, key = b"Sec-WebSocket-Version: 13\r\n", b"Sec-WebSocket-Key: 4A6qkr0F0LZdSvKLcwZmZw==\r\n"
    assert sent(whole) == b"GET /x HTTP/1.1\r\nHost: shop.test\r\n" + key + upgrade + version + b"\r\n"
    talk = ['frame text "na\\xc3\\xafve \\"\\$\\""', 'frame binary "\\0\\xff"']
    close = ["frame close 1000", "wait frame close"]
    assert [kind for _, kind, _ in whole.steps] == ["send", "wait response", "wait message", *talk, "wait frame", *close]
    assert whole.meta["needs"] == "websocket" and whole.meta["status"] == "101"
    assert b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" in sent(short) and version in sent(short)
    assert [kind for _, kind, _ in short.steps] == ["send", "wait response", "wait message", *close]
    assert upgrade in sent(denied) and [kind for _, kind, _ in denied.steps] == ["send", "wait response"]


def test_an_answer_is_kept_where_something_was_taken_from_it(tmp_path: Path) -> None:
    text = made(
        {"pageref": "1", **LOGIN},
        {"pageref": "2", "request.url": "http://shop.test/other"},
        {"pageref": "3", "request.url": f"http://shop.test/me?token={TOKEN}"},
    )
    exchanges = imported(text, tmp_path, Secrets())
    assert [(exchange.session, exchange.name) for exchange in exchanges] == [("a-1", "get-login"), ("a-2", "get-other"), ("a-3", "get-me")]
    assert [[kind for _, kind, _ in exchange.steps].count("answered") for exchange in exchanges] == [1, 0, 0]
    assert b'\nwait response\nanswered\n> HTTP/1.1 200\n> X: y\n>\n+ {"token":"scrubbed-token-' in exchanges[0].text
    assert TOKEN not in str([exchange.text for exchange in exchanges])
    exchanges = played(exchanges)
    assert {exchange.session for exchange in exchanges} == {"a-1"}
    save = b'save token from body between "\\"token\\":\\"" "\\"" decode json encode percent'
    assert b"\nwait response\n%s\nend next" % save in exchanges[0].text
    assert b"> GET /me?token=${token} HTTP/1.1\n" in exchanges[2].text


def test_of_an_answer_that_gave_by_a_field_the_content_is_not_kept(tmp_path: Path) -> None:
    page = {"response.headers": [{"name": "Set-Cookie", "value": "a=1"}], "response.content": {"text": "a page"}}
    first, _ = imported(made(page, {"request.headers": [{"name": "Cookie", "value": "a=1"}]}), tmp_path, Secrets())
    [kept] = [data for _, kind, data in first.steps if kind == "answered"]
    assert kept.startswith(b"HTTP/1.1 200\r\nSet-Cookie: a=scrubbed-cookie-a-")
    assert kept.endswith(b"\r\n\r\n")


def test_a_length_follows_the_carried_secret(tmp_path: Path) -> None:
    form = {
        "request.method": "POST",
        "request.headers": [{"name": "Content-Type", "value": "application/x-www-form-urlencoded"}],
        "request.postData": {"mimeType": "application/x-www-form-urlencoded", "text": f"a=b&token={TOKEN}"},
    }
    _, exchange = played(imported(made(LOGIN, form), tmp_path, Secrets()))
    assert b"> Content-Length: ${10+token}\n>\n+ a=b&token=${token}\n" in exchange.text


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_a_value_is_taken_from_content_that_is_not_compressed(coding: str, tmp_path: Path) -> None:
    fields = [{"name": "Accept-Encoding", "value": "gzip, br"}]
    login = {**LOGIN, "request.headers": fields, "response.headers": [{"name": "Content-Encoding", "value": coding}]}
    text = made(login, {"request.url": f"http://shop.test/?token={TOKEN}", "request.headers": fields})
    exchanges = played(imported(text, tmp_path, Secrets()))
    assert [b"Accept-Encoding: identity\r\n" in sent(exchange) for exchange in exchanges] == [True, False]
    assert b"${token}" in exchanges[1].text


def test_ids_and_tags_are_carried_from_a_har(tmp_path: Path) -> None:
    made_one = {
        "request.method": "POST",
        "request.url": "http://shop.test/orders",
        "response.status": 201,
        "response.headers": [{"name": "Content-Type", "value": "application/json"}],
        "response.content": {"text": '{"id": 8}'},
    }
    first = {"request.url": "http://shop.test/orders/8", "response.headers": [{"name": "ETag", "value": '"1"'}]}
    again = {"request.url": "http://shop.test/orders/8", "request.headers": [{"name": "If-None-Match", "value": '"1"'}]}
    texts = [exchange.text for exchange in played(imported(made(made_one, first, again), tmp_path, Secrets()))]
    assert b"> GET /orders/${order-id} HTTP/1.1\n" in texts[1]
    assert b"> If-None-Match: ${etag}\n" in texts[2]


def test_an_answer_is_kept_up_to_a_bound_and_a_secret_is_not_cut(tmp_path: Path) -> None:
    size = traffic.ANSWER_MAX - len(TOKEN) // 2
    page = {**LOGIN, "response.content": {"text": f'{{"token":"{TOKEN}"}}'.ljust(size) + TOKEN}}
    first, _ = imported(made(page, {"request.url": f"http://shop.test/me?token={TOKEN}"}), tmp_path, Secrets())
    [kept] = [data for _, kind, data in first.steps if kind == "answered"]
    assert len(kept.partition(b"\r\n\r\n")[2]) == traffic.ANSWER_MAX
    assert TOKEN[:4].encode() not in kept


def test_names_do_not_tell_what_requests_do_not(tmp_path: Path) -> None:
    text = made({"request.url": "http://shop.test/reset/abcdefghijkl"}, {"request.url": "http://shop.test/?token=abcdefghijkl"})
    assert "abcdefghijkl" not in str([(exchange.name, exchange.text) for exchange in imported(text, tmp_path, Secrets())])


SECRETS = ["grace-password", "grace.", "16x2.", "ada-password", "guess"]


def test_the_samples_hold_no_secret_afterwards(tmp_path: Path) -> None:
    done = bridgecheck("import", *DATA.glob("*.har"), "--origin-filter", "shop.example.test", "-o", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "out").read_text()
    assert all(secret in "".join(file.read_text() for file in DATA.glob("*.har")) for secret in SECRETS)
    assert [secret for secret in SECRETS if secret in text + done.stderr] == []
    scrubbed = "^scrubbed: form field password of POST /login, entry [0-9]+; to give it again set BRIDGECHECK_SECRET_PASSWORD and"
    assert re.search(scrubbed, done.stderr, re.MULTILINE)
    assert oct((tmp_path / "out").stat().st_mode & 0o777) == "0o600"
    done = bridgecheck("import", DATA / "firefox.har", "--no-scrub", "-o", "all", cwd=tmp_path)
    assert "grace-password" in (tmp_path / "all").read_text()


@pytest.mark.slow
def test_the_samples_pass_the_gate(tmp_path: Path) -> None:
    """On an app that signs otherwise than the recorded one: its own tokens and cookies are what is sent."""
    words = ["import", *sorted(DATA.glob("*.har")), "--origin-filter", "shop.example.test", "--origin-filter", "127.0.0.1:8000"]
    done = bridgecheck(*words, "-o", "out", cwd=tmp_path, environment=PASSWORDS)
    assert (done.returncode, done.stderr) == (
        0,
        "36 exchanges in out; left out: 1 from the cache, 1 of other hosts, 1 without an answer\n",
    )
    words = ["gate", "bridgecheck.demo.shop:app", "--candidate", "uvicorn", "--taps", "recorded", "--traffic", "out"]
    done = bridgecheck(*words, cwd=tmp_path, environment={"SHOP_SECRET": "another"})
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "bridgecheck-report" / "report.json").read_text())
    assert report["verdict"] == "same"
    unscrubbed = bridgecheck("import", DATA / "firefox.har", "--no-scrub", "-o", "all", cwd=tmp_path)
    assert unscrubbed.returncode == 0
    done = bridgecheck(*words[:-1], "all", "--no-carry", cwd=tmp_path, environment={"SHOP_SECRET": "another"})
    assert done.returncode == 2
    assert "the reference gave the recorded status in" in done.stderr


def test_a_file_that_is_cut_loses_nothing_before_it(tmp_path: Path) -> None:
    (tmp_path / "whole.har").write_text(made({}, {}))
    (tmp_path / "cut.har").write_text(made({}, {}, {})[:-100])
    done = bridgecheck("import", "whole.har", "cut.har", "none.har", "-o", "out", cwd=tmp_path)
    assert done.returncode == 2
    lines = done.stderr.splitlines()
    assert lines[0] == "4 exchanges in out"
    assert re.fullmatch(r"bridgecheck: cut\.har:[0-9]+:[0-9]+: .*; 2 entries before that are whole", lines[1])
    assert lines[2:] == ["none.har: No such file or directory"]
    assert len(parse((tmp_path / "out").read_bytes(), "out")) == 4


def test_what_cannot_be_imported(tmp_path: Path) -> None:
    (tmp_path / "two.har").write_text(made({}, {"request.url": "http://other.test/"}, {}))
    (tmp_path / "there").write_text("mine")

    def fails(*words: str) -> str:
        done = bridgecheck("import", *words, cwd=tmp_path)
        assert done.returncode == 2
        return done.stderr

    assert fails("two.har", "-o", "out") == "bridgecheck: two.har: of 2 hosts, choose with --origin-filter: shop.test (2), other.test (1)\n"
    assert fails("two.har", "-o", "there") == "bridgecheck: there: exists already; name another file\n"
    assert fails("two.har", "-o", "none/out", "--origin-filter", "*") == "bridgecheck: none/out: No such file or directory\n"
    assert fails("two.har", "-o", "out", "--origin-filter", "third") == (
        "0 exchanges in out; left out: 3 of other hosts\nbridgecheck: nothing to import\n"
    )
    assert (tmp_path / "there").read_text() == "mine"
    assert not (tmp_path / "out").exists()
