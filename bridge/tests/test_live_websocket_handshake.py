"""Handshakes of WebSockets live: what is taken, what is refused and in which words is as uvicorn has it, on both loops."""

from typing import Any

import pytest

from .frames import TEXT, Talk, close, frame, handshake
from .live import Server, key, on_each, said, servers_fixture  # noqa: F401
from .talks import ACCEPT, ACCEPTED, ECHO, asked, refused_or_open, same, script

KEYS = [
    "",
    "short",
    "=",
    "a",
    "ab=c",
    "ab==c",
    "dGhlIHNhbXBsZSBub25jZQ=",
    "dGhlIHNhbXBsZSBub25jZQ===",
    "dGhlIHNhbXBsZSBub25jZQ",
    "\xe9\xff",
]
KEYS += ["dGhlIHNhbXBsZSBub25jZA==", "dGhlIHNhbXBsZSBub2 jZQ==", "AAAA" * 5, "AAAA" * 6, "dGhlIHNhbXBsZSBub25jZQ=="]
LISTS = [
    "Upgrade",
    "upgrade",
    "keep-alive, Upgrade",
    "Upgrade, keep-alive",
    ",Upgrade",
    "Upgrade,",
    " ,, Upgrade ,,",
    "Upgrade;a, Upgrade",
    "a b, Upgrade",
]
OFFERS = [
    "permessage-deflate",
    "permessage-deflate; client_max_window_bits",
    "permessage-deflate; client_max_window_bits=8",
    "permessage-deflate; client_max_window_bits=15; server_max_window_bits=15",
    'permessage-deflate; client_max_window_bits="10"; server_max_window_bits=9',
    "permessage-deflate; server_max_window_bits=8",
    "permessage-deflate; server_max_window_bits=7",
    "permessage-deflate; server_max_window_bits",
    "permessage-deflate; server_max_window_bits=08",
    "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
    "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
    "permessage-deflate; server_no_context_takeover=1",
    "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
    "permessage-deflate; client_max_window_bits; client_max_window_bits=10",
    "permessage-deflate; unknown",
    "permessage-deflate; unknown, permessage-deflate; server_no_context_takeover",
    "permessage-deflate, permessage-deflate; server_no_context_takeover",
    "foo, bar; a=b; c, permessage-deflate",
    "Permessage-Deflate",
    "x-webkit-deflate-frame",
    ",, permessage-deflate ,,",
    "",
    ";",
    "permessage-deflate;",
    "permessage-deflate; a=",
    "permessage-deflate; =a",
    'permessage-deflate; a="',
    'permessage-deflate; a="b c"',
    'permessage-deflate; a="\\b"',
    'permessage-deflate; a=""',
    "permessage-deflate permessage-deflate",
    "permessage-deflate ; client_max_window_bits = 12 ; server_no_context_takeover",
    "perm\xe9ssage-deflate",
]
PROTOCOLS = ["a", "a, b", "a,,b", " a ", ",a,", "", "a b", "a;b", "\xe9", "a/b"]


@pytest.mark.parametrize("value", KEYS)
def test_keys(servers: dict[str, Server], value: str) -> None:
    same(servers, lambda server: refused_or_open(server, asked(key=value)))


@pytest.mark.parametrize("value", LISTS)
def test_connection(servers: dict[str, Server], value: str) -> None:
    same(servers, lambda server: refused_or_open(server, asked(upgrade=(f"Connection: {value}", "Upgrade: WebSocket"))))


@pytest.mark.parametrize("value", OFFERS)
def test_offers_of_extensions(servers: dict[str, Server], value: str) -> None:
    same(servers, lambda server: refused_or_open(server, asked(f"Sec-WebSocket-Extensions: {value}")))


def test_offers_of_extensions_in_lines(servers: dict[str, Server]) -> None:
    lines = "Sec-WebSocket-Extensions: foo", "Sec-WebSocket-Extensions: permessage-deflate"
    assert b"permessage-deflate" in same(servers, lambda server: refused_or_open(server, asked(*lines)))[0]


@pytest.mark.parametrize("value", PROTOCOLS)
def test_offers_of_subprotocols(servers: dict[str, Server], value: str) -> None:
    same(servers, lambda server: refused_or_open(server, asked("Sec-WebSocket-Protocol: z", f"Sec-WebSocket-Protocol: {value}")))


@pytest.mark.parametrize(
    "lines",
    [
        ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",),
        ("Origin: http://a", "Origin: http://a"),
        ("Origin: http://a",),
        ("X-L: caf\xe9", "X-B: 1", "X-A: 2", "x-b:  3 \t"),
        ("Upgrade: foo",),
        ("Cookie: a=b", "Cookie: c=d", "X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: https"),
    ],
)
def test_other_fields(servers: dict[str, Server], lines: tuple[str, ...]) -> None:
    same(servers, lambda server: refused_or_open(server, asked(*lines)))


@pytest.mark.parametrize("lines", [("Upgrade: foo", "Upgrade: websocket"), ("Upgrade: foo/1", "Upgrade: /", "Upgrade: websocket")])
def test_other_upgrades(servers: dict[str, Server], lines: tuple[str, ...]) -> None:
    same(servers, lambda server: refused_or_open(server, asked(upgrade=("Connection: Upgrade", *lines))))


def test_another_method(servers: dict[str, Server]) -> None:
    assert same(servers, lambda server: refused_or_open(server, asked().replace(b"GET", b"POST", 1)))[0].startswith(b"HTTP/1.1 405 ")


@pytest.mark.parametrize("path", ["/a%20b/%C3%A9%zz%ff", "//x/../y", "%2F%00", ""])
def test_paths(servers: dict[str, Server], path: str) -> None:
    text = handshake(f"/talking.scripted/CALL{path}?{script(['scope', *ACCEPTED])}")
    same(servers, lambda server: refused_or_open(server, text, path))


@pytest.mark.parametrize("version", ["8", "013", "13, 8", "x", "", None])
def test_a_version_that_is_not_served_is_told_the_one_that_is(servers: dict[str, Server], version: str | None) -> None:
    """RFC 6455 section 4.2.2; uvicorn does not say."""
    found = on_each(list(servers.values()), lambda server: refused_or_open(server, asked(version=version)))
    for target, (response, _, log) in zip(servers, found, strict=True):
        told = b"Sec-WebSocket-Version: 13\r\n" if target.startswith("bridge") else b""
        assert response.startswith(b"HTTP/1.1 400 Bad Request\r\n") and log == found[0][2]
        assert response == found[0][0].replace(b"charset=utf-8\r\n", b"charset=utf-8\r\n" + told)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (asked("Content-Length: 5") + b"hello", 400),
        (asked("Transfer-Encoding: chunked") + b"0\r\n\r\n", 400),
        (asked("X: " + "y" * 8200), 431),
        (asked(*(f"X-{number}: y" for number in range(130))), 431),
        (handshake("/" + "y" * 8200), 414),
    ],
)
def test_what_uvicorn_leaves_without_an_answer_has_one(servers: dict[str, Server], text: bytes, status: int) -> None:
    for target, server in servers.items():
        with Talk(server) as talk:
            talk.send(text)
            if target.startswith("bridge"):
                assert talk.client.response().status == status and talk.client.is_closed()
            elif target == "uvicorn-uvloop":
                assert talk.client.is_silent(0.2)


@pytest.mark.parametrize(
    "upgrade", [("Connection: Upgrade", "Upgrade: foo, websocket"), ("Connection: Upgrade", "Connection: close", "Upgrade: websocket")]
)
def test_what_is_no_offer_to_uvicorn_is_a_plain_request(servers: dict[str, Server], upgrade: tuple[str, ...]) -> None:
    def play(server: Server) -> Any:
        before = len(server.stderr)
        with Talk(server) as talk:
            talk.send(handshake("/", upgrade=upgrade))
            response = talk.client.response()
        return response.status, response.body, said(server.stderr[before:])

    assert same(servers, play)[:2] == (200, b"done")


def test_a_handshake_in_http_1_0_is_the_plain_request_that_it_also_is(servers: dict[str, Server]) -> None:
    """RFC 9110 section 7.8."""

    def play(server: Server) -> bytes:
        with Talk(server) as talk:
            talk.send(handshake(f"/talking.scripted/{key()}?{script([ACCEPT])}").replace(b"HTTP/1.1", b"HTTP/1.0"))
            return talk.client.rest()[:12]

    def plain(server: Server) -> bytes:
        with Talk(server) as talk:
            return talk.send(handshake("/").replace(b"HTTP/1.1", b"HTTP/1.0")).client.rest()[-4:]

    for target, server in servers.items():
        if target.startswith("uvicorn"):
            assert play(server) == b"HTTP/1.1 101"
        else:
            assert plain(server) == b"done"


def test_after_a_request_on_the_same_connection(servers: dict[str, Server]) -> None:
    def play(server: Server) -> Any:
        call = key()
        with Talk(server) as talk:
            first = talk.client.get("/").response().body
            head = talk.open(f"/{ECHO}/{call}").raw
            talk.send(frame(TEXT, b"x"))
            return first, head, talk.frame(), talk.send(close()).rest(), server.outcome(call)

    same(servers, play)
