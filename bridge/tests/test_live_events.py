"""What send() makes of events that no app should send: the same exceptions and the same bytes. Live, uvicorn against the bridge."""

import importlib.util
import json
from types import ModuleType
from typing import Any

import pytest

from .live import APPS, Server, bridge_fixture, key, masked, on_each, request, servers_fixture  # noqa: F401

NUMBERS = range(1000)
BATCH = 100


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, APPS / f"{name}.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


odd = load("odd")


def outcome(server: Server, run: str, number: int) -> tuple[list[Any], bytes]:
    """What the app and the client of a series of events see, and of another request behind it.

    Two faults of uvicorn's end the comparison. After a start that failed it goes on without a head: it writes content without one, or takes
    the response for complete, and the client the next one for this. After content of a known length that was none it has counted it.
    """
    call = f"{run}-{number}"
    with server.connect() as client:
        series = request(f"/odd.events/{call}", method=odd.Series(number).method)
        client.send(series + request("/", "Connection: close"))
        wire = masked(client.rest())
    notes = server.outcome(call)
    if "no head" in notes:
        notes = notes[: notes.index("no head")]
        wire = wire if server.target.startswith("bridge") else b""
    elif "no content" in notes:
        notes = notes[: notes.index("no content")]
        wire = wire.partition(b"\r\n\r\n")[0]
    return notes, wire


@pytest.mark.parametrize("first", NUMBERS[::BATCH])
def test_the_same_exceptions_and_bytes(servers: dict[str, Server], first: int) -> None:
    """The reference is uvicorn on uvloop: what a transport says of content that is no bytes is its loop's, and the bridge has its own."""
    run, numbers = key(), range(first, first + BATCH)
    targets = ["uvicorn-uvloop", "bridge-uvloop", "bridge-asyncio"]
    outcomes = on_each([servers[target] for target in targets], lambda server: [outcome(server, run, number) for number in numbers])
    differences = [
        {"number": number, "made of": odd.Series(number).description, **dict(zip(targets, found, strict=True))}
        for number, *found in zip(numbers, *outcomes, strict=True)
        if found.count(found[0]) != len(found)
    ]
    assert not differences, json.dumps(differences, indent=1, default=str)


def test_the_series_are_odd_enough() -> None:
    """So that a change of the generator does not quietly make them tame."""
    used = {text for number in NUMBERS for text in odd.Series(number).description}
    assert len(used) > 120


@pytest.mark.parametrize("query", ["", "?length"])
def test_content_of_wide_items_has_its_length_in_octets(bridge: Server, query: str) -> None:
    """uvicorn counts items: a chunk says less than it has, and what follows is no chunk."""
    assert bridge.ask(f"/odd.wide/{key()}{query}").body == b"abcdefghijkl"
