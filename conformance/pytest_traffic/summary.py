"""The section at the end of the run, as lines: the verdict, what differs, what was not carried over, counts.

Takes a verdict; knows nothing of how it came about.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..compare.bucket import title
from ..compare.weight import SEVERITIES, at_least
from ..report import show
from .comparison import FAIL_ON, Outcome, Sighting, Verdict
from .recording import Recorded

_SHOWN = 100  # characters of a value


def lines(found: Verdict, reference: str, candidate: str, others: int, recorded: Recorded | None, *, verbose: bool) -> Iterator[str]:
    yield from _outcomes(found, reference, candidate)
    yield from _differences(found, reference, candidate)
    yield from _not_carried(found, reference)
    yield from _left(found, others, verbose)
    if recorded is not None:
        yield from _recorded(recorded)
    carried = found.tests - len(found.not_carried) - len(found.silent) - len(found.unsteady)
    yield ""
    counts = f"{found.tests} tests passed in memory, {max(carried, 0)} of them carried over"
    yield f"{counts}; {found.requests} requests over sockets; {found.noisy} noisy facts"
    heavy = len({(s.difference.signature) for s in found.sightings if at_least(s.difference.severity, FAIL_ON)})
    light = len({(s.difference.signature) for s in found.sightings if not at_least(s.difference.severity, FAIL_ON)})
    word = "different" if found.different else "same" if found.same else "no verdict, nothing was asked"
    yield f"{word}: {candidate} against {reference} ({len(found.outcomes)} outcomes, {heavy} differences, {light} drift)"


def _outcomes(found: Verdict, reference: str, candidate: str) -> Iterator[str]:
    if not found.outcomes:
        return
    yield "Tests that come out otherwise"
    for outcome in found.outcomes:
        yield f"  {outcome.test}{_mark(outcome.steady)}"
        yield f"      in memory: {outcome.memory}   {reference}: {outcome.reference.outcome}   {candidate}: {outcome.candidate.outcome}"
        for test, server in ((outcome.reference, reference), (outcome.candidate, candidate)):
            if test.message:
                yield f"      {server}: {test.message}"
    yield ""


def _mark(steady: bool) -> str:
    return "" if steady else "  (intermittent)"


def _differences(found: Verdict, reference: str, candidate: str) -> Iterator[str]:
    groups: dict[tuple[str, str], list[Sighting]] = {}
    for sighting in found.sightings:
        groups.setdefault((sighting.difference.severity, sighting.difference.signature), []).append(sighting)
    if not groups:
        return
    yield "Responses that differ"
    for (severity, _), sightings in sorted(groups.items(), key=lambda item: (-SEVERITIES.index(item[0][0]), item[0][1])):
        shown = min(sightings, key=lambda s: (not s.steady, len(s.test)))
        difference = shown.difference
        more = len({sighting.test for sighting in sightings}) - 1
        yield f"  {severity} {title(difference)}{_mark(any(s.steady for s in sightings))}"
        yield f"        {reference}: {_short(difference.reference)}   {candidate}: {_short(difference.candidate)}"
        yield f"        {shown.request}, {shown.test}" + (f" and {more} more" if more else "")
    yield ""


def _short(value: object) -> str:
    text = show(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _not_carried(found: Verdict, reference: str) -> Iterator[str]:
    if found.not_carried:
        yield f"Not carried over: passed in memory, and not over a socket, under {reference} as under the candidate"
        for outcome in found.not_carried:
            yield from _why(outcome)
        yield ""


def _why(outcome: Outcome) -> Iterator[str]:
    yield f"  {outcome.test}: {outcome.reference.outcome}"
    for note in outcome.reference.notes:
        yield f"      {note}"
    if outcome.reference.message:
        yield f"      {outcome.reference.message}"


def _left(found: Verdict, others: int, verbose: bool) -> Iterator[str]:
    if found.unsteady:
        yield "Not judged: the reference does not always agree with itself"
        yield from (f"  {name}" for name in found.unsteady)
        yield ""
    if found.silent:
        hint = "" if verbose else " (-v lists them)"
        yield f"No traffic: {len(found.silent)} tests made no request through a client that can be carried{hint}"
        if verbose:
            yield from (f"  {name}" for name in found.silent)
    if others:
        yield f"Not run over sockets: {others} tests that do not pass in memory"


def _recorded(recorded: Recorded) -> Iterator[str]:
    for path, count, app in recorded.files:
        yield f"Recorded: {count} exchanges of {app or 'apps that no module holds by name'} in {path}"
    if recorded.left_out:
        yield f"Not recorded: {recorded.left_out} exchanges that are too long, or were not answered"
