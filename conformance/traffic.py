"""Traffic that another tool recorded, as the text of an exchange file.

Knows entries, secrets and the grammar. Knows nothing of files and options.
"""

import re
from collections import Counter
from collections.abc import Sequence

from ._recording import pieces
from .giver import Save
from .har import Entry, Har
from .secret import Parts, Rewritten, Secrets

# What belongs to one connection, or is made anew here.
_DROPPED = frozenset(
    "host connection keep-alive proxy-connection transfer-encoding te upgrade http2-settings content-length expect".split()
)
_NAME_MAX = 80


def sessions(har: Har, secrets: Secrets | None) -> dict[str, list[int]]:
    """The entries of each session, by index: a page's or a connection's, and together where one needs what an answer to the other gave."""
    names = [entry.group for entry in har.entries]
    leader = {name: name for name in names}

    def lead(name: str) -> str:
        while leader[name] != name:
            name = leader[name]
        return name

    for index, entry in enumerate(har.entries):
        for giver in secrets.rewrite(entry).givers if secrets else ():
            first, second = lead(names[giver]), lead(names[index])
            leader[max(first, second, key=names.index)] = min(first, second, key=names.index)
    found: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        found.setdefault(lead(name), []).append(index)
    return found


def text(har: Har, name: str, secrets: Secrets | None) -> str:
    """The sessions of one file, without the grammar's first line."""
    lines: list[str] = []
    used: Counter[str] = Counter()
    for group, indexes in sessions(har, secrets).items():
        session = _unique(_name(f"{name}-{group}" if group else name), used)
        lines += ["", f"session {session}", f"origin: {har.origin}"]
        inside: Counter[str] = Counter()
        for index in indexes:
            entry = har.entries[index]
            saves = secrets.saves.get(index, []) if secrets else []
            request = secrets.rewrite(entry) if secrets else _as_it_is(entry)
            lines += ["", f"exchange {_unique(_exchange_name(entry.method, request.target), inside)}", f"status: {entry.status}", "send"]
            lines += pieces(_request(entry, request, saves)).splitlines()
            lines += ["wait response", *map(str, saves), "end next"]
    return "\n".join(lines) + "\n"


def _as_it_is(entry: Entry) -> Rewritten:
    fields: list[tuple[str, Parts]] = [(name, [value.encode()]) for name, value in entry.fields]
    return Rewritten([entry.target.encode()], fields, [entry.content], frozenset())


def _request(entry: Entry, rewritten: Rewritten, saves: Sequence[Save]) -> Parts:
    """HTTP/1.1, with one Content-Length where there is a body, or there was one."""
    parts: Parts = [f"{entry.method} ".encode(), *rewritten.target, f" HTTP/1.1\r\nHost: {entry.host}\r\n".encode()]
    dropped = set(_DROPPED)
    if any(not save.field for save in saves) and any(name.lower() == "content-encoding" for name, _ in entry.answered):
        dropped.add("accept-encoding")  # a value is taken from the bytes as they come
    cookies: list[Parts] = []
    for name, value in rewritten.fields:
        if name.lower() == "cookie":
            cookies.append(value)  # HTTP/2 may split what HTTP/1.1 has in one line
        elif name.lower() not in dropped:
            parts += [f"{name}: ".encode(), *value, b"\r\n"]
    for index, value in enumerate(cookies):
        parts += [b"; " if index else b"Cookie: ", *value]
    if cookies:
        parts.append(b"\r\n")
    if any(rewritten.content) or entry.field("content-length") or entry.method in ("POST", "PUT", "PATCH"):
        saved = [part for part in rewritten.content if isinstance(part, str)]
        length = sum(len(part) for part in rewritten.content if isinstance(part, bytes))
        parts += [b"Content-Length: ", "+".join((str(length), *saved)) if saved else str(length).encode(), b"\r\n"]
    return [*parts, b"\r\n", *rewritten.content]


def _name(given: str) -> str:
    return re.sub("[^A-Za-z0-9._-]+", "-", given)[:_NAME_MAX].strip("-") or "traffic"


def _exchange_name(method: str, target: Parts) -> str:
    """`get-items-3`, without a dot: behind one stands the number of what has the same name."""
    path = "".join(part.decode("ascii") if isinstance(part, bytes) else part for part in target).partition("?")[0]
    name = f"{method.lower()}-{path.strip('/') or 'front-page'}"
    return re.sub("[^A-Za-z0-9_]+", "-", name)[:_NAME_MAX].strip("-") or "request"


def _unique(name: str, used: Counter[str]) -> str:
    used[name] += 1
    return name if used[name] == 1 else f"{name}.{used[name]}"
