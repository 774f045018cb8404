"""Fails where a room of the house reaches into another that it must not know.

    ci/boundaries.py sources [ROOT]      what may include and import what
    ci/boundaries.py core ARCHIVE        the bridge's core calls nothing of Python's
    ci/boundaries.py extension FILE      an extension module exports its init function only

Owns these rules and nothing else: each is a sentence of DESIGN's, or of a file's head, that a build can hold.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)


def modules(file: Path) -> Iterator[str]:
    """The modules that a Python file imports, as they are written: relative ones with their dots."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"), str(file))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")
            if node.module in (None, "bridgecheck"):
                yield from ("." * node.level + f"{node.module or ''}.{name.name}".lstrip(".") for name in node.names)


def sources(root: Path) -> Iterator[str]:
    """What reaches too far, a line each."""
    for file in sorted((root / "conformance").rglob("*.py")):
        if "tests" in file.parts:
            continue
        # An adapter names the module that it starts, and what it asks runs in the target's own interpreter.
        if file.is_relative_to(root / "conformance" / "adapters"):
            continue
        for module in modules(file):
            if module.split(".")[:2] == ["bridgecheck", "bridge"]:
                yield f"{file}: conformance/ imports {module}, and must meet the bridge as it meets any server"
    for file in sorted((root / "bridge").rglob("*.py")):
        for module in modules(file):
            if module.split(".")[:2] in (["bridgecheck", "conformance"], ["bridgecheck", "spec"]) and "tests" not in file.parts:
                yield f"{file}: bridge/ imports {module}, and must know nothing of who judges it"
    for file in sorted(path for path in (root / "bridge").rglob("*.[ch]")):
        core = file.is_relative_to(root / "bridge" / "core")
        for name in INCLUDE.findall(file.read_text("utf-8")):
            if core and (name == "Python.h" or "asgi/" in name):
                yield f"{file}: the core includes {name}, and must not know Python"
            if not core and "core/" in name and name != "../core/server.h":
                yield f"{file}: includes {name}; the layer above the core includes its one header, server.h"
            if re.search(r"\b(conformance|spec)/", name):
                yield f"{file}: bridge/ includes {name}, and must know nothing of who judges it"


def symbols(file: str, *options: str) -> list[str]:
    listed = subprocess.run(["nm", *options, file], check=True, capture_output=True, text=True).stdout
    return [line.split()[-1] for line in listed.splitlines() if line.strip() and not line.endswith(":")]


def core(archive: str) -> Iterator[str]:
    for name in symbols(archive, "--undefined-only"):
        if name.startswith(("Py", "_Py")):
            yield f"{archive}: the core calls {name}, and must not know Python"


def extension(file: str) -> Iterator[str]:
    for name in symbols(file, "--dynamic", "--defined-only"):
        if not name.startswith("PyInit_"):
            yield f"{file}: exports {name}; only its init function may be seen, or it takes over another library's calls"


def main() -> None:
    match sys.argv[1:]:
        case ["sources"]:
            found = list(sources(Path(".")))
        case ["sources", root]:
            found = list(sources(Path(root)))
        case ["core", archive]:
            found = list(core(archive))
        case ["extension", file]:
            found = list(extension(file))
        case _:
            sys.exit(__doc__)
    sys.exit("\n".join(found) or None)


if __name__ == "__main__":
    main()
