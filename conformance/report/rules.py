"""The page with all rules, docs/rules.md: `python -m bridgecheck.conformance.report.rules > docs/rules.md`.

Knows the catalogue and which cases name its rules. Decides nothing.
"""

from collections.abc import Mapping, Sequence
from itertools import groupby

from bridgecheck.spec.rules import Rule, catalogue

from ..taps import tap

PAGE = "rules.md"
HEAD = """# The rules

What the cases ([cases.md](cases.md)), the verdicts and the validator ([validator.md](validator.md)) refer to: rules of ASGI, of HTTP/1.1
and of WebSocket, each retold in a sentence, with its source. Made from
`spec/rules` by `python -m bridgecheck.conformance.report.rules > docs/rules.md`.

*Level* is the specification's own word; *binds* says who has to keep it. Where no case is about a rule, the last column says why.
"""
FAMILIES = (
    ("GEN", "ASGI: applications, scopes, events, errors"),
    ("MSG", "ASGI: what an event may hold"),
    ("HTTP", "ASGI: HTTP"),
    ("WS", "ASGI: WebSocket"),
    ("LIFE", "ASGI: lifespan"),
    ("PROC", "The process around ASGI"),
    ("EXT", "ASGI: extensions"),
    ("TLS", "ASGI: TLS"),
    ("WSGI", "ASGI: adapters for WSGI"),
    ("FR", "HTTP/1.1 and the WebSocket protocol"),
)


def about(cases: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    """The cases by the rules that they name; `cases` gives the rules of each."""
    found: dict[str, list[str]] = {}
    for case, rules in cases.items():
        for rule in rules:
            found.setdefault(rule, []).append(case)
    return found


def page(rules: Mapping[str, Rule], cases: Mapping[str, Sequence[str]]) -> str:
    """The rules as a page of Markdown."""
    named = about(cases)
    known = [family for family, _ in FAMILIES]
    ordered = sorted(rules.values(), key=lambda rule: known.index(rule.id.partition("-")[0]))  # stable: as the files have them
    lines = [HEAD]
    for family, group in groupby(ordered, key=lambda rule: rule.id.partition("-")[0]):
        lines += [f"## {dict(FAMILIES)[family]}", "", "| rule | binds | level | says | source | cases |", "|---|---|---|---|---|---|"]
        lines += [_row(rule, named.get(rule.id, [])) for rule in group]
        lines.append("")
    return "\n".join(lines)


def _row(rule: Rule, cases: Sequence[str]) -> str:
    says = f"{rule.text} *{rule.note}*" if rule.note else rule.text
    source = f"{rule.source}, since {rule.since}" if rule.since else rule.source
    cells = (f'<a id="{rule.id.lower()}"></a>{rule.id}', rule.binds, rule.level, says, source, ", ".join(cases) or rule.reason)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def current() -> str:
    """The page as the catalogue and the cases are now."""
    return page(catalogue(), {exchange.name: exchange.meta["rules"].split() for session in tap.spec().sessions for exchange in session})


if __name__ == "__main__":
    print(current(), end="")
