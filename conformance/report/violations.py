"""The page of violations, docs/violations.md: `python -m bridgecheck.conformance.report.violations > docs/violations.md`.

Knows the list of violations, the catalogue and what `bridgecheck spec` wrote, docs/conformance.json. Decides nothing. With the spec.json of
another run it says instead what that run sees otherwise.
"""

import json
import re
import shlex
import sys
from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from bridgecheck.spec.violations import Violation, violations

from ..compare.demand import MUST
from ..compare.rule import catalogue
from ..suite import CRASH, FAIL
from ..taps import tap
from . import rules as rule_page

HEAD = """# Violations

Musts of ASGI, HTTP/1.1 and WebSocket that released servers break, in the versions below and with their default options. Each was seen, and
each was held against the words of the specification, which are quoted, before it was called a violation. Made of `spec/violations.toml` and
[conformance.json](conformance.json) by `python -m bridgecheck.conformance.report.violations > docs/violations.md`.

`bridgecheck spec SERVER --only CASE` judges one again, with what has to be and what was seen. The bytes, the scope and the events:

```
bridgecheck play {file} --only {case} --on {server}
```

To hold the whole page against the servers that are installed:

```
bridgecheck spec {servers} --report spec-report
python -m bridgecheck.conformance.report.violations spec-report/spec.json
```
"""
READINGS = """## Readings

Cases with a `must` that servers fail where no sentence says so by itself: it follows from what is said, as we read it. They are not counted
above."""
SEEN_MAX = 160  # characters of what was seen that are shown; conformance.json has all


def page(listed: Sequence[Violation], data: dict[str, Any]) -> str:
    """The list as a page of Markdown: what each server breaks, then each sentence with who breaks it."""
    servers = {name: entry for name, entry in data["servers"].items() if any(name in violation.seen for violation in listed)}
    plain, readings = ([item for item in listed if bool(item.reading) == read] for read in (False, True))
    first_server, first_case = next(plain[0].pairs())
    count = sum(len(violation.seen) for violation in plain)
    lines = [
        HEAD.format(
            rules=rule_page.PAGE, file=_files()[first_case], case=first_case, server=first_server, servers=shlex.join(servers)
        ),
        f"{count} violations of {len({item.rule for item in plain})} rules: one that several servers share counts for each of them.",
        "",
        "| server | versions | violations |",
        "|---|---|---|",
    ]
    for name, entry in servers.items():
        links = [f"[{item.title}](#{anchor(item)})" for item in plain if name in item.seen]
        versions = ", ".join(f"{key} {value}" for key, value in entry["versions"].items())
        lines.append(f"| `{name}` | {versions} | {len(links)}: {'; '.join(links)} |")
    lines += ["", "## The violations", ""]
    for violation in plain:
        lines += _section(violation, data)
    lines += [READINGS, ""]
    for violation in readings:
        lines += _section(violation, data)
    return "\n".join(lines)


def differences(listed: Iterable[Violation], data: dict[str, Any]) -> list[str]:
    """What a run sees otherwise than the list has it, of the servers that were played."""
    told = {pair for violation in listed for pair in violation.pairs()}
    lines = []
    for name, entry in data["servers"].items():
        names = {case for server, case in told if server == name}
        broken = {case for case, judged in entry["cases"].items() if _broken(judged)}
        for case in sorted(names - broken):
            if case in entry["cases"]:
                lines.append(f"{name} {entry['version']}: {case} breaks no must any more: {entry['cases'][case]['observed']}")
        lines += [f"{name} {entry['version']}: {case} is not listed: {entry['cases'][case]['observed']}" for case in sorted(broken - names)]
    return lines


def _broken(judged: dict[str, Any]) -> bool:
    return judged["status"] == CRASH or (judged["status"] == FAIL and judged["level"] == MUST)


def _section(violation: Violation, data: dict[str, Any]) -> list[str]:
    rule = catalogue()[violation.rule]
    cases = list(dict.fromkeys(case for _, case in violation.pairs()))
    lines = [
        f'### <a id="{anchor(violation)}"></a>{violation.title}',
        "",
        f"[{rule.id}]({rule_page.PAGE}#{rule.id.lower()}), {rule.level}: {rule.text} {violation.source}:",
        "",
        f"> {violation.says}",
        "",
    ]
    if violation.reading:
        lines += [f"Our reading: {violation.reading}.", ""]
    lines += [f"`bridgecheck spec {shlex.join(violation.seen)} --only {','.join(cases)}`", ""]
    lines += ["| server | case | seen |", "|---|---|---|"]
    for server, case in violation.pairs():
        entry = data["servers"][server]
        lines.append(f"| {server} {entry['version']} | [{case}](../{_files()[case]}) | {_seen(entry['cases'][case]['observed'])} |")
    return [*lines, ""]


def _seen(observed: str) -> str:
    text = observed if len(observed) <= SEEN_MAX else observed[:SEEN_MAX] + "…"
    return "`" + text.replace("`", "'").replace("|", "\\|") + "`"


def anchor(violation: Violation) -> str:
    return re.sub(r"[^a-z0-9]+", "-", violation.title.lower()).strip("-")


@cache
def _files() -> dict[str, str]:
    """Each case's file, seen from the project's folder."""
    with as_file(files("bridgecheck.spec").joinpath("cases")) as folder:
        return {exchange.name: f"spec/cases/{path.name}" for path in sorted(folder.glob("*.exchange")) for exchange in tap.read(path)}


def current() -> str:
    """The page as the list and docs/conformance.json are now. That file is the project's, not the package's."""
    data = json.loads((Path(__file__).parents[2] / "docs" / "conformance.json").read_text("utf-8"))
    return page(violations(), data)


if __name__ == "__main__":
    if sys.argv[1:]:
        found = differences(violations(), json.loads(Path(sys.argv[1]).read_text("utf-8")))
        print("\n".join(found) or "as listed")
        sys.exit(bool(found))
    print(current(), end="")
