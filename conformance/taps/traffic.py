"""Traffic that another tool recorded, as the text of an exchange file.

Knows entries and the grammar. Knows nothing of files, options and secrets.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from .._recording import pieces
from .carry import Memory
from .giver import quoted
from .har import FIELD_NAME, Entry, Har, Message
from .message import Answer, answer, requests

# What belongs to one connection, or is made anew here.
_DROPPED = frozenset(
    "host connection keep-alive proxy-connection transfer-encoding te upgrade http2-settings content-length expect".split()
)
# What makes a request the handshake of a WebSocket (RFC 6455 section 4.1); the last two where the file does not have them.
_UPGRADE = b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
_HANDSHAKE = {"sec-websocket-key": "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "sec-websocket-version": "Sec-WebSocket-Version: 13"}
_NAME_MAX = 80
ANSWER_MAX = 64 << 10  # bytes that are kept of an answer's content, as the recorder keeps them


@dataclass(frozen=True)
class Carried:
    """What later requests took from answers, by the rules that are asked when this is played."""

    givers: dict[int, bool]  # the entries whose answers gave something, and whether their contents did
    values: set[str]


def carried(entries: Sequence[Entry]) -> Carried:
    memory = Memory()
    found = Carried({}, set())
    for entry in entries:
        data = b"".join(request(entry))
        taken = [pair for sent in requests(data) for pair in memory.find(data, sent)]
        path = entry.target.partition("?")[0]
        memory.add(answer(_answered(entry)) or Answer(entry.status, [], "", False), entry.method, path)
        for message in entry.messages or ():
            taken += memory.find_in_message(message.data) if message.sent and message.text else ()
        for unit, given in taken:
            found.givers[given.answer] = found.givers.get(given.answer, False) or not given.save.field
            found.values.add(unit.value)
    return found


def text(har: Har, name: str, givers: Mapping[int, bool]) -> str:
    """The entries as sessions, without the grammar's first line, in the order of their time: where pages take turns, a page goes on in a
    session of the next name."""
    lines: list[str] = []
    used: Counter[str] = Counter()
    inside: Counter[str] = Counter()
    group: str | None = None
    for index, entry in enumerate(har.entries):
        if entry.group != group:
            group, inside = entry.group, Counter()
            lines += ["", f"session {_unique(_name(f'{name}-{group}' if group else name), used)}", f"origin: {har.origin}"]
        lines += ["", f"exchange {_unique(_exchange_name(entry), inside)}", f"status: {entry.status}"]
        lines += [*(["needs: websocket"] if entry.messages is not None else []), "send"]
        lines += pieces(request(entry)).splitlines()
        lines.append("wait response")
        if index in givers:
            lines += ["answered", *pieces([_answered(entry, givers[index])]).splitlines()]
        lines += _talk(entry.messages) if entry.messages is not None and entry.status == 101 else []
        lines.append("end next")
    return "\n".join(lines) + "\n"


def _talk(messages: Sequence[Message]) -> Iterator[str]:
    """What is said over a WebSocket. What came is waited for, so that what was said behind it is said behind it again. How it ended is not
    recorded: behind the last message of the client the server has a moment to say something, and then the client closes."""
    for message in messages:
        if not message.sent:
            yield "wait message"
        elif message.text:
            yield f"frame text {quoted(message.data.decode())}"
        else:
            yield f"frame binary {quoted(message.data.decode('latin-1'), 'latin-1')}"
    if messages and messages[-1].sent:
        yield "wait frame within 1s"
    yield from ("frame close 1000", "wait frame close")


def request(entry: Entry) -> list[bytes]:
    """HTTP/1.1, with one Content-Length where there is a body, or there was one."""
    parts = [f"{entry.method} {entry.target} HTTP/1.1\r\nHost: {entry.host}\r\n".encode()]
    parts += [f"{name}: {value}\r\n".encode() for name, value in entry.fields if name.lower() not in _DROPPED | {"cookie"}]
    if entry.messages is not None:
        parts += [_UPGRADE, *(f"{line}\r\n".encode() for name, line in _HANDSHAKE.items() if not entry.field(name))]
    cookies = [value for name, value in entry.fields if name.lower() == "cookie"]
    if cookies:
        parts.append(f"Cookie: {'; '.join(cookies)}\r\n".encode())  # HTTP/2 may split what HTTP/1.1 has in one line
    if entry.content or entry.field("content-length") or entry.method in ("POST", "PUT", "PATCH"):
        parts.append(f"Content-Length: {len(entry.content)}\r\n".encode())
    return [*parts, b"\r\n", entry.content]


def _answered(entry: Entry, content: bool = True) -> bytes:
    fields = [(name, value) for name, value in entry.answered if FIELD_NAME.fullmatch(name) and not re.search(r"[\0\r\n]", value)]
    head = "\r\n".join([f"HTTP/1.1 {entry.status:03}", *(f"{name}: {value}" for name, value in fields), "", ""])
    return head.encode("utf-8", "replace") + entry.answer.encode("utf-8", "replace")[: ANSWER_MAX if content else 0]


def _name(given: str) -> str:
    return re.sub("[^A-Za-z0-9._-]+", "-", given)[:_NAME_MAX].strip("-") or "traffic"


def _exchange_name(entry: Entry) -> str:
    """`get-items-3`, without a dot: behind one stands the number of what has the same name."""
    name = f"{entry.method.lower()}-{entry.target.partition('?')[0].strip('/') or 'front-page'}"
    return re.sub("[^A-Za-z0-9_]+", "-", name)[:_NAME_MAX].strip("-") or "request"


def _unique(name: str, used: Counter[str]) -> str:
    used[name] += 1
    return name if used[name] == 1 else f"{name}.{used[name]}"
