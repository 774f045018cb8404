"""The traffic of tests as exchange files, for `bridgecheck gate --traffic`. A test is a session.

Knows journals and the grammar (docs/exchange.md). Knows nothing of servers or of pytest.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .._recording import pieces
from ..taps.giver import quoted
from ..taps.recorded import FRESH
from ..taps.traffic import ANSWER_MAX
from .journal import Exchange, Test

_MAGIC = "bridgecheck-exchange 1\n"
_EXCHANGE_MAX = 1 << 18  # octets sent in one; each may be written as four, and a line holds 1 MiB
_FILE_MAX = 60 << 20
_NAME_MAX = 100
_TEXT = (b"text/", b"json", b"html", b"xml", b"form-urlencoded")  # kinds of content in which values are found


@dataclass
class Recorded:
    files: list[tuple[Path, int, str]] = field(default_factory=list)  # with how many exchanges, of which app
    left_out: int = 0  # exchanges


def save(path: Path, tests: Sequence[Test], *, fresh: bool) -> Recorded:
    """To the file PATH.exchange, or into the folder PATH, a file for each app. They are made for their owner alone to read. `fresh`: each
    test began on a state that no other had written to."""
    recorded = Recorded()
    apps = list(dict.fromkeys(exchange.app for test in tests for exchange in test.exchanges))
    one = path.suffix == ".exchange"
    for group in [apps] if one else [[app] for app in apps]:
        file = path if one else path / f"{_name(group[0]) or 'unnamed'}.exchange"
        text, count = _text(tests, set(group), recorded, f"needs: {FRESH}\n" if fresh else "")
        if count:
            file.parent.mkdir(parents=True, exist_ok=True)
            _write(file, text)
            recorded.files.append((file, count, " and ".join(app for app in group if app)))
    return recorded


def _write(file: Path, text: str) -> None:
    whole = file.with_name(f"{file.name}.part")
    with open(os.open(whole, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as out:
        out.write(text)
    whole.replace(file)


def _text(tests: Sequence[Test], apps: set[str], recorded: Recorded, meta: str) -> tuple[str, int]:
    text, size, count = [_MAGIC], len(_MAGIC), 0
    used: Counter[str] = Counter()
    for test in tests:
        inside: Counter[str] = Counter()
        exchanges = []
        for exchange in test.exchanges:
            if exchange.app not in apps:
                continue
            written = "\n".join(_exchange(exchange, inside)) if _fits(exchange) else ""
            if not written or size + len(written) > _FILE_MAX:
                recorded.left_out += 1
                continue
            exchanges.append(written)
            size += len(written) + _NAME_MAX * 4
        if exchanges:
            origin = test.name.encode("ascii", "replace").decode()
            text.append(f"\nsession {_unique(_name(test.name), used)}\n{meta}origin: {origin}\n\n" + "\n\n".join(exchanges) + "\n")
            count += len(exchanges)
    return "".join(text), count


def _fits(exchange: Exchange) -> bool:
    sent = sum(len(value) for word, value in exchange.steps if word in ("send", "frame text", "frame binary"))
    return exchange.status is not None and sent <= _EXCHANGE_MAX


def _exchange(exchange: Exchange, used: Counter[str]) -> Iterator[str]:
    path = exchange.target.partition("?")[0].strip("/") or "front-page"
    yield f"exchange {_unique(_name(f'{exchange.method.lower()}-{path}').replace('.', '-'), used)}"
    yield f"status: {exchange.status}"
    for word, value in exchange.steps:
        yield from _step(word, value)
        if word == "wait response":
            yield "answered"
            yield from pieces([_answered(exchange.connection["responses"][-1])]).splitlines()
    yield "end next"


def _answered(response: dict[str, Any]) -> bytes:
    """As the recorder between clients and a server keeps it (recorder/answer.h)."""
    kind = b"".join(value.lower() for name, value in response["fields"] if name.lower() == b"content-type")
    content = response["body"]["bytes"][:ANSWER_MAX] if any(word in kind for word in _TEXT) else b""
    fields = b"".join(name + b": " + value + b"\r\n" for name, value in response["fields"])
    return f"HTTP/{response['version']} {response['status']}\r\n".encode() + fields + b"\r\n" + content


def _step(word: str, value: Any) -> Iterator[str]:
    if word == "send":
        yield "send"
        yield from pieces([value]).splitlines()
    elif word == "frame close":
        code, reason = value
        yield word if code in (None, 1005, 1006) else f"{word} {code} {quoted(reason)}" if reason else f"{word} {code}"
    elif word == "frame binary":
        yield f"{word} {quoted(value.decode('latin-1'), 'latin-1')}"
    elif word == "frame text":
        yield f"{word} {quoted(value)}"
    else:
        yield word


def _name(given: str) -> str:
    return re.sub("[^A-Za-z0-9._-]+", "-", given)[-_NAME_MAX:].strip("-.")


def _unique(name: str, used: Counter[str]) -> str:
    used[name] += 1
    return name if used[name] == 1 else f"{name}.{used[name]}"
