"""Reports: an Outcome as report.json, run.json, report.html and exchange files.

Knows how findings are written down. Decides nothing: what a bucket is and what fails was decided before.
"""

import json
import os
import tempfile
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2

from ..compare.application_rules import Breach
from ..compare.bucket import Bucket
from ..compare.content import MISSING, Content
from ..compare.fact import Port
from ..compare.rule import catalogue
from ..compare.weight import quirks
from ..gate import Outcome
from ..minimise.script import SIZES, size
from ..taps import tap

VALUE_MAX = 400  # characters of a value that is shown


def show(value: Any) -> str:
    """A value of a fact for people, bounded."""
    if value is MISSING:
        return "nothing"
    if isinstance(value, Port):
        return f"a port, as {value.type}"
    if isinstance(value, Content) and value.data is None:
        return f"{value.length} bytes, hash {value.hash:016x}"
    if isinstance(value, Content):
        value = value.data
    try:
        text = value.__qualname__ if isinstance(value, type) else repr(value)
    except ValueError:  # an int with more digits than Python cares to write
        text = f"{type(value).__qualname__} too long to write down"
    return text if len(text) <= VALUE_MAX else f"{text[:VALUE_MAX]}… ({len(text)} characters)"


def exchange_file(bucket: Bucket | Breach) -> str:
    """Where the finding's exchange stands, inside the report's folder."""
    return f"exchanges/{bucket.name}.exchange"


def reproduce(bucket: Bucket | Breach, servers: list[str], options: list[str], folder: Path | None = None) -> str:
    """The command that shows it again; from the report's folder, or from where FOLDER is seen."""
    file = exchange_file(bucket) if folder is None else str(folder / exchange_file(bucket))
    words = ["bridgecheck", "play", file]
    for server in servers:
        words += ["--on", server]
    return " ".join(
        word if all(c.isalnum() or c in "-_./:=,+@" for c in word) else "'" + word.replace("'", "'\\''") + "'" for word in words + options
    )


def report(outcome: Outcome, servers: list[str], options: list[str]) -> dict[str, Any]:
    """report.json: what seed and versions decide, the same from run to run. Its schema is report.schema.json."""
    return {
        "verdict": "same" if outcome.same else "different",
        "targets": outcome.targets,
        "not_tried": outcome.not_tried,
        "carried": outcome.carried,
        "exchanges": {"total": sum(outcome.exchanges.values()), "by_tap": outcome.exchanges},
        "buckets": [
            {
                "signature": bucket.signature,
                "title": bucket.title,
                "side": bucket.difference.side,
                "verdict": bucket.verdict,
                "rules": bucket.rules,
                "severity": bucket.severity,
                "confirmed": bucket.steady,
                "intermittent": not bucket.steady,
                "why": bucket.why,
                "seen_in": bucket.exchanges,
                "consequences": sorted(bucket.consequences),
                "routes": bucket.routes,
                "exchange": exchange_file(bucket),
                "reproduce": reproduce(bucket, servers, options),
            }
            for bucket in outcome.buckets
        ],
        "application": [
            {
                "rule": breach.rule,
                "level": breach.level,
                "text": catalogue()[breach.rule].text,
                "source": catalogue()[breach.rule].source,
                "title": breach.what,
                "routes": sorted(breach.routes),
                "seen_in": breach.exchanges,
                "exchange": exchange_file(breach),
                "reproduce": reproduce(breach, servers[:1], options),
            }
            for breach in outcome.breaches
        ],
        "rules": _rules(outcome),
        "waived": [],
        "noise": sorted(outcome.noise),
        "quirks": [{"name": q.name, "reason": q.reason, "exchanges": outcome.quirks[q.name]} for q in quirks()],
        "routes": [
            {
                "route": row.name,
                "method": row.method,
                "path": row.path,
                "listed": row.listed,
                "played": row.played,
                "taps": dict(sorted(row.taps.items())),
                "statuses": sorted(row.statuses),
                "answered": {target: dict(sorted(who.items())) for target, who in row.answered.items()},
                "verdict": row.verdict,
            }
            for row in outcome.routes
        ],
    }


def _rules(outcome: Outcome) -> list[dict[str, str]]:
    """What the rules say that the verdicts name, as far as the catalogue has them."""
    named = sorted({rule for bucket in outcome.buckets for rule in bucket.rules})
    found = [catalogue()[name] for name in named if name in catalogue()]
    return [{"id": rule.id, "level": rule.level, "source": rule.source, "text": rule.text} for rule in found]


def run(outcome: Outcome) -> dict[str, Any]:
    """run.json: what varies from run to run. Its schema is run.schema.json."""
    return {
        "seconds": {name: round(value, 3) for name, value in outcome.times.items()},
        "cpu_seconds": {name: round(value, 3) for name, value in outcome.cpu.items()},
        "working_folder": os.getcwd(),
        "values": {
            bucket.name: {
                "exchange": bucket.shortest.exchange.name,
                "place": bucket.difference.place,
                "reference": show(bucket.difference.reference),
                "candidate": show(bucket.difference.candidate),
            }
            for bucket in outcome.buckets
        },
        "minimised": {
            bucket.name: {
                "plays": outcome.minimised[bucket.name],
                "before": dict(zip(SIZES, size(bucket.found.session), strict=True)),
                "after": dict(zip(SIZES, size(bucket.shortest.session), strict=True)),
            }
            for bucket in outcome.buckets
            if bucket.name in outcome.minimised
        },
        "reproduced": {
            bucket.name: {"plays": bucket.reproduced.of, "came_back": bucket.reproduced.times}
            for bucket in outcome.buckets
            if bucket.reproduced is not None
        },
        "application": {
            breach.name: {"exchange": breach.session[-1].name, "detail": breach.detail[:VALUE_MAX]} for breach in outcome.breaches
        },
    }


def write_whole(path: Path, data: bytes) -> None:
    """Write a file so that it is the old one or the whole new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def write(folder: Path, outcome: Outcome, app: str, servers: list[str], options: list[str]) -> None:
    """All files of a report. The exchanges come first and report.json last, so that whoever finds it finds what it names."""
    for bucket in outcome.buckets:
        sighting = bucket.shortest
        own = tap.PROBE if sighting.tap in ("spec", "autobahn") else app
        write_whole(folder / exchange_file(bucket), tap.text(sighting.session, own))
    for breach in outcome.breaches:
        write_whole(folder / exchange_file(breach), tap.text(breach.session, app))
    data, volatile = report(outcome, servers, options), run(outcome)
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters["stem"] = lambda path: Path(path).stem
    page = environment.from_string(files(__package__).joinpath("report.html.j2").read_text("utf-8"))
    exchanges = {bucket.name: tap.text(bucket.shortest.session, app).decode("utf-8", "replace") for bucket in outcome.buckets}
    exchanges |= {breach.name: tap.text(breach.session, app).decode("utf-8", "replace") for breach in outcome.breaches}
    html = page.render(report=data, run=volatile, app=app, exchanges=exchanges, fail_on=outcome.fail_on)
    write_whole(folder / "report.html", html.encode())
    write_whole(folder / "run.json", _json(volatile))
    write_whole(folder / "report.json", _json(data))
    known = {exchange_file(finding) for finding in (*outcome.buckets, *outcome.breaches)}
    for old in (folder / "exchanges").glob("*.exchange"):
        if f"exchanges/{old.name}" not in known:
            old.unlink()  # of an earlier report in the same folder
