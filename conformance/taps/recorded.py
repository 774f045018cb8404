"""Recorded sessions, written anew so that values which an answer gave come from that answer when they are played.

Knows the text of exchanges; which values are carried, conformance/taps/carry.py finds. Knows nothing of files, targets or what is printed.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from .._player import Exchange, parse
from .._recording import pieces
from .carry import Given, Memory
from .frames import TEXT, Frame, frames
from .giver import Save
from .message import Request, Span, answer, requests

MAGIC = b"bridgecheck-exchange 1\n"

_READ = re.compile("send|answered|pause .*|half-close|close|reset|wait .*|frame .*")
_VALUE = re.compile(rb"(?<!\\)\$\{|\nsave ")
_SAID = re.compile('frame text(?: "|$)')  # a whole text, without flags
_SAVE = re.compile(rb"\nsave +([A-Za-z0-9._-]+)")

Session = list[Exchange]
FRESH = "fresh"  # in `needs`
Parts = list[bytes | str]  # bytes as they are; a str for what stands in ${}


@dataclass
class Value:
    """One that is carried, as a person is told of it."""

    label: str  # what it is called there: a cookie's name, a key
    origin: str  # "Set-Cookie of POST /login"
    requests: int = 0
    messages: int = 0  # over WebSockets


@dataclass
class _Script:
    """An exchange, what its sends send, and what becomes of it."""

    exchange: Exchange
    session: int
    data: bytes = b""
    sends: dict[int, Span] = field(default_factory=dict)  # by the number of the step
    requests: list[Request] = field(default_factory=list)
    changes: list[tuple[Span, Parts]] = field(default_factory=list)
    saves: dict[int, list[Save]] = field(default_factory=dict)  # by the number of the step that they follow
    talk: dict[int, list[Frame]] = field(default_factory=dict)  # what sends behind a handshake send, by the number of the step
    said: dict[tuple[int, int], Parts] = field(default_factory=dict)  # texts in which values stand now, by step and number of its frame

    def __post_init__(self) -> None:
        steps = self.exchange.steps
        for number, (_, kind, sent) in enumerate(steps):
            if kind == "send":
                self.sends[number] = Span(len(self.data), len(self.data) + len(sent))
                self.data += sent
        if all(_READ.fullmatch(kind) for _, kind, _ in steps) and not _VALUE.search(self.exchange.text):
            self.requests = list(requests(self.data))
            self.talk = self._talk()

    def _talk(self) -> dict[int, list[Frame]]:
        """Nothing where frames, or the handshake, and sends do not end together."""
        last = self.requests[-1] if self.requests else None
        if last is None or [self.data[slice(*place)].lower() for place in last.places("upgrade")] != [b"websocket"]:
            return {}
        if last.end not in [place.end for place in self.sends.values()]:
            return {}
        left = frames(self.data[last.end :]) or []
        found: dict[int, list[Frame]] = {}
        for number, (start, end) in self.sends.items():
            if start >= last.end:
                found[number] = [frame for frame in left if start < last.end + frame.end <= end]
                if not found[number] or last.end + found[number][-1].end != end:
                    return {}
        return found

    def begun_in(self, number: int) -> list[int]:
        """Of the requests, those that begin in this send."""
        start, end = self.sends[number]
        return [index for index, request in enumerate(self.requests) if start <= request.start < end]

    def text(self, name: str, meta: Sequence[str]) -> bytes:
        """The exchange anew, without what was answered."""
        lines = self.exchange.text.split(b"\n")
        starts = [line - self.exchange.line for line, _, _ in self.exchange.steps] + [len(lines) - 1]
        written = [f"exchange {name}".encode(), *(line.encode("utf-8", "surrogateescape") for line in meta), *lines[1 : starts[0]]]
        for number, (_, kind, _) in enumerate(self.exchange.steps):
            step = lines[starts[number] : starts[number + 1]]
            if number in self.talk and self.said:  # all of them: what is compressed goes by what was sent before
                step = [
                    line for index, frame in enumerate(self.talk[number]) for line in self._frame(number, index, frame.word, frame.payload)
                ]
            elif kind == "send":
                step = self._send(number, step)
            elif (number, 0) in self.said:
                step = self._frame(number, 0, "text", b"")
            written += [] if kind == "answered" else step
            written += [str(save).encode() for save in self.saves.get(number, [])]
        return b"\n".join((*written, lines[-1])) + b"\n"

    def _frame(self, step: int, index: int, word: str, payload: bytes) -> list[bytes]:
        parts = self.said.get((step, index), [payload] if payload else [])
        return [f"frame {word}".encode(), *pieces(parts).encode("ascii").splitlines()]

    def _send(self, number: int, step: list[bytes]) -> list[bytes]:
        """A value that is cut by the end of a send is sent with its beginning."""
        start, end = self.sends[number]
        mine = [(place, parts) for place, parts in self.changes if start <= place.start < end]
        cut = max((place.end for place, _ in self.changes if place.start < start), default=start)
        if not mine and cut <= start:
            return step
        parts: Parts = []
        at = max(start, cut)
        for place, instead in sorted(mine):
            parts += [self.data[at : place.start], *instead]
            at = place.end
        parts.append(self.data[at:end] if at < end else b"")
        sent = pieces([part for part in parts if part])
        return [step[0], *sent.encode("ascii").splitlines()] if sent else []


class _Carrier:
    def __init__(self, sessions: Sequence[Session]) -> None:
        self.scripts = [_Script(exchange, number) for number, session in enumerate(sessions) for exchange in session]
        self.values: dict[tuple[str, ...], Value] = {}
        self.joined: list[tuple[int, int]] = []  # sessions of an answer that gives and of a request that takes
        self._memory = Memory()
        self._answered: list[tuple[_Script, int, int]] = []  # where each answer stands: script, step, number of its request or -1
        self._named: dict[tuple[tuple[str, ...], str], str] = {}  # by a value's key and the coding in which it is saved
        self._names: set[str] = {name.decode() for script in self.scripts for name in _SAVE.findall(script.exchange.text)}  # by hand
        for script in self.scripts:
            self._look_through(script)

    def _look_through(self, script: _Script) -> None:
        waited = 0
        for number, (_, kind, data) in enumerate(script.exchange.steps):
            if kind == "send":
                for index in script.begun_in(number):
                    self._rewrite(script, index)
                for index, frame in enumerate(script.talk.get(number, [])):
                    if frame.opcode == TEXT:
                        self._rewrite_message(script, (number, index), frame.payload)
            elif script.requests and _SAID.match(kind):
                self._rewrite_message(script, (number, 0), data)
            elif kind == "wait response":
                waited += 1
            elif kind == "answered" and (given := answer(data)):
                asked = waited - 1 if 0 < waited <= len(script.requests) else -1
                method, path = self._asked(script, asked)
                self._memory.add(given, method, path)
                self._answered.append((script, number, asked))

    def _asked(self, script: _Script, index: int) -> tuple[str, str]:
        if index < 0:
            return "", ""
        request = script.requests[index]
        return request.method, script.data[slice(*request.target)].decode("latin-1").partition("?")[0]

    def _rewrite(self, script: _Script, index: int) -> None:
        request = script.requests[index]
        taken: dict[Span, str] = {}
        keys: set[tuple[str, ...]] = set()
        for unit, given in self._memory.find(script.data, request):
            taken[unit.place] = self._take(script, given)
            keys.add(given.key)
        for key in keys:
            self.values[key].requests += 1
        script.changes += [(place, [name]) for place, name in taken.items()]
        for number, content in enumerate(request.content):
            inside = {place: name for place, name in taken.items() if content.start <= place.start < content.end}
            if inside:
                rest = content.end - content.start - sum(place.end - place.start for place in inside)
                names = "+".join(name for _, name in sorted(inside.items()))
                if request.sizes:
                    script.changes.append((request.sizes[number], [f"0x{rest:x}+{names}"]))
                else:
                    script.changes.append((request.places("content-length")[0], [f"{rest}+{names}"]))

    def _rewrite_message(self, script: _Script, frame: tuple[int, int], text: bytes) -> None:
        taken = {unit.place: (self._take(script, given), given.key) for unit, given in self._memory.find_in_message(text)}
        parts: Parts = []
        at = 0
        for place, (name, _) in sorted(taken.items()):
            parts += [text[at : place.start], name]
            at = place.end
        if taken:
            script.said[frame] = [part for part in (*parts, text[at:]) if part]
        for key in {key for _, key in taken.values()}:
            self.values[key].messages += 1

    def _take(self, script: _Script, given: Given) -> str:
        """The name under which the answer saves it."""
        giver, step, asked = self._answered[given.answer]
        field_name = given.save.field.title() if given.save.field != "etag" else "ETag"
        if given.key not in self.values:
            where = " ".join(self._asked(giver, asked)) or giver.exchange.name
            self.values[given.key] = Value(given.label, f"{field_name or 'the content'} of {where}")
        if (given.key, given.coding) not in self._named:
            self._named[given.key, given.coding] = self._free(self.values[given.key].label)
        name = self._named[given.key, given.coding]
        saves = giver.saves.setdefault(step, [])
        save = given.save._replace(name=name)
        if save not in saves:
            saves.append(save)
        if not save.field and self._memory.answers[given.answer].coded and asked >= 0:
            uncoded = [(place, [b"identity"]) for place in giver.requests[asked].places("accept-encoding")]
            giver.changes += [change for change in uncoded if change not in giver.changes]
        if giver.session != script.session:
            self.joined.append((giver.session, script.session))
        return name

    def _free(self, label: str) -> str:
        base = re.sub("[^A-Za-z0-9]+", "-", label).strip("-").lower()[:60] or "value"
        name, number = base, 1
        while name in self._names:
            number += 1
            name = f"{base}.{number}"
        self._names.add(name)
        return name

    def sessions(self, given: Sequence[Session]) -> list[Session]:
        """Sessions that share a value are one, with all that stands between them, so that the order stays what it was."""
        last = list(range(len(given)))
        for first, end in self.joined:
            last[first] = max(last[first], end)
        made: list[Session] = []
        number = 0
        while number < len(given):
            end = last[number]
            behind = number
            while behind <= end:
                end = max(end, last[behind])
                behind += 1
            scripts = [script for script in self.scripts if number <= script.session <= end]
            changed = any(script.changes or script.saves or script.said for script in scripts)
            made.append(_written(scripts) if changed else given[number])
            number = end + 1
        return made


def _written(scripts: Sequence[_Script]) -> Session:
    """These exchanges as one session."""
    metas = [_inherited(script.exchange) for script in scripts]
    shared = metas[0] if all(meta == metas[0] for meta in metas) else []
    name = scripts[0].exchange.session or scripts[0].exchange.name
    lines = [MAGIC, f"\nsession {name}\n".encode(), *(f"{line}\n".encode("utf-8", "surrogateescape") for line in shared)]
    used: set[str] = set()
    for script, meta in zip(scripts, metas, strict=True):
        own, number = script.exchange.name, 1
        while own in used:
            number += 1
            own = f"{script.exchange.name[:110]}.{number}"
        used.add(own)
        lines.append(b"\n" + script.text(own, [] if shared else meta))
    return parse(b"".join(lines), name)


def _inherited(exchange: Exchange) -> list[str]:
    """Meta lines of the exchange's session."""
    own = {line.partition(b":")[0] for line in exchange.text.split(b"\n")[1:]}
    return [f"{key}: {value}" for key, value in exchange.meta.items() if key.encode() not in own]


def begins_fresh(session: Session) -> bool:
    """Whether it was recorded on a state that nothing had written to, and is played on such a state."""
    return any(FRESH in exchange.meta.get("needs", "").split() for exchange in session)


def carried(sessions: Sequence[Session]) -> tuple[list[Session], list[str]]:
    """The sessions of one file, and in words which values are carried in them now. To one that begins fresh no other has given anything;
    these come last."""
    if not any(kind == "answered" for session in sessions for exchange in session for _, kind, _ in exchange.steps):
        return list(sessions), []
    made: list[Session] = []
    alike: dict[tuple[str, str], list[Value]] = {}
    for group in ([session for session in sessions if not begins_fresh(session)], *([one] for one in sessions if begins_fresh(one))):
        carrier = _Carrier(group)
        made += carrier.sessions(group)
        for value in carrier.values.values():
            alike.setdefault((value.label, value.origin), []).append(value)
    return made, [_told(values) for values in alike.values()]


def _told(values: Sequence[Value]) -> str:
    """What came under the same name from answers to the same request."""
    counts = ((sum(value.requests for value in values), "request"), (sum(value.messages for value in values), "message"))
    several = f" ({len(values)} values)" if len(values) > 1 else ""
    taken = ", ".join(f"{count} {what}{'s' * (count != 1)}" for count, what in counts if count)
    return f"{values[0].label} from {values[0].origin}{several} → {taken}"
