"""Smaller exchanges: what can be left out of a session so that the rest is an exchange still.

Owns the structure that is cut along: exchanges, steps, requests, fields, parameters, content, with lengths and chunks kept true where
they were. Knows the grammar and HTTP's framing. Knows nothing of targets, or of why somebody wants it smaller.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ._player import Exchange, ExchangeError, parse
from ._recording import pieces
from .taps.tap import MAGIC

RUNS = 16  # runs that a content or a value is cut into, at most
SIZES = ("exchanges", "steps", "sent", "text")  # the last two in octets
VALUE_MIN = 16  # octets of a field's value from which on it is cut into

# In a send's bytes, what is no bytes: a value saved earlier, and a repetition (its count, and the text of its piece).
_MARK = b"\xff\x00\xfe\x01"
_MARKS = re.compile(_MARK + rb"(?:=([A-Za-z0-9._-]+)|([0-9]+):([^\xff]*))" + _MARK)
_ESCAPE = re.compile(rb"\\x([0-9A-Fa-f]{2})|\\(.)|\$\{([A-Za-z0-9._-]+)\}", re.DOTALL)
_OCTETS = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0"}
_META = re.compile(rb"[a-z-]+:")

Span = tuple[int, int]
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
                send = steps[-1]
                assert isinstance(send, Send)
                steps[-1] = replace(send, data=send.data + _bytes(line))
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
    for match in _MARKS.finditer(send.data):
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


def _length(data: bytes) -> int | None:
    """How many octets are sent; None where that depends on a value."""
    length = len(data)
    for match in _MARKS.finditer(data):
        if match[1]:
            return None
        length += int(match[2]) * len(_ESCAPE.sub(b".", match[3])) - len(match[0])
    return length


# --- a session -------------------------------------------------------------------------------------------------------------------------

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


# --- HTTP's framing --------------------------------------------------------------------------------------------------------------------


@dataclass
class Message:
    """Where the parts of one request stand in its stream."""

    start: int
    stop: int = 0
    query: Span | None = None  # without its "?"
    fields: list[Span] = field(default_factory=list)  # whole lines
    body: Span = (0, 0)
    length: Span | None = None  # the digits of a content-length that is true
    framing: Span | None = None  # the line that frames the body
    chunks: list[tuple[Span, Span]] = field(default_factory=list)  # whole, and its data; the last one is not here
    chunked: bool = False  # in chunks that are well-formed, up to the last one


def messages(data: bytes) -> list[Message]:
    """Requests one after another. What is not framed as a request should be is one message with no parts."""
    found: list[Message] = []
    at = 0
    while at < len(data):
        message = _message(data, at)
        found.append(message)
        at = message.stop
    return found


def _message(data: bytes, start: int) -> Message:
    message = Message(start, len(data))
    blank = data.find(b"\r\n\r\n", start)
    line_end = data.find(b"\r\n", start)
    if line_end < 0:
        return message
    head_end = blank + 2 if blank >= 0 else data.rfind(b"\r\n") + 2
    target = data[start:line_end].split(b" ")
    if len(target) == 3 and b"?" in target[1]:
        message.query = start + len(target[0]) + 1 + target[1].index(b"?") + 1, line_end - len(target[2]) - 1
    lengths: list[Span] = []
    chunked = upgrade = False
    at = line_end + 2
    while at < head_end:
        end = data.index(b"\r\n", at) + 2
        name, _, value = data[at:end].partition(b":")
        message.fields.append((at, end))
        if name.lower() == b"content-length":
            digits = value.strip()
            if digits.isdigit():
                lengths.append((end - 2 - len(value[:-2].lstrip()), end - 2 - len(value[:-2].lstrip()) + len(digits)))
            message.framing = at, end
        elif name.lower() == b"transfer-encoding":
            chunked = value.strip().lower() == b"chunked"
            message.framing = at, end
        upgrade |= name.lower() == b"upgrade"
        at = end
    if blank < 0:
        return message
    begin = blank + 4
    if chunked and not lengths:
        _chunks(data, begin, message)
    elif len(lengths) == 1 and not chunked:
        declared = int(data[slice(*lengths[0])])
        stop = len(data) if _MARKS.search(data, begin) else min(len(data), begin + declared)
        message.body, message.stop = (begin, stop), stop
        if _length(data[begin:stop]) == declared:
            message.length = lengths[0]
    elif not lengths and not chunked and not upgrade:
        message.stop = begin
    else:
        message.body = begin, len(data)
    return message


def _chunks(data: bytes, begin: int, message: Message) -> None:
    """Chunks that are well-formed up to the last one; otherwise the body is any bytes."""
    at = begin
    while match := re.compile(rb"([0-9A-Fa-f]+)[^\r\n]*\r\n").match(data, at):
        count = int(match[1], 16)
        if not count:
            stop = data.find(b"\r\n\r\n", match.end() - 2)
            message.stop = message.stop if stop < 0 else stop + 4
            message.body = begin, message.stop
            message.chunked = stop >= 0
            return
        inside = match.end(), match.end() + count
        if data[inside[1] : inside[1] + 2] != b"\r\n" or _MARKS.search(data, *inside):
            break
        message.chunks.append(((at, inside[1] + 2), inside))
        at = inside[1] + 2
    message.chunks = []
    message.body = begin, message.stop = begin, len(data)


# --- what can be left out --------------------------------------------------------------------------------------------------------------

Drop = Callable[[Scripts, list[Any]], Scripts]


@dataclass(frozen=True)
class Kind:
    """A kind of unit, in their order; several are left out together."""

    name: str
    units: Callable[[Scripts], list[Any]]
    drop: Drop


@dataclass(frozen=True)
class _Place:
    """A message: its exchange, its stream, and where it stands there."""

    script: int
    stream: Stream
    number: int


def _places(taken: Scripts) -> Iterator[tuple[_Place, bytes, Message]]:
    for index, script in enumerate(taken):
        for stream in script.streams():
            data = script.data(stream)
            for number, message in enumerate(messages(data)):
                yield _Place(index, stream, number), data, message


def _edit(taken: Scripts, units: Sequence[tuple[_Place, Edit]]) -> Scripts:
    """All edits at once. A true content-length stays true, and a chunk says how much it holds; an empty chunk is gone."""
    changes: dict[int, dict[Stream, list[Edit]]] = {}
    for place, data, message in _places(taken):
        own = [edit for where, edit in units if where == place]
        if not own:
            continue
        edits = changes.setdefault(place.script, {}).setdefault(place.stream, [])
        begin, stop = message.body
        inside = sorted(edit for edit in own if begin <= edit[0] and edit[1] <= stop)
        if message.chunks and (*message.body, b"") not in inside:
            for whole, (low, high) in message.chunks:
                content, here = data[low:high], [edit for edit in inside if low <= edit[0] and edit[1] <= high]
                for start, end, new in reversed(here):
                    content = content[: start - low] + new + content[end - low :]
                if here:
                    edits.append((*whole, b"%x\r\n%s\r\n" % (len(content), content) if content else b""))
            own = [edit for edit in own if edit not in inside]
        elif message.length and inside and message.framing not in [edit[:2] for edit in own]:
            content = data[begin:stop]
            for start, end, new in reversed(inside):
                content = content[: start - begin] + new + content[end - begin :]
            edits.append((*message.length, b"%d" % (_length(content) or 0)))
        edits += own
    return tuple(script.edited(changes[index]) if index in changes else script for index, script in enumerate(taken))


def _drop_exchanges(taken: Scripts, units: list[Any]) -> Scripts:
    return tuple(script for index, script in enumerate(taken) if index not in units)


def _drop_steps(taken: Scripts, units: list[Any]) -> Scripts:
    return tuple(
        replace(script, steps=tuple(step for at, step in enumerate(script.steps) if (index, at) not in units))
        for index, script in enumerate(taken)
    )


_DOES = (b"send", b"frame", b"half-close", b"close", b"reset")


def _steps(taken: Scripts) -> list[Any]:
    """All but a wait or a pause between two things that the client does: the second would race against what the server makes of the first.
    Before the first frame there is none: a frame waits for its WebSocket."""
    found = []
    for index, script in enumerate(taken):
        words = [b"send" if isinstance(step, Send) else step.split()[0] for step in script.steps]
        for at, word in enumerate(words):
            before = [other for other in words[:at] if other in _DOES]
            behind = [other for other in words[at:] if other in _DOES]
            races = before and behind and (before[-1], behind[0]) != (b"send", b"frame")
            if word not in (b"wait", b"pause") or not races:
                found.append((index, at))
    return found


def _requests(taken: Scripts) -> list[Any]:
    found = [(place, (message.start, message.stop, b"")) for place, _, message in _places(taken)]
    many = {(place.script, place.stream) for place, _ in found if place.number}
    return [(place, edit) for place, edit in found if (place.script, place.stream) in many]


def _splits(taken: Scripts) -> list[Any]:
    """Sends in several writes, and sends one behind another."""
    return [
        (index, at)
        for index, script in enumerate(taken)
        for at, step in enumerate(script.steps)
        if isinstance(step, Send) and (step.words != b"send" or isinstance((*script.steps, b"")[at + 1], Send))
    ]


def _drop_splits(taken: Scripts, units: list[Any]) -> Scripts:
    made = []
    for index, script in enumerate(taken):
        steps: list[Send | bytes] = []
        join = False
        for at, step in enumerate(script.steps):
            if isinstance(step, Send):
                words = b"send" if (index, at) in units else step.words
                if join:
                    before = steps.pop()
                    assert isinstance(before, Send)
                    step = replace(step, data=before.data + step.data)
                steps.append(replace(step, words=words))
                join = (index, at) in units and isinstance((*script.steps, b"")[at + 1], Send)
            else:
                steps.append(step)
        made.append(replace(script, steps=tuple(steps)))
    return tuple(made)


def _fields(taken: Scripts) -> list[Any]:
    """All but the line that frames a body which is there, and the first Host: what was a valid request stays one."""
    found: list[Any] = []
    for place, data, message in _places(taken):
        hosts = [span for span in message.fields if data[slice(*span)].lower().startswith(b"host:")]
        kept = [*hosts[:1], *([message.framing] if message.body[0] < message.body[1] else [])]
        found += [(place, (*span, b"")) for span in message.fields if span not in kept]
    return found


def _parameters(taken: Scripts) -> list[Any]:
    found = []
    for place, data, message in _places(taken):
        if message.query:
            begin, stop = message.query
            at = begin - 1  # each goes with the mark before it
            for parameter in data[begin:stop].split(b"&"):
                found.append((place, (at, at + 1 + len(parameter), b"")))
                at += 1 + len(parameter)
    return found


def _drop_parameters(taken: Scripts, units: list[Any]) -> Scripts:
    """What is first behind them begins with "?"."""
    edits = list(units)
    for place, _data, message in _places(taken):
        gone = [edit for where, edit in units if where == place]
        if gone and message.query:
            at, stop = message.query[0] - 1, message.query[1]
            while any(edit[0] == at for edit in gone):
                at = next(edit[1] for edit in gone if edit[0] == at)
            if at >= message.query[0] and at < stop:
                edits.append((place, (at, at + 1, b"?")))
    return _edit(taken, edits)


def _bodies(taken: Scripts) -> list[Any]:
    """Whole bodies with what frames them."""
    return [(place, message) for place, _, message in _places(taken) if message.body[0] < message.body[1] and message.framing]


def _drop_bodies(taken: Scripts, units: list[Any]) -> Scripts:
    return _edit(taken, [(place, (*span, b"")) for place, message in units for span in (message.framing, message.body)])


def _runs(begin: int, stop: int, data: bytes, many: int = RUNS) -> Iterator[Edit]:
    """Between marks, which stay whole."""
    for low, high in _between(begin, stop, data):
        step = max(1, -(-(high - low) // many))
        for at in range(low, high, step):
            yield at, min(at + step, high), b""


def _between(begin: int, stop: int, data: bytes) -> Iterator[Span]:
    for match in _MARKS.finditer(data, begin, stop):
        yield begin, match.start()
        begin = match.end()
    yield begin, stop


def _content(taken: Scripts) -> list[Any]:
    found: list[Any] = []
    for place, data, message in _places(taken):
        for low, high in [inside for _, inside in message.chunks] if message.chunks or message.chunked else [message.body]:
            found += [(place, edit) for edit in _runs(low, high, data, max(1, RUNS // max(1, len(message.chunks))))]
    return found


def _values(taken: Scripts) -> list[Any]:
    found: list[Any] = []
    for place, data, message in _places(taken):
        for start, end in message.fields:
            begin = data.find(b":", start, end) + 1
            if begin and end - 2 - begin > VALUE_MIN and (start, end) != message.framing:
                found += [(place, edit) for edit in _runs(begin + 1, end - 2, data)]
    return found


def _repeats(taken: Scripts) -> list[Any]:
    """Half as often."""
    return [
        (place, (*match.span(2), b"%d" % (int(match[2]) // 2)))
        for place, data, message in _places(taken)
        for match in _MARKS.finditer(data, message.start, message.stop)
        if match[2] and int(match[2]) > 1
    ]


_FRAME = re.compile(rb'(frame (?:text|binary|continuation|ping|pong)\b.*?")([^"\\]{2,})("$)')


def _payloads(taken: Scripts) -> list[Any]:
    """Frames with half their text."""
    return [
        (index, at)
        for index, script in enumerate(taken)
        for at, step in enumerate(script.steps)
        if isinstance(step, bytes) and _FRAME.fullmatch(step)
    ]


def _drop_payloads(taken: Scripts, units: list[Any]) -> Scripts:
    def shorter(step: Send | bytes) -> Send | bytes:
        match = None if isinstance(step, Send) else _FRAME.fullmatch(step)
        return match[1] + match[2][: len(match[2]) // 2] + match[3] if match else step

    return tuple(
        replace(script, steps=tuple(shorter(step) if (index, at) in units else step for at, step in enumerate(script.steps)))
        for index, script in enumerate(taken)
    )


KINDS = (
    Kind("exchanges", lambda taken: list(range(len(taken) - 1)), _drop_exchanges),
    Kind("steps", _steps, _drop_steps),
    Kind("requests", _requests, _edit),
    Kind("bodies", _bodies, _drop_bodies),
    Kind("fields", _fields, _edit),
    Kind("parameters", _parameters, _drop_parameters),
    Kind("splits", _splits, _drop_splits),
    Kind("repeats", _repeats, _edit),
    Kind("content", _content, _edit),
    Kind("payloads", _payloads, _drop_payloads),
    Kind("values", _values, _edit),
)

Cursor = tuple[int, int, int]  # kind, how many units at once (0: all), and from which on
START: Cursor = (0, 0, 0)


def reductions(taken: Scripts, cursor: Cursor = START) -> Iterator[tuple[Cursor, Scripts]]:
    """What is smaller by a run of units: first all of a kind, then half of them, down to one. Where one of them is taken in `taken`'s
    place, its cursor leads on from there."""
    first, run, index = cursor
    for kind in range(first, len(KINDS)):
        units = KINDS[kind].units(taken)
        run = run or len(units)
        while run:
            for at in range(index, len(units), run):
                yield (kind, run, at), KINDS[kind].drop(taken, units[at : at + run])
            run, index = run // 2, 0
        index = 0


def together(taken: Scripts, cursors: Sequence[Cursor]) -> tuple[Cursor, Scripts]:
    """What is smaller by all these runs at once, as far as they can be told apart when others are gone, and the cursor that leads on from
    the last of them. The kinds in which less is meant go first: where their units were the others still find theirs."""
    chosen: dict[int, set[int]] = {}
    for kind, run, at in cursors:
        chosen.setdefault(kind, set()).update(range(at, at + run))
    for kind in sorted(chosen, reverse=True):
        units = KINDS[kind].units(taken)
        taken = KINDS[kind].drop(taken, [unit for index, unit in enumerate(units) if index in chosen[kind]])
    kind, run, at = cursors[-1]
    return (kind, run, at - sum(index < at for index in chosen[kind])), taken
