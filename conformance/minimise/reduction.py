"""Reductions: what can be left out of a session so that the rest is an exchange still.

Owns the units that are left out, kind by kind, with lengths and chunks kept true where they were. Knows nothing of targets, or of why
somebody wants it smaller.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .framing import Message, Span, messages
from .script import MARKS, Edit, Scripts, Send, Stream, length

RUNS = 16  # runs that a content or a value is cut into, at most
VALUE_MIN = 16  # octets of a field's value from which on it is cut into

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
            edits.append((*message.length, b"%d" % (length(content) or 0)))
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
    for match in MARKS.finditer(data, begin, stop):
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
        for match in MARKS.finditer(data, message.start, message.stop)
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
