"""Start commands: the app that a project's own Dockerfile, Procfile, compose file, scripts and tasks give to a server.

Owns which files are read for commands and how a command names its app. Reads lines and words, and is no shell: a name that stands in a
variable is not seen. Whether there is such an app is not known here.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FILES = (
    *("Procfile", "Dockerfile", "*.Dockerfile", "Dockerfile.*", "compose*.y*ml", "docker-compose*.y*ml"),
    *("Makefile", "justfile", "Taskfile.y*ml", "pyproject.toml", "*.sh"),
)
SERVERS = ("uvicorn", "gunicorn", "hypercorn", "granian", "daphne")
_DEPTH = 2  # folders below the project's
_BYTES_MAX = 256 << 10  # a longer file is no list of commands
_APP = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
_WORDS = re.compile(r"[^\s\"'`,\[\]()]+")  # of a shell's line as of a JSON or YAML list


@dataclass(frozen=True)
class StartCommand:
    """One command that starts a server with an app."""

    reference: str  # module:attribute
    factory: bool
    app_dir: str  # as the command says it; "" where it does not
    file: Path
    line: int


def start_commands(folder: Path) -> Iterator[StartCommand]:
    """All that are found, file by file; what is commented out is none."""
    seen = set()
    for depth in range(_DEPTH + 1):
        for pattern in FILES:
            for path in sorted(folder.glob("*/" * depth + pattern)):
                inside = path.relative_to(folder).parts
                if path not in seen and path.is_file() and not any(part.startswith(".") or part == "node_modules" for part in inside):
                    seen.add(path)
                    yield from _in_file(path)


def _in_file(path: Path) -> Iterator[StartCommand]:
    try:
        if path.stat().st_size > _BYTES_MAX:
            return
        lines = path.read_text("utf-8", "replace").split("\n")
    except OSError:
        return
    number = 0
    while number < len(lines):
        first, text = number, lines[number]
        while text.endswith("\\") and number + 1 < len(lines):
            number += 1
            text = text[:-1] + " " + lines[number]
        number += 1
        if not text.lstrip().startswith("#") and (command := _in_line(text, path, first + 1)):
            yield command


def _in_line(text: str, path: Path, line: int) -> StartCommand | None:
    words = _WORDS.findall(text)
    server = next((index for index, word in enumerate(words) if word.rpartition("/")[2] in SERVERS), None)
    if server is None or "wsgi" in words or ("gunicorn" in words[server] and "uvicorn" not in text):
        return None  # nothing of ASGI
    options = words[server + 1 :]
    for index, word in enumerate(options):
        before = options[index - 1] if index else ""
        if _APP.fullmatch(word) and not (before.startswith("-") and _takes_such(before)):
            return StartCommand(word, "--factory" in options, _app_dir(options), path, line)
    return None


def _takes_such(option: str) -> bool:
    """Whether what stands behind it looks like an app and is none: the class of gunicorn's workers, or an address."""
    return option in ("-k", "--worker-class", "-b", "--bind", "--logger-class")


def _app_dir(options: list[str]) -> str:
    for index, word in enumerate(options):
        name, equals, value = word.partition("=")
        if name in ("--app-dir", "--chdir", "--working-dir"):
            return value if equals else next(iter(options[index + 1 :]), "")
    return ""
