"""Whom a proxy speaks for: the client and the scheme of X-Forwarded-For and X-Forwarded-Proto, believed only of trusted peers.

Knows these two fields and addresses; nothing of connections. Trust decides who a request comes from, so every odd value is read as uvicorn
reads it.
"""

import functools
import ipaddress
from collections.abc import Callable, Sequence
from typing import Any

_SCHEMES = frozenset(("http", "https", "ws", "wss"))
_LONGEST = 253  # a DNS name; what is longer comes from outside and would only fill the cache


def forwarded(trusted: str | Sequence[str]) -> Callable[[dict[str, Any]], None]:
    """A function that rewrites scope["client"] and scope["scheme"] as the peer says, where the peer is trusted.

    `trusted`: addresses, networks and literals (a Unix socket's path), separated by commas; "*" trusts everyone.
    """
    trusts = _trust(trusted)
    everyone = trusts("")

    def rewrite(scope: dict[str, Any]) -> None:
        client = scope.get("client")
        if not trusts(client[0] if client else ""):
            return
        fields = scope["headers"]
        protocols = [value for name, value in fields if name == b"x-forwarded-proto"]
        hops = [value for name, value in fields if name == b"x-forwarded-for"]
        if protocols:
            scheme = protocols[-1].decode("latin-1").strip()
            if scheme in _SCHEMES:
                scope["scheme"] = scheme.replace("http", "ws") if scope["type"] == "websocket" else scheme
        if hops:
            host, port = _client(b", ".join(hops).decode("latin-1"), trusts, everyone)
            if host:
                scope["client"] = (host, port)

    return rewrite


def _client(hops: str, trusts: Callable[[str], bool], everyone: bool) -> tuple[str, int]:
    """The address that the nearest trusted proxy vouches for: each proxy appends its peer, so the last one that is not trusted itself."""
    addresses = [_address(hop) for hop in _split(hops)]
    if not everyone:
        for host, port in reversed(addresses):
            if not trusts(host):
                return host, port
    return addresses[0]


def _split(text: str) -> list[str]:
    return [item.strip() for item in text.split(",")]


def _address(text: str) -> tuple[str, int]:
    """Host and port of `host`, `host:port`, `[host]` or `[host]:port`; anything else stays as it stands, with port 0."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            return text, 0
        return host, (_port(rest[1:]) or 0) if rest else 0
    if text.count(":") == 1:
        host, _, rest = text.partition(":")
        port = _port(rest)
        return (text, 0) if port is None else (host, port)
    return text, 0


def _port(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _trust(trusted: str | Sequence[str]) -> Callable[[str], bool]:
    """Whether a host is trusted; "" is a peer without address."""
    if trusted in ("*", ["*"]):
        return lambda host: True
    addresses: set[ipaddress.IPv4Address | ipaddress.IPv6Address] = set()
    networks: set[ipaddress.IPv4Network | ipaddress.IPv6Network] = set()
    literals: set[str] = set()
    for host in _split(trusted) if isinstance(trusted, str) else trusted:
        try:
            if "/" in host:
                networks.add(ipaddress.ip_network(host))
            else:
                addresses.add(ipaddress.ip_address(host))
        except ValueError:
            literals.add(host)

    def trusts(host: str) -> bool:
        try:
            address = ipaddress.ip_address(host)
        except ValueError:
            return host in literals
        return address in addresses or any(address in network for network in networks)

    remembered = functools.lru_cache(maxsize=4096)(trusts)
    return lambda host: bool(host) and (remembered(host) if len(host) <= _LONGEST else trusts(host))
