"""Whom a proxy speaks for, held against uvicorn's own middleware."""

import random
from typing import Any

import pytest
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from bridgecheck.bridge.forwarded import forwarded

TRUSTED: list[str | list[str]] = [
    "127.0.0.1,::1",
    "127.0.0.1",
    "*",
    ["*"],
    "*,127.0.0.1",
    "",
    " 10.0.0.0/8 , 192.168.0.1,fd00::/8 ",
    "10.0.0.1/8",  # no network: host bits are set
    "0:0:0:0:0:0:0:1,::ffff:127.0.0.1",
    "proxy,/run/proxy.sock",
    ["127.0.0.1", " 10.0.0.1"],
    [],
]
PEERS: list[Any] = [
    None,
    ("127.0.0.1", 1),
    ("::1", 2),
    ("10.1.2.3", 3),
    ("192.168.0.1", 4),
    ("8.8.8.8", 5),
    ("fd00::1", 6),
    ("proxy", 7),
    ("", 8),
    ("10.0.0.1/8", 9),
]
HOPS = [
    b"127.0.0.1", b"::1", b"0:0:0:0:0:0:0:1", b"10.0.0.1", b"10.0.0.1:80", b"192.168.0.1:8080", b"1.2.3.4", b"1.2.3.4:5678", b"2001:db8::1",
    b"[2001:db8::1]", b"[2001:db8::1]:443", b"[::1]", b"[::1]:99", b"[::1", b"[::1]x", b"[::1]:", b"[::1]:x", b"[]", b"[", b"]",
    b"proxy", b"proxy:1",
    b"unknown", b"_hidden", b"", b" ", b":", b":80", b"a:", b"1.2.3.4:", b"1.2.3.4: 80 ", b"1.2.3.4:+8_0", b"1.2.3.4:-1",
    b"1.2.3.4:\xb2", b"1.2.3.4:" + b"9" * 5000,
    b"\xe9.example", b'"1.2.3.4"', b"fe80::1%eth0", b"[fe80::1%eth0]:1", b"x" * 254, b"::ffff:127.0.0.1", b"127.0.0.1:x",
    b"fd00::2", b"127.1", b"0127.0.0.1",
]  # fmt: skip
PROTOCOLS = [b"http", b"https", b"ws", b"wss", b" https\t", b"HTTPS", b"https,http", b"", b"ftp", b"\xa0https", b"httphttp"]


def scopes(generator: random.Random) -> dict[str, Any]:
    fields = [(b"host", b"a")]
    for _ in range(generator.choice((0, 1, 1, 1, 2, 3))):
        separator = generator.choice((b",", b", ", b" ,\t"))
        fields.append((b"x-forwarded-for", separator.join(generator.choices(HOPS, k=generator.choice((1, 1, 2, 3))))))
    fields += [(b"x-forwarded-proto", value) for value in generator.choices(PROTOCOLS, k=generator.choice((0, 1, 1, 2)))]
    generator.shuffle(fields)
    kind = generator.choice(("http", "websocket"))
    return {"type": kind, "scheme": kind.replace("websocket", "ws"), "client": generator.choice(PEERS), "headers": fields}


def uvicorns(trusted: Any, scope: dict[str, Any]) -> dict[str, Any]:
    seen: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    with pytest.raises(StopIteration):
        ProxyHeadersMiddleware(app, trusted)(scope, None, None).send(None)  # type: ignore[arg-type]
    return seen[0]


@pytest.mark.parametrize("trusted", TRUSTED, ids=repr)
def test_client_and_scheme_are_those_that_uvicorn_finds(trusted: Any) -> None:
    generator = random.Random(repr(trusted))
    rewrite = forwarded(trusted)
    changed = 0
    for _ in range(1500):
        scope = scopes(generator)
        ours = scope | {}
        rewrite(ours)
        changed += ours != scope
        assert ours == uvicorns(trusted, scope | {})
    if trusted not in ("", []):
        assert changed  # so that something was compared


@pytest.mark.parametrize("hop", HOPS, ids=lambda hop: repr(hop[:40]))
def test_each_hop_alone(hop: bytes) -> None:
    for trusted in TRUSTED:
        for peer in PEERS:
            scope = {"type": "http", "scheme": "http", "client": peer, "headers": [(b"x-forwarded-for", hop)]}
            ours = scope | {}
            forwarded(trusted)(ours)
            assert ours == uvicorns(trusted, scope)


def test_the_client_is_a_tuple_and_the_fields_stay() -> None:
    fields = [(b"x-forwarded-for", b"1.2.3.4:5"), (b"x-forwarded-proto", b"https")]
    scope = {"type": "http", "scheme": "http", "client": ("127.0.0.1", 1), "headers": fields}
    forwarded("127.0.0.1")(scope)
    assert scope == {"type": "http", "scheme": "https", "client": ("1.2.3.4", 5), "headers": fields}
    assert type(scope["client"]) is tuple and scope["headers"] is fields


def test_a_scope_without_client() -> None:
    scope: dict[str, Any] = {"type": "http", "scheme": "http", "headers": [(b"x-forwarded-for", b"1.2.3.4")]}
    forwarded("127.0.0.1")(scope)
    assert "client" not in scope
    forwarded("*")(scope)
    assert scope["client"] == ("1.2.3.4", 0)
