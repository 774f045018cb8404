"""The page with known bugs, docs/known-bugs.md: `python -m bridgecheck.conformance.report.known_bugs > docs/known-bugs.md`.

Knows the list of bugs and nothing else. Decides nothing.
"""

from collections.abc import Sequence

from bridgecheck.spec.known_bugs import KnownBug, known_bugs

HEAD = """# Known bugs, and the cases that catch them

Bugs that released ASGI servers had, from their own issues and commits, and for each the case ([cases.md](cases.md)) that would have
caught it. Made from `spec/known-bugs.toml` by `python -m bridgecheck.conformance.report.known_bugs > docs/known-bugs.md`.

A case that asks for something (`must`, `should`) turns red under `bridgecheck spec SERVER`; one that only records shows the bug as a
difference from another server or version, under `bridgecheck gate` and `bridgecheck play`. *On* is the server with the options that the
bug needs. *Seen* names two versions on which the cases were played: the first shows the bug, in the second it is gone. To see one again,
install that version into an environment of its own:

```
bridgecheck spec uvicorn --only date-moves-on --python OLD/bin/python
```
"""


def page(bugs: Sequence[KnownBug]) -> str:
    """The bugs as a page of Markdown, those of a server together."""
    shown, seen = sum(bool(bug.cases) for bug in bugs), sum(bool(bug.seen) for bug in bugs)
    lines = [HEAD, f"{len(bugs)} bugs: {shown} have a case, {seen} of them were seen; for {len(bugs) - shown} no case can be written.", ""]
    for server in dict.fromkeys(bug.server for bug in bugs):
        lines += [f"## {server}", "", "| bug | trigger | right | wrong | case | on | seen |", "|---|---|---|---|---|---|---|"]
        lines += [_row(bug) for bug in bugs if bug.server == server]
        lines.append("")
    return "\n".join(lines)


def _row(bug: KnownBug) -> str:
    cases = ", ".join(f"`{case}`" for case in bug.cases)
    seen = f"{bug.seen['wrong']} → {bug.seen['right']}" if bug.seen else ""
    cells = (bug.id, bug.trigger, bug.right, bug.wrong, cases or f"none: {bug.reason}", f"`{bug.on}`" if bug.on else "", seen)
    return "| " + " | ".join(cell.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*") for cell in cells) + " |"


def current() -> str:
    """The page as the list is now."""
    return page(known_bugs())


if __name__ == "__main__":
    print(current(), end="")
