"""The suite's report: spec.json for scripts, spec.md for people.

Knows how sheets are written down. Decides nothing: what a case came to was decided before.
"""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..compare.rule import catalogue
from ..suite import CRASH, FAIL, PASS, SKIP, UNSUPPORTED, Sheet
from ..taps.tap import Session
from . import rules as rule_page
from . import write_whole

JSON, PAGE = "spec.json", "spec.md"
RULES = rule_page.PAGE  # beside it, so that its links lead somewhere

WORDS = {PASS: "pass", FAIL: "**fail**", SKIP: "–", UNSUPPORTED: "unsupported", CRASH: "**crash**"}


def word(status: str, level: str) -> str:
    """A case in a cell of the matrix: a broken should is no broken must."""
    return f"{FAIL} (should)" if (status, level) == (FAIL, "should") else status


def listed(sessions: Sequence[Session]) -> dict[str, Any]:
    """What `spec --list --json` prints: all rules, and the cases that are about them."""
    cases = [{"id": exchange.name, "rules": exchange.meta["rules"].split()} for session in sessions for exchange in session]
    about = rule_page.about({case["id"]: case["rules"] for case in cases})
    return {
        "rules": [
            {
                "id": rule.id,
                "level": rule.level,
                "binds": rule.binds,
                "source": rule.source,
                "cases": about.get(rule.id, []),
                "reason": "" if rule.id in about else rule.reason,
            }
            for rule in catalogue().values()
        ],
        "cases": cases,
    }


def spec_json(sheets: Sequence[Sheet], sessions: Sequence[Session]) -> dict[str, Any]:
    """spec.json. Its schema is spec.schema.json."""
    rules = {exchange.name: exchange.meta.get("rules", "").split() for session in sessions for exchange in session}
    return {
        "servers": {
            sheet.server: {
                "version": sheet.version,
                "versions": sheet.versions,
                "cases": {
                    name: {
                        "status": case.status,
                        "level": case.level,
                        "rules": rules[name],
                        "observed": case.observed,
                        **({"unsteady": sheet.unsteady[name]} if name in sheet.unsteady else {}),
                    }
                    for name, case in sheet.cases.items()
                },
            }
            for sheet in sheets
        }
    }


def page(data: dict[str, Any]) -> str:
    """spec.json as a page of Markdown."""
    servers = data["servers"]
    names = list(dict.fromkeys(name for server in servers.values() for name in server["cases"]))
    lines = [
        "# The conformance suite",
        "",
        "Made by `bridgecheck spec --report DIR " + shlex.join(servers) + f"`, which writes it as `DIR/{PAGE}`.",
        f"Each case of [cases.md](cases.md) is judged alone, by its `must` or `should`; the rules are in [{RULES}]({RULES}).",
        "",
        "| server | versions | pass | fail | fail (should) | crash | unsupported | records only |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for server, entry in servers.items():
        words = [word(case["status"], case["level"]) for case in entry["cases"].values()]
        versions = ", ".join(f"{key} {value}" for key, value in entry["versions"].items())
        counts = [words.count(kind) for kind in (PASS, FAIL, word(FAIL, "should"), CRASH, UNSUPPORTED, SKIP)]
        lines.append(f"| `{server}` | {versions} | " + " | ".join(map(str, counts)) + " |")
    lines += ["", "## The matrix", "", "Cases that only record stand for themselves and are left out.", ""]
    lines += ["| case | rules | " + " | ".join(f"`{server}`" for server in servers) + " |", "|---|---|" + "---|" * len(servers)]
    for name in names:
        entries = [server["cases"].get(name) for server in servers.values()]
        if all(entry is None or entry["status"] == SKIP for entry in entries):
            continue
        rules = next(entry["rules"] for entry in entries if entry)
        linked = ", ".join(f"[{rule}]({RULES}#{rule.lower()})" if rule in catalogue() else rule for rule in rules)
        cells = ["" if entry is None else WORDS[entry["status"]] + _level(entry) for entry in entries]
        lines.append(f"| {name} | {linked} | " + " | ".join(cells) + " |")
    lines += ["", "## What was seen where a case fails", ""]
    for server, entry in servers.items():
        failed = {name: case for name, case in entry["cases"].items() if case["status"] in (FAIL, CRASH)}
        lines += [f"### {server}", ""]
        lines += [f"- {name} ({word(case['status'], case['level'])}): {_code(case['observed'])}" for name, case in failed.items()]
        lines += [] if failed else ["Nothing."]
        lines += [f"- unsteady: {name}: {', '.join(case['unsteady'])}" for name, case in entry["cases"].items() if "unsteady" in case]
        lines.append("")
    return "\n".join(lines)


def _level(entry: dict[str, Any]) -> str:
    return " (should)" if entry["status"] == FAIL and entry["level"] == "should" else ""


def _code(text: str) -> str:
    fence = "``" if "`" in text else "`"
    return f"{fence}{text}{fence}"


def write(folder: Path, sheets: Sequence[Sheet], sessions: Sequence[Session]) -> None:
    """All files; spec.json last, so that whoever finds it finds them."""
    data = spec_json(sheets, sessions)
    write_whole(folder / RULES, rule_page.current().encode())
    write_whole(folder / PAGE, page(data).encode())
    write_whole(folder / JSON, (json.dumps(data, indent=2, ensure_ascii=False) + "\n").encode())
