"""Scripts: the exchanges of a session taken apart, and put together again.

Owns what a step is made of, and that what was put together means what was taken apart. Knows the grammar of exchanges and nothing of HTTP.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from .._player import Exchange, ExchangeError, parse
from .._recording import pieces
from ..taps.tap import MAGIC

SIZES = ("exchanges", "steps", "sent", "text")  # the last two in octets

# In a send's bytes, what is no bytes: a value saved earlier, and a repetition (its count, and the text of its piece).
_MARK = b"\xff\x00\xfe\x01"
MARKS = re.compile(_MARK + rb"(?:=([A-Za-z0-9._-]+)|([0-9]+):([^\xff]*))" + _MARK)
_ESCAPE = re.compile(rb"\\x([0-9A-Fa-f]{2})|\\(.)|\$\{([A-Za-z0-9._-]+)\}", re.DOTALL)
_OCTETS = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0"}
_META = re.compile(rb"[a-z-]+:")

Edit = tuple[int, int, bytes]  # instead of what stands from here to there
Stream = tuple[int, ...]  # the sends of one connection, by step


class Opaque(Exception):
    """An exchange whose bytes cannot be cut into and put together again."""


@dataclass(frozen=True)
class Send:
    words: bytes  # "send", "send split 3"
    data: bytes


@dataclass(frozen=True)
class Script:
    """One exchange, taken apart, without what was answered when it was recorded."""

    head: bytes  # its first line and its meta, those of its session too
    steps: tuple[Send | bytes, ...]
    end: bytes

    @classmethod
    def of(cls, exchange: Exchange) -> "Script":
        lines = [line for line in exchange.text.split(b"\n") if line and not line.startswith(b"#")]
        head = [lines[0], *(f"{key}: {value}".encode() for key, value in exchange.meta.items())]
        steps: list[Send | bytes] = []
        answered = False
        for line in lines[1:-1]:
            if line[:1] not in b">+*":
                answered = line.split()[0] == b"answered"
                if not answered and not _META.match(line):
                    steps.append(Send(line, b"") if line.split()[0] == b"send" else line)
            elif not answered:
                step = steps[-1]  # a send, or a frame, which stays as it is written
                steps[-1] = replace(step, data=step.data + _bytes(line)) if isinstance(step, Send) else step + b"\n" + line
        return cls(b"\n".join(head) + b"\n", tuple(steps), lines[-1] + b"\n")

    @property
    def text(self) -> bytes:
        steps = (_send(step) if isinstance(step, Send) else step + b"\n" for step in self.steps)
        return self.head + b"".join(steps) + self.end

    def derived(self) -> "Script":
        """Named as made smaller, and without the statuses that were recorded for all its requests."""
        first, *meta = self.head.rstrip(b"\n").split(b"\n")
        origin = next((b" (%s)" % line.partition(b": ")[2] for line in meta if line.startswith(b"origin:")), b"")
        kept = [line for line in meta if not line.startswith((b"origin:", b"status:"))]
        made = b"origin: minimised from " + first.split()[1] + origin
        return replace(self, head=b"\n".join([first, *kept, made]) + b"\n")

    def streams(self) -> list[Stream]:
        found: dict[bytes, list[int]] = {}
        current = b"main"
        for index, step in enumerate(self.steps):
            if isinstance(step, Send):
                found.setdefault(current, []).append(index)
            elif step.split()[0] in (b"connect", b"on"):
                current = step.split()[1]
        return [tuple(sends) for sends in found.values()]

    def data(self, stream: Stream) -> bytes:
        return b"".join(step.data for index in stream if isinstance(step := self.steps[index], Send))

    def edited(self, edits: dict[Stream, list[Edit]]) -> "Script":
        """Sends in which nothing is left are gone."""
        steps: dict[int, Send | bytes] = dict(enumerate(self.steps))
        for stream, changes in edits.items():
            begin = 0
            for index in stream:
                send = self.steps[index]
                assert isinstance(send, Send)
                data, end = send.data, begin + len(send.data)
                for start, stop, new in sorted(changes, reverse=True):
                    if start < end and stop > begin:
                        low, high = max(start, begin) - begin, min(stop, end) - begin
                        data = data[:low] + (new if start >= begin else b"") + data[high:]
                begin = end
                steps[index] = replace(send, data=data)
                if not data:
                    del steps[index]
        return replace(self, steps=tuple(steps.values()))


def _bytes(line: bytes) -> bytes:
    """The bytes of a piece, with marks."""
    kind, said = line[:1], line[2:]
    if kind == b"*":
        count, _, said = said.lstrip(b" ").partition(b" ")
        if b"\xff" in said:
            raise Opaque
        return _MARK + count + b":" + said + _MARK

    def octets(match: "re.Match[bytes]") -> bytes:
        code, escaped, name = match.groups()
        if name:
            return _MARK + b"=" + name + _MARK
        return bytes([int(code, 16)]) if code else _OCTETS.get(escaped, escaped)

    plain = _ESCAPE.sub(lambda match: octets(match) if not match[3] else b"", said)
    if _MARK in plain:
        raise Opaque
    return _ESCAPE.sub(octets, said) + (b"\r\n" if kind == b">" else b"")


def _send(send: Send) -> bytes:
    lines = [send.words.decode() + "\n"]
    run: list[bytes | str] = []
    at = 0
    for match in MARKS.finditer(send.data):
        run.append(send.data[at : match.start()])
        at = match.end()
        if match[1]:
            run.append(match[1].decode())
        else:
            lines.append(pieces([part for part in run if part]))
            lines.append(f"* {match[2].decode()} {match[3].decode('latin-1')}\n")
            run = []
    run.append(send.data[at:])
    lines.append(pieces([part for part in run if part]))
    return "".join(lines).encode("latin-1")


def length(data: bytes) -> int | None:
    """How many octets are sent; None where that depends on a value."""
    length = len(data)
    for match in MARKS.finditer(data):
        if match[1]:
            return None
        length += int(match[2]) * len(_ESCAPE.sub(b".", match[3])) - len(match[0])
    return length


Scripts = tuple[Script, ...]


def scripts(session: Sequence[Exchange]) -> Scripts:
    """Raises Opaque where what was taken apart does not mean the same when it is put together again."""
    taken = tuple(map(Script.of, session))
    whole = exchanges(taken, session[0].session)
    if whole is None or [_meaning(exchange) for exchange in whole] != [_meaning(exchange) for exchange in session]:
        raise Opaque
    return taken


def exchanges(taken: Scripts, session: str) -> tuple[Exchange, ...] | None:
    """None where it is no exchange, or one that does nothing."""
    named = f"session {session}\n".encode() if session else b""
    if not all(any(isinstance(step, Send) for step in script.steps) for script in taken):
        return None
    try:
        return tuple(parse(MAGIC + named + b"".join(script.text for script in taken), "smaller"))
    except ExchangeError:
        return None


def _meaning(exchange: Exchange) -> Any:
    return exchange.name, exchange.meta, exchange.sends, [step[1:] for step in exchange.steps if step[1] != "answered"]


def size(session: Sequence[Exchange]) -> tuple[int, int, int, int]:
    """SIZES, compared in this order."""
    return (
        len(session),
        sum(len(exchange.steps) for exchange in session),
        sum(exchange.sends for exchange in session),
        sum(len(exchange.text) for exchange in session),
    )
