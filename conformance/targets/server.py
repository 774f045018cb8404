"""SERVER, as it stands on the command line: `name[:key=value[,key=value…]]` or a command template.

Owns that grammar. Knows which names there are from the adapters; knows nothing of running anything.

A text with white space or a brace in it is a command template: split into words as a shell does, run without a shell, with {app} {host}
{port} {python} {workdir} replaced inside the words; a brace that is meant is doubled. Anything else is a name with options: a key is one of
the server's own long options without its dashes, a key without "=" is a flag, a value may hold "=", a comma in it is written "\\,".
"""

import re
import shlex
import string
from collections.abc import Iterator
from dataclasses import dataclass

from .. import adapters
from ..errors import UsageError

PLACEHOLDERS = ("app", "host", "port", "python", "workdir")
NEEDED = ("app", "port")

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Server:
    """A server as the user asked for it."""

    given: str
    name: str  # of its adapter
    options: tuple[tuple[str, str | None], ...] = ()  # in the order they were given; None for a flag
    template: tuple[str, ...] = ()  # words with placeholders


def parse_server(given: str) -> Server:
    """Raises UsageError."""
    if re.search(r"[\s{}]", given):
        return Server(given, adapters.TEMPLATE, template=_template(given))
    name, colon, rest = given.partition(":")
    known = adapters.names()
    if name not in known:
        raise UsageError(f"{given}: no server is called {name!r}; known: {', '.join(known)}, or a command with {{app}} and {{port}} in it")
    options = tuple(_option(given, text) for text in _fields(rest)) if colon else ()
    taken = adapters.load(name).taken
    for key, _ in options:
        if key in taken:
            raise UsageError(f"{given}: bridgecheck itself sets {key} for each target")
    return Server(given, name, options)


def _fields(text: str) -> Iterator[str]:
    """Split at commas, except those behind a backslash."""
    for field in re.findall(r"(?:^|,)((?:\\,|[^,])*)", text):
        yield field.replace("\\,", ",")


def _option(given: str, text: str) -> tuple[str, str | None]:
    key, equals, value = text.partition("=")
    if not _KEY.fullmatch(key):
        raise UsageError(f"{given}: {key!r} is no option; write name:key=value,key=value with the server's long options, without dashes")
    return key, value if equals else None


def _template(given: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(given))
    except ValueError as error:
        raise UsageError(f"{given}: {str(error).lower()}") from None
    found = {name for word in words for name in _placeholders(given, word)}
    for name in NEEDED:
        if name not in found:
            raise UsageError(f"{given}: a command needs {{{name}}} in it")
    return words


def _placeholders(given: str, word: str) -> Iterator[str]:
    try:
        parts = list(string.Formatter().parse(word))
    except ValueError:
        raise UsageError(f"{given}: a single brace in {word!r}; write {{{{ or }}}} for a brace that is meant") from None
    for _, name, form, conversion in parts:
        if name is None:
            continue
        if name not in PLACEHOLDERS or form or conversion:
            known = " ".join(f"{{{known}}}" for known in PLACEHOLDERS)
            raise UsageError(f"{given}: {word!r} holds a placeholder that is none of {known}; write {{{{ or }}}} for a brace that is meant")
        yield name
