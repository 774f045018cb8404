"""Events that no app should send, made by number: the same number is the same events in every process.

What docs/violations.md calls uvicorn's own faults is left out: 1xx, 204 and 304, more than one content-length or one that is not digits,
transfer-encoding, the app's own date and server.
"""

import array
import collections
import decimal
import enum
import fractions
import http
import random
import re
import types
from collections.abc import Callable, Iterator
from typing import Any

ADDRESS = re.compile(r"0x[0-9a-f]+")
START, BODY = "http.response.start", "http.response.body"


class Text(str): ...


class Octets(bytes): ...


class Number(int): ...


class Status(enum.IntEnum):
    FINE = 200
    ODD = 299


class Kind(str, enum.Enum):  # noqa: UP042 - as many apps have them
    START = "http.response.start"
    BODY = "http.response.body"


class Mapping(collections.abc.Mapping):  # type: ignore[type-arg]
    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content

    def __getitem__(self, name: str) -> Any:
        return self.content[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.content)

    def __len__(self) -> int:
        return len(self.content)


class Items:
    """Has items, and no get()."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content

    def __getitem__(self, name: str) -> Any:
        return self.content[name]


class Missing(dict):  # type: ignore[type-arg]
    def __missing__(self, name: str) -> Any:
        return "made up"


class Refusing(dict):  # type: ignore[type-arg]
    def get(self, name: str, default: Any = None) -> Any:
        raise LookupError(f"no {name} for you")


class Broken:
    """Raises whatever is asked of it."""

    def __len__(self) -> int:
        raise ArithmeticError("no length")

    def __iter__(self) -> Iterator[Any]:
        raise ArithmeticError("no items")

    def __eq__(self, other: object) -> bool:
        raise ArithmeticError("no equal")

    def __hash__(self) -> int:
        raise ArithmeticError("no hash")


class Sized:
    """Has a length and nothing else."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __len__(self) -> int:
        return self.size


Make = Callable[[], Any]
VALUES: list[Make] = [
    lambda: None,
    lambda: "",
    lambda: "text",
    lambda: "200",
    lambda: Text("text"),
    lambda: b"",
    lambda: b"octets",
    lambda: Octets(b"octets"),
    lambda: bytearray(),
    lambda: bytearray(b"octets"),
    lambda: memoryview(b""),
    lambda: memoryview(b"octets"),
    lambda: memoryview(bytearray(b"octets"))[1:3],
    lambda: memoryview(b"octets")[::2],
    lambda: array.array("B", b"octets"),
    lambda: 0,
    lambda: 1,
    lambda: -1,
    lambda: 7,
    lambda: 10**30,
    lambda: True,
    lambda: False,
    lambda: Number(200),
    lambda: 200.0,
    lambda: 1.5,
    lambda: float("nan"),
    lambda: 1j,
    lambda: decimal.Decimal(200),
    lambda: fractions.Fraction(1, 2),
    lambda: [],
    lambda: [1],
    lambda: [b"octets"],
    lambda: (),
    lambda: (b"octets", b"octets"),
    lambda: {},
    lambda: {b"octets": b"octets"},
    lambda: set(),
    lambda: {1},
    lambda: frozenset({b"octets"}),
    lambda: range(0),
    lambda: range(3),
    lambda: iter([]),
    lambda: (octet for octet in b"octets"),
    lambda: object(),
    lambda: object,
    lambda: ...,
    lambda: print,
    lambda: Broken(),
    lambda: Sized(0),
    lambda: Sized(3),
    lambda: Kind.START,
    lambda: http.HTTPStatus.OK,
]
STATUSES: list[Make] = [
    lambda: 200,
    lambda: 201,
    lambda: 299,
    lambda: 404,
    lambda: 599,
    lambda: 99,
    lambda: 600,
    lambda: 999,
    lambda: -200,
    lambda: 10**18,
    lambda: 2**64 + 200,
    lambda: http.HTTPStatus.NOT_FOUND,
    lambda: Status.FINE,
    lambda: Status.ODD,
    lambda: Number(404),
    lambda: 404.0,
    lambda: decimal.Decimal(404),
    lambda: fractions.Fraction(404),
    lambda: 404 + 0j,
    lambda: "404",
    lambda: b"404",
    lambda: (404,),
    lambda: [404],
]
TYPES: list[Make] = [
    lambda: START,
    lambda: BODY,
    lambda: Text(START),
    lambda: Text(BODY),
    lambda: Kind.START,
    lambda: Kind.BODY,
    lambda: "http.response.trailers",
    lambda: "http.response.pathsend",
    lambda: "websocket.accept",
    lambda: "HTTP.RESPONSE.START",
    lambda: START.encode(),
    lambda: "%s {type} \x00\udcff\xe9",
]
NAMES: list[Make] = [
    lambda: b"x-name",
    lambda: b"X-Name",
    lambda: bytearray(b"X-Name"),
    lambda: memoryview(b"X-Name"),
    lambda: Octets(b"X-Name"),
    lambda: b"",
    lambda: b"bad name",
    lambda: b"bad\x00",
    lambda: b"\xe9",
    lambda: b"x:",
    lambda: b'x"',
    lambda: "x-name",
    lambda: b"content-type",
    lambda: b"connection",
    lambda: bytearray(b"Connection"),
]
FIELD_VALUES: list[Make] = [
    lambda: b"value",
    lambda: b"",
    lambda: b" \tvalue\t ",
    lambda: b"\xe9\xff",
    lambda: b"close",
    lambda: b"a, CLOSE ,b",
    lambda: b"keep-alive",
    lambda: b"bad\r\nvalue",
    lambda: b"bad\x00",
    lambda: b"bad\x7f",
    lambda: bytearray(b"value"),
    lambda: bytearray(b"close"),
    lambda: memoryview(b"value"),
    lambda: memoryview(b"close"),
    lambda: memoryview(b"value")[::-1],
    lambda: array.array("B", b"value"),
    lambda: array.array("H", b"value!"),
    lambda: Octets(b"value"),
    lambda: "value",
]
LENGTHS: list[Make] = [
    lambda: b"0",
    lambda: b"6",
    lambda: b"7",
    lambda: b" 6 ",
    lambda: bytearray(b"6"),
    lambda: Octets(b"6"),
    lambda: memoryview(b"6"),
    lambda: "6",
    lambda: 6,
    lambda: None,
]


class Series:
    """The events of a number, and how the app sends them."""

    def __init__(self, number: int) -> None:
        self._random = random.Random(f"odd {number}")
        self.method = "HEAD" if self.happens(0.1) else "GET"
        self.caught = self.happens(0.7)  # the app catches what send() raises
        self.description: list[str] = []
        self.events = [self._event() for _ in range(self._random.choice([2, 3, 3, 4]))]

    def happens(self, chance: float) -> bool:
        return self._random.random() < chance

    def _of(self, choices: list[Make], odd: float) -> Any:
        """One of the choices, or with this chance any value at all."""
        made = self._random.choice(VALUES if self.happens(odd) else choices)()
        self.description.append(ADDRESS.sub("0x", repr(made)))
        return made

    def _event(self) -> Any:
        chance = self._random.random()
        if not self.description and chance < 0.85:
            event = self._start()
        elif chance < 0.85:
            event = self._body()
        elif chance < 0.95:
            event = {"type": self._of(TYPES, 0.3), "status": 200, "body": b"octets"}
        else:
            return self._of([lambda: {}, lambda: {"Type": START}, lambda: [("type", START)]], 0.5)
        return self._contained(event)

    def _contained(self, event: dict[str, Any]) -> Any:
        if self.happens(0.8):
            return event
        kinds = [dict, collections.OrderedDict, types.MappingProxyType, collections.UserDict, collections.ChainMap, Mapping, Items, Missing]
        kind = self._random.choice(
            [*kinds, Refusing, lambda event: collections.defaultdict(list, event), lambda event: list(event.items())]
        )
        self.description.append(str(kind))
        return kind(event)  # type: ignore[operator]

    def _start(self) -> dict[str, Any]:
        event: dict[str, Any] = {"type": START, "status": 200, "headers": []}
        if self.happens(0.3):
            event["status"] = self._of(STATUSES, 0.3)
        if self.happens(0.05):
            del event["status"]
        event["headers"] = self._headers()
        if self.happens(0.1):
            del event["headers"]
        return event

    def _headers(self) -> Any:
        if self.happens(0.1):
            return self._of([lambda: None, lambda: "ab", lambda: b"ab", lambda: {b"a": b"b"}, lambda: {b"ab": b"c"}], 0.5)
        pairs = [self._pair() for _ in range(self._random.choice([0, 1, 1, 2, 3, 70]))]
        if self.happens(0.3):
            length = [b"content-length", self._of(LENGTHS, 0.1)]
            pairs.insert(self._random.randint(0, len(pairs)), self._random.choice([tuple, list, iter])(length))
        kind = self._random.choice([list, list, list, tuple, iter, collections.deque, lambda pairs: (pair for pair in pairs)])
        return kind(pairs)  # type: ignore[operator]

    def _pair(self) -> Any:
        if self.happens(0.05):
            odd: list[Make] = [lambda: (b"a",), lambda: (b"a", b"b", b"c"), lambda: "ab", lambda: b"ab", lambda: {b"a": 1, b"b": 2}]
            return self._of(odd, 0.4)
        name = self._of(NAMES, 0.03) if self.happens(0.2) else b"x-name"
        value = self._of(FIELD_VALUES, 0.03) if self.happens(0.2) else b"value"
        return self._random.choice([tuple, tuple, list, iter])([name, value])

    def _body(self) -> dict[str, Any]:
        event: dict[str, Any] = {"type": BODY, "body": b"octets", "more_body": self.happens(0.3)}
        if self.happens(0.4):
            event["body"] = self._of([lambda: b"octets", lambda: b"", lambda: b"more than that", lambda: None], 0.8)
        if self.happens(0.2):
            event["more_body"] = self._of([lambda: True, lambda: False, lambda: None], 0.8)
        for key in ("body", "more_body"):
            if self.happens(0.1):
                del event[key]
        return event


def is_start(event: Any) -> bool:
    try:
        return bool(event["type"] == START)
    except Exception:
        return False


async def events(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """Sends the series of the number that the path ends with, and notes what each send() raises. "no head": a response's start failed;
    "no content": content of a known length did."""
    series = Series(int(scope["path"].rpartition("-")[2]))
    started = False
    for event in series.events:
        first_start = not started and is_start(event)
        started |= first_start
        try:
            await send(event)
        except Exception as error:
            call.note(type(error).__name__, ADDRESS.sub("0x", str(error)))
            if first_start:
                call.note("no head")
            elif str(error).startswith("memoryview: "):
                call.note("no content")
            if not series.caught:
                raise
        else:
            call.note("fine")


async def wide(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """Content whose length in items is not that in octets."""
    fields = [(b"content-length", b"12")] if b"length" in scope["query_string"] else []
    await send({"type": START, "status": 200, "headers": fields})
    for wide in (array.array("H", b"abcdef"), memoryview(array.array("I", b"ghij"))):
        await send({"type": BODY, "body": wide, "more_body": True})
    await send({"type": BODY, "body": memoryview(b"kl").cast("B", (2, 1))})
