"""How often the exchanges of a gate's report show their finding again, and how much smaller than found they are.

    .venv/bin/python ci/reproduce.py REPORT APP [--times 100] [--every 5] [--environment NAME=VALUE]

Takes every fifth finding that was confirmed and made smaller, and plays its exchange so many times to the servers that the report names:
where it changes the app's state each from a start of its own. Exits 1 where it did not come back in one of them. Needs no network but
127.0.0.1 and ends by itself.
"""

import argparse
import json
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

from bridgecheck.conformance import tap
from bridgecheck.conformance.bucket import buckets, routes
from bridgecheck.conformance.demand import Demand
from bridgecheck.conformance.judge import Play, judge
from bridgecheck.conformance.server import parse_server
from bridgecheck.conformance.stage import Stage
from bridgecheck.conformance.target import App, Target

SAFE = ("GET ", "HEAD ", "OPTIONS ")


def shown(stage: Stage, session: tap.Session, bucket: dict[str, Any], times: int) -> int:
    """In how many plays the finding came back."""
    reads = all(route.startswith(SAFE) for exchange in session for route in routes(exchange))
    count = 0
    for _ in range(1 if reads else times):
        stage.restart()
        for *_, facts in stage.play([session] * (times if reads else 1), jobs=8 if reads else 1).facts:
            if facts is not None:
                finding = judge([Play(facts[0], facts[1], facts[-1])], Demand.of(session[-1].meta))
                found = {(b.signature, b.verdict) for b in buckets([(tuple(session), "", finding)])}
                count += (bucket["signature"], bucket["verdict"]) in found
    return count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition(",")[0])
    parser.add_argument("report", type=Path)
    parser.add_argument("app")
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--every", type=int, default=5)
    parser.add_argument("--environment", action="append", default=[], metavar="NAME=VALUE", help="for the app, as in bridgecheck.toml")
    given = parser.parse_args()
    report, run = (json.loads((given.report / name).read_text("utf-8")) for name in ("report.json", "run.json"))
    sizes = run["minimised"]
    smaller = [b for b in report["buckets"] if (s := sizes.get(Path(b["exchange"]).stem)) and s["after"] != s["before"]]
    plays = sum(s["plays"] for s in sizes.values())
    print(f"{len(report['buckets'])} findings, {len(sizes)} tried, {len(smaller)} made smaller, {plays} plays")
    for name in ("exchanges", "steps", "sent", "text"):
        before, after = (sum(s[side][name] for s in sizes.values()) for side in ("before", "after"))
        print(f"  {name:9} {before:9} -> {after:9}")
    apps = {
        True: App(given.app, environment=dict(word.split("=", 1) for word in given.environment)),
        False: App(tap.PROBE, app_dir=str(files("bridgecheck.spec"))),
    }
    failed = 0
    for bucket in smaller[:: given.every]:
        (session,) = tap.sessions(tap.read(given.report / bucket["exchange"]))
        app = apps[session[-1].meta.get("app") == given.app]
        sides = (("reference", 0), ("twin", 0), ("candidate", -1))
        targets = [Target(name, parse_server(report["targets"][at]["given"]), app, python=sys.executable) for name, at in sides]
        stage = Stage(targets, patience=2.0)
        with stage.running():
            count = shown(stage, session, bucket, given.times)
        failed += count != given.times
        print(f"{count:4} of {given.times}  {bucket['title']}  ({session[-1].meta.get('origin', 'as found')})", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
