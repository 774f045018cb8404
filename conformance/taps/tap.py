"""Taps: where exchanges come from. Each gives sessions; what is played and judged afterwards is the same for all.

Knows files and the packages that ship them. Knows nothing of targets.
"""

import re
import signal
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path
from urllib.parse import quote

from .._player import Exchange, ExchangeError, parse
from ..autobahn import case, drive
from ..compare.demand import LEVELS, Demand, DemandError
from ..errors import UsageError
from ..targets.route_list import ListedRoute
from .recorded import FRESH, MAGIC, Session, carried

# In the folder of the package bridgecheck.spec, on its own: the Python of a target need not have bridgecheck.
PROBE = "apps.probe:app"


@dataclass(frozen=True)
class Tap:
    """Exchanges of one origin. `own_app`: meant for the user's app, in order and on one state; else for the probe app, which has none."""

    name: str
    own_app: bool
    sessions: list[Session]
    carried: tuple[str, ...] = ()  # values that an answer gives to later requests, in words

    @property
    def exchanges(self) -> int:
        return sum(map(len, self.sessions))


def read(path: Path) -> list[Exchange]:
    """The exchanges of one file. UsageError names file, line and column, or file, line and exchange of a `must` or `should`."""
    try:
        exchanges = parse(path.read_bytes(), str(path))
    except ExchangeError as error:
        raise UsageError(f"{error.file}:{error.line}:{error.column}: {error.message}") from None
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    for exchange in exchanges:
        for level in LEVELS:
            try:
                Demand.of(exchange.meta, level)
            except DemandError as error:
                raise UsageError(f"{path}:{exchange.line}: exchange {exchange.name}: {level}: {error}") from None
        if exchange.process:
            _check_process(path, exchange)
        if case.KEY in exchange.meta:
            _check_autobahn(path, exchange)
    return exchanges


def _check_process(path: Path, exchange: Exchange) -> None:
    """What the grammar says of process steps beyond their form."""
    if exchange.session:
        line, _, _ = exchange.process[0]
        raise UsageError(f"{path}:{line}: exchange {exchange.name}: with process steps it has a start of its own, and no session")
    for line, word, words in exchange.process:
        if word == "start" and line != exchange.steps[0][0]:
            raise UsageError(f"{path}:{line}: exchange {exchange.name}: process start is the first step")
        if word == "signal" and words[0] not in signal.Signals.__members__:
            raise UsageError(f"{path}:{line}: exchange {exchange.name}: no signal is called {words[0]}")


def _check_autobahn(path: Path, exchange: Exchange) -> None:
    """What the grammar says of an exchange whose script is Autobahn's."""
    if exchange.session or exchange.steps:
        raise UsageError(f"{path}:{exchange.line}: exchange {exchange.name}: its script is a case of Autobahn's: no step, and no session")
    if exchange.meta[case.KEY] not in drive.cases():
        raise UsageError(f"{path}:{exchange.line}: exchange {exchange.name}: Autobahn has no case {exchange.meta[case.KEY]}")


def sessions(exchanges: Iterable[Exchange]) -> list[Session]:
    """Neighbours of the same session together; an exchange outside a session is one of its own."""
    grouped: list[Session] = []
    for exchange in exchanges:
        if exchange.session and grouped and grouped[-1][0].session == exchange.session:
            grouped[-1].append(exchange)
        else:
            grouped.append([exchange])
    return grouped


_WAITING = (b"\npause ", b"\nend open ", b"\nend close", b" within ", b"\nwait closed")  # what a case says that waits for silence or an end


def needs(exchange: Exchange) -> set[str]:
    """What a target must offer."""
    return set(exchange.meta.get("needs", "").split())


def spec(quick: bool = False) -> Tap:
    """The hand-written cases of spec/cases, for the probe app; quick ones wait for nothing and leave every server running."""
    with as_file(files("bridgecheck.spec").joinpath("cases")) as folder:
        found = [session for path in sorted(folder.glob("*.exchange")) for session in sessions(read(path))]
    if quick:
        found = [session for session in found if not any(waits(exchange) for exchange in session)]
    return Tap("spec", False, found)


def waits(exchange: Exchange) -> bool:
    """Whether it waits for what may never come, or may end the server."""
    return bool(needs(exchange) - {"websocket", FRESH}) or any(word in exchange.text for word in _WAITING)


def without(tap: Tap, left_out: set[str]) -> Tap:
    """The same but for sessions with an exchange that needs any of these."""
    return replace(tap, sessions=[session for session in tap.sessions if not any(needs(exchange) & left_out for exchange in session)])


def speaks_websocket(taps: Iterable[Tap]) -> bool:
    """Whether any of their exchanges needs one, or has a frame to send."""
    exchanges = (exchange for tap in taps for session in tap.sessions for exchange in session)
    return any("websocket" in needs(exchange) or any(kind.startswith("frame ") for _, kind, _ in exchange.steps) for exchange in exchanges)


def autobahn(patterns: Sequence[str] = ()) -> Tap:
    """Autobahn's cases against the probe app, of which these are chosen: by their number, or by a pattern such as `7.*`."""
    text = "\n".join([MAGIC.decode(), *(case.text(name, about) for name, about in drive.cases(patterns).items())])
    return Tap("autobahn", False, sessions(parse(text.encode(), "autobahn")))


def carrying(path: Path, carry: bool = True) -> tuple[list[Session], tuple[str, ...]]:
    """The sessions of one file, and in words the values that they carry, where they are to."""
    found = sessions(read(path))
    if not carry:
        return found, ()
    found, values = carried(found)
    return found, tuple(values)


def recorded(paths: Sequence[Path], carry: bool = True) -> Tap:
    """The user's traffic: exchange files, or folders of them."""
    found: list[Session] = []
    values: list[str] = []
    for path in paths:
        inside = sorted(path.glob("**/*.exchange")) if path.is_dir() else [path]
        if not inside:
            raise UsageError(f"{path}: no .exchange file in this folder")
        for file in inside:
            some, of_file = carrying(file, carry)
            found.extend(some)
            values.extend(of_file)
    return Tap("recorded", True, found, tuple(values))


_SAFE = {b"GET", b"HEAD", b"OPTIONS", b"TRACE"}  # RFC 9110 section 9.2.1


def writes(session: Session) -> bool:
    """Whether it may change what other sessions see: all but requests whose methods are safe."""
    return any(_may_write(exchange) for exchange in session)


def _may_write(exchange: Exchange) -> bool:
    methods = {method for method, _ in exchange.requests}
    return not methods or bool(methods - _SAFE) or b"\n> upgrade:" in exchange.text.lower() or "websocket" in needs(exchange)


_AS_IT_IS = "/:@!&'()*+,;=~"  # in a path; the dollar begins a value in an exchange's bytes


def of_routes(listed: Sequence[ListedRoute] | None) -> Tap:
    """A first look at the user's app where there is no traffic of it yet: GET, which is safe, of each route that needs no value in its
    path; of an app that keeps no list, GET of its root."""
    paths = [item.path for item in listed if item.method == "GET" and "{" not in item.path] if listed is not None else ["/"]
    names: Counter[str] = Counter()
    pieces = [MAGIC]
    for path in paths:
        name = re.sub("[^A-Za-z0-9_]+", "-", path).strip("-")[:100] or "root"
        names[name] += 1
        number = f".{names[name]}" if names[name] > 1 else ""
        request = [f"> GET {quote(path, safe=_AS_IT_IS)} HTTP/1.1", "> Host: 127.0.0.1", "> Accept: */*", ">"]
        lines = [f"exchange get-{name}{number}", "origin: routes", "send", *request, "wait response", "end next"]
        pieces.append("\n".join(["", *lines, ""]).encode())
    return Tap("routes", True, sessions(parse(b"".join(pieces), "routes")) if paths else [])


def text(session: Sequence[Exchange], app: str) -> bytes:
    """A file that plays these exchanges again; `app` names the app they need, where they do not say it themselves."""
    lines = [MAGIC]
    named = session[0].session
    if named:
        lines.append(f"\nsession {named}\n".encode())
        if not any(_own_meta(exchange, "app") for exchange in session):
            lines.append(f"app: {app}\n".encode())
    for exchange in session:
        body = exchange.text.rstrip(b"\n") + b"\n"
        if not named and not _own_meta(exchange, "app"):
            head, _, rest = body.partition(b"\n")
            body = head + f"\napp: {app}\n".encode() + rest
        lines.append(b"\n" + body)
    return b"".join(lines)


def _own_meta(exchange: Exchange, key: str) -> bool:
    return any(line.startswith(f"{key}:".encode()) for line in exchange.text.split(b"\n"))
