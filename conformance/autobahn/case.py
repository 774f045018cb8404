"""One of Autobahn's cases: as an exchange, and what came of it as facts.

Owns what the cases are about, and what of an outcome counts. Knows nothing of servers, processes or kosoku.
"""

import re
from collections.abc import Mapping
from typing import Any

KEY = "autobahn"  # in an exchange's meta: the case that is its script; it has no steps
NO_END = "no end"  # in place of a verdict: the case had to be ended
ERROR = "ERROR"  # Autobahn's: the case could not be played
RUNNING = "running"

# By what a case's number begins with, the longest that fits: what it is about, and the rules. Where the catalogue has none, the section
# itself is the rule. A server may have limits (RFC 6455 §10.4), and what is informational is nobody's fault: these have no rule.
SUBJECTS = {
    "1": ("RFC 6455 §5.6 messages", "RFC6455-5.6"),
    "2": ("RFC 6455 §5.5.2 pings", "FR-WSF-08"),
    "2.5": ("RFC 6455 §5.5 control frames", "FR-WSF-06"),
    "3": ("RFC 6455 §5.2 reserved bits", "FR-WSF-03"),
    "4": ("RFC 6455 §5.2 reserved opcodes", "FR-WSF-04"),
    "5": ("RFC 6455 §5.4 fragments", "FR-WSF-07"),
    "5.1": ("RFC 6455 §5.5 control frames", "FR-WSF-06"),
    "5.2": ("RFC 6455 §5.5 control frames", "FR-WSF-06"),
    "6": ("RFC 6455 §8.1 UTF-8", "FR-WSF-09"),
    "7.1": ("RFC 6455 §5.5.1 closing handshake", "FR-WSC-01 FR-WSC-05"),
    "7.1.5": ("RFC 6455 §5.4 close between fragments", "FR-WSF-07"),
    "7.3": ("RFC 6455 §5.5.1 close frames", "FR-WSC-02"),
    "7.3.6": ("RFC 6455 §5.5 control frames", "FR-WSF-06"),
    "7.5": ("RFC 6455 §5.5.1 close frames", "FR-WSC-02"),
    "7.7": ("RFC 6455 §7.4 close codes", "FR-WSC-01"),
    "7.9": ("RFC 6455 §7.4 invalid close codes", "FR-WSC-02"),
    "7.13": ("RFC 6455 §7.4.2 undefined close codes", ""),
    "9": ("RFC 6455 §10.4 long messages, and many", ""),
    "10": ("RFC 6455 §5.4 fragments", "FR-WSF-07"),
    "12": ("RFC 7692 §7.2 compressed messages", "RFC7692-7.2"),
    "13": ("RFC 7692 §7.1 parameters of compression", "FR-WSH-06"),
}
OTHER = ("RFC 6455", "")

# What Autobahn itself calls conforming; an extension need not be there.
_RIGHT = (
    "{0}.behavior = OK or NON-STRICT or INFORMATIONAL or UNIMPLEMENTED; "
    '{0}.close = OK or "WRONG CODE" or "FAILED BY CLIENT" or INFORMATIONAL; {0}.server = running'
)
_ABOUT_MAX = 400
_TAG = re.compile(r"<[^>]*>")


def subject(case: str) -> tuple[str, str]:
    """What a case is about, and its rules."""
    parts = case.split(".")
    numbers = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((SUBJECTS[number] for number in numbers if number in SUBJECTS), OTHER)


def path(case: str) -> str:
    """The path that all facts of a case begin with."""
    return f"{KEY}[{subject(case)[0]}]"


def text(case: str, about: str) -> str:
    """A case as an exchange of an exchange file."""
    plain = " ".join(_TAG.sub(" ", about).split())
    rules = subject(case)[1]
    lines = [
        f"exchange autobahn-{case}",
        f"about: {plain if len(plain) <= _ABOUT_MAX else f'{plain[:_ABOUT_MAX]}…'}",
        *([f"rules: {rules}", f"must: {_RIGHT.format(path(case))}"] if rules else []),
        "needs: websocket autobahn",
        f"{KEY}: {case}",
        "end next",
    ]
    return "\n".join(lines) + "\n"


def facts(outcome: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    """What came of a case on one server, as docs/observation.md lists it."""
    start = path(outcome["case"])
    return {
        ("main", f"{start}.behavior"): outcome["behavior"],
        ("main", f"{start}.close"): outcome["close"],
        ("main", f"{start}.close.code"): "none" if outcome["code"] is None else outcome["code"],
        ("main", f"{start}.server"): outcome["server"],
    }


def echoed(found: Mapping[tuple[str, str], Any]) -> bool:
    """Whether Autobahn found all as it has to be, which takes an app that answers."""
    return any(name.startswith(f"{KEY}[") and name.endswith(".behavior") and value == "OK" for (_, name), value in found.items())
