"""Routes: how often each route of the user's app was played, from which tap, with which statuses, who answered, and what differed.

Takes exchanges with their facts. The app's own list gives the rows where there is one, so that what was never played stands there, too;
what leads to none of them stands as it was played. Knows nothing of targets, servers or reports.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

from ._player import Exchange
from .compare.fact import Facts
from .compare.value import plain, text
from .targets.route_list import ANY, WEBSOCKET, ListedRoute

APP, NATIVE, NOBODY = "app", "native", "nobody"  # who answered: the app was called, it was not, there was no answer

_OF_SOCKET = b"\nsec-websocket-key:"


@dataclass
class Route:
    """One row."""

    method: str
    path: str
    listed: bool  # by the app itself
    taps: Counter[str] = field(default_factory=Counter)  # how often it was played, by tap
    statuses: set[int] = field(default_factory=set)  # as the reference answered
    answered: dict[str, Counter[str]] = field(default_factory=dict)  # by target: who, and how often
    differs: bool = False

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def played(self) -> int:
        return sum(self.taps.values())

    @property
    def verdict(self) -> str:
        return "never reached" if not self.taps else "different" if self.differs else "same"


class RouteTable:
    """Collects over a run. `listed` is None where the app keeps no list."""

    def __init__(self, listed: Sequence[ListedRoute] | None, targets: Sequence[str]) -> None:
        self._listed = list(listed or ())
        self._targets = list(targets)
        self._rows: dict[str, Route] = {item.name: Route(item.method, item.path, True) for item in self._listed}

    def see(self, tap: str, exchange: Exchange, facts: Sequence[Facts], differs: bool) -> None:
        """An exchange as it was played first: its facts under each target, in their order."""
        requests = _requests(exchange)
        calls = [_calls(item) for item in facts]
        if len(calls[0]) == len(requests):
            requests = calls[0]  # the same, with the values in them that were saved on the way
        names = [self._name(*request) for request in requests]
        answers = [_answers(item, len(requests)) for item in facts]
        for index, (name, (method, _)) in enumerate(zip(names, requests, strict=True)):
            row = self._rows.setdefault(name, Route(method, name.partition(" ")[2], False))
            row.taps[tap] += 1
            row.differs |= differs
            row.statuses |= answers[0].statuses(index)
        for target, made, answer in zip(self._targets, calls, answers, strict=True):
            called = Counter(names if len(made) == len(requests) else (self._name(*call) for call in made))
            silent = answer.missing
            for name, asked in Counter(names).items():
                by_app = min(asked, called[name])
                nobody = min(asked - by_app, silent)
                silent -= nobody
                who = {APP: by_app, NATIVE: asked - by_app - nobody, NOBODY: nobody}
                self._rows[name].answered.setdefault(target, Counter()).update({key: count for key, count in who.items() if count})

    def rows(self) -> list[Route]:
        """What was never reached first; within, what the app lists in its order, then what was played besides."""
        order = {item.name: number for number, item in enumerate(self._listed)}
        return sorted(self._rows.values(), key=lambda row: (bool(row.taps), order.get(row.name, len(order)), row.path, row.method))

    def _name(self, method: str, path: str) -> str:
        """The row that a request counts for: as the app's router would choose, and without a route for the method, as it was played. A HEAD
        that comes with a GET by itself has its row where it was played."""
        here = [item for item in self._listed if item.pattern.match(path) and (item.method == WEBSOCKET) == (method == WEBSOCKET)]
        found = next((item for item in here if item.method in (method, ANY)), None)
        return found.name if found else f"{method} {here[0].path if here else path}"


@dataclass(frozen=True)
class _Answers:
    """What came back for the requests of one exchange on one target."""

    in_order: list[int]  # final statuses
    apart: bool  # one answer for each request, in order, so that each has its own
    missing: int  # requests that nothing answered

    def statuses(self, index: int) -> set[int]:
        return {self.in_order[index]} if self.apart else set(self.in_order)


def _answers(facts: Facts, requests: int) -> _Answers:
    found = [(*_ordinal(place), value) for (place, path), value in facts.items() if path == "response.status"]
    one_connection = len({connection for connection, _, _ in found}) <= 1
    statuses = [value for _, _, value in sorted(found)]
    return _Answers(statuses, one_connection and len(statuses) == requests, max(0, requests - len(statuses)))


def _ordinal(place: str) -> tuple[str, int]:
    """`main response 2`: the second of main."""
    connection, _, number = place.split(" ")
    return connection, int(number)


def _calls(facts: Facts) -> list[tuple[str, str]]:
    """Method and path of each call of the app, the path without the root that the server was given."""
    found = []
    for place, path in facts:
        if path == "call":
            kind, method, target, root = (facts.get((place, f"scope.{key}"), "") for key in ("type", "method", "path", "root_path"))
            name = WEBSOCKET if plain(kind) == "websocket" else text(plain(method))
            found.append((name, text(plain(target)).removeprefix(text(plain(root)))))
    return found


def _requests(exchange: Exchange) -> list[tuple[str, str]]:
    """Method and path of each request, as the app's router would see them."""
    socket = _OF_SOCKET in exchange.text.lower().replace(b"\n> ", b"\n")
    found = []
    for method, target in exchange.requests:
        name = WEBSOCKET if socket and method == b"GET" else method.decode("latin-1")
        found.append((name, _path(target.decode("latin-1"))))
    return found


def _path(target: str) -> str:
    """The path of a target in whatever form, decoded as a scope's."""
    path = target.partition("?")[0]
    if not path.startswith("/") and "://" in path:
        path = f"/{path.partition('://')[2].partition('/')[2]}"
    return unquote(path, errors="replace")
