"""How often the exchanges of a gate's report show their finding again, and how much smaller than found they are.

    .venv/bin/python ci/reproduce.py REPORT APP [--times 100] [--starts 100] [--every 1] [--jobs 16] [--environment NAME=VALUE]

Plays the exchange of every finding that was confirmed so many times to the servers that the report names: in ten starts, side by side.
Those that change the app's state, have process steps or end a server need a start of their own for each play, which takes far longer;
`--starts` says how many of these. Exits 1 where one did not come back each time. Needs no network but 127.0.0.1 and ends by itself.
"""

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bridgecheck.conformance.compare.bucket import buckets
from bridgecheck.conformance.compare.demand import Demand
from bridgecheck.conformance.compare.difference import Difference
from bridgecheck.conformance.compare.judge import Play, judge
from bridgecheck.conformance.program import options
from bridgecheck.conformance.taps import tap
from bridgecheck.conformance.targets.server import parse_server
from bridgecheck.conformance.targets.stage import Stage, has_own_start
from bridgecheck.conformance.targets.target import App, Target
from bridgecheck.conformance.targets.trial import Trials

STARTS = 10
DIED = {Difference("", "died", kind, "", "").signature for kind in ("running→died", "died→running")}

Session = tuple[Any, ...]
Key = tuple[str, str]  # signature and verdict


def shown(session: Session, play: Play) -> set[Key]:
    """The findings in one play."""
    finding = judge([play], Demand.of(session[-1].meta))
    return {(bucket.signature, bucket.verdict) for bucket in buckets([(session, "", finding)])}


def counted(trials: Trials, sessions: list[Session], times: int) -> list[Counter[Key]]:
    """In how many plays of each session which findings came back."""
    counts: list[Counter[Key]] = [Counter() for _ in sessions]
    for start in range(STARTS):
        numbers = list(range(len(sessions))) * (times * (start + 1) // STARTS - times * start // STARTS)
        for number, play in zip(numbers, trials.play([sessions[number] for number in numbers], True), strict=True):
            counts[number].update(shown(sessions[number], play) if play else ())
    return counts


def needs_starts(session: Session, own_app: bool) -> bool:
    return has_own_start(list(session)) or (own_app and tap.writes(list(session)))


def deaths(stage: Stage, session: Session, times: int) -> int:
    """In how many plays of this session a server ended."""
    return sum(any(death.session for death in stage.play([list(session)], jobs=1).deaths) for _ in range(times))


def print_sizes(report: dict[str, Any], sizes: dict[str, Any]) -> None:
    smaller = sum(size["after"] != size["before"] for size in sizes.values())
    plays = sum(size["plays"] for size in sizes.values())
    print(f"{len(report['buckets'])} findings, {len(sizes)} tried, {smaller} made smaller, {plays} plays")
    for name in ("exchanges", "steps", "sent", "text"):
        before, after = (sum(size[side][name] for size in sizes.values()) for side in ("before", "after"))
        print(f"  {name:9} {before:9} -> {after:9}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition(",")[0])
    parser.add_argument("report", type=Path)
    parser.add_argument("app")
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--starts", type=int, help="plays of what needs a start of its own  [default: as --times]")
    parser.add_argument("--every", type=int, default=1, help="only every so many of the findings")
    parser.add_argument("--jobs", type=int, default=16)
    parser.add_argument("--environment", action="append", default=[], metavar="NAME=VALUE", help="for the app, as in bridgecheck.toml")
    given = parser.parse_args()
    report, run = (json.loads((given.report / name).read_text("utf-8")) for name in ("report.json", "run.json"))
    print_sizes(report, run["minimised"])
    own = App(given.app, environment=dict(word.split("=", 1) for word in given.environment))
    begin, failed, plays = time.monotonic(), 0, 0
    chosen: dict[bool, list[tuple[dict[str, Any], Session]]] = {True: [], False: []}
    for bucket in [bucket for bucket in report["buckets"] if bucket["confirmed"]][:: given.every]:
        (session,) = tap.sessions(tap.read(given.report / bucket["exchange"]))
        chosen[session[-1].meta.get("app") == given.app].append((bucket, tuple(session)))
    for own_app, pairs in [(own_app, pairs) for own_app, pairs in chosen.items() if pairs]:
        sides = (("reference", 0), ("twin", 0), ("candidate", -1))
        app = own if own_app else options.probe()
        targets = [Target(name, parse_server(report["targets"][at]["given"]), app, python=sys.executable) for name, at in sides]
        stage = Stage(targets, patience=2.0, deaths_max=sys.maxsize)
        with stage.running():
            trials = Trials(stage, own_app=own_app, twin=True, jobs=given.jobs)
            for apart in (False, True):
                times = given.starts if apart and given.starts is not None else given.times
                some = [pair for pair in pairs if (pair[0]["signature"] in DIED or needs_starts(pair[1], own_app)) == apart]
                sessions = {tuple(e.text for e in session): session for bucket, session in some if bucket["signature"] not in DIED}
                plays += times * len(sessions)
                counts = dict(zip(sessions, counted(trials, list(sessions.values()), times), strict=True))
                for bucket, session in some:
                    died, key = bucket["signature"] in DIED, (bucket["signature"], bucket["verdict"])
                    count = deaths(stage, session, times) if died else counts[tuple(e.text for e in session)][key]
                    failed += count != times
                    if count != times:
                        print(f"{count:4} of {times}  {bucket['title']}  ({bucket['exchange']}, {session[-1].name})", flush=True)
                if some:
                    seconds = time.monotonic() - begin
                    print(f"{len(some)} findings, each {times} times{', each time from a new start' * apart}; {seconds:.0f} s", flush=True)
    total = sum(map(len, chosen.values()))
    print(f"{total - failed} of {total} findings came back each time; {plays} plays")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
