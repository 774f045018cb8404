"""The recorded traffic fits the exchange grammar, says what was answered, and leaves no route out."""

import re
from collections import Counter
from pathlib import Path

import pytest

from bridgecheck.conformance._player import Exchange, parse
from bridgecheck.demo.shop import app

FILES = sorted((Path(__file__).parent.parent / "traffic").glob("*.exchange"))


def read(file: Path) -> list[Exchange]:
    return parse(file.read_bytes(), file.name)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_request_has_the_status_it_was_answered_with(file: Path) -> None:
    exchanges = read(file)
    assert exchanges
    for exchange in exchanges:
        statuses = exchange.meta["status"].split()
        assert len(statuses) == len(exchange.requests), exchange.name
        assert all(re.fullmatch("101|[2-5][0-9]{2}", status) for status in statuses), exchange.name


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_each_exchange_has_a_name_of_its_own_and_an_origin(file: Path) -> None:
    exchanges = read(file)
    names = Counter((exchange.session, exchange.name) for exchange in exchanges)
    assert [name for name, count in names.items() if count > 1] == []
    assert all(session for session, _ in names)
    assert {exchange.meta["origin"].split()[0] for exchange in exchanges} == {file.stem.replace("browser", "chromium")}


def test_there_is_enough_of_it() -> None:
    """At least 200 exchanges of real clients, in sessions of more than one."""
    recorded = [exchange for file in FILES if file.stem != "hand" for exchange in read(file)]
    assert len(recorded) >= 200
    together = Counter((exchange.meta["origin"], exchange.session) for exchange in recorded)
    assert sum(count for count in together.values() if count > 1) >= 100


def test_every_route_was_asked() -> None:
    asked = {
        f"{method.decode()} {target.decode('latin-1').partition('?')[0]}"
        for file in FILES
        for exchange in read(file)
        for method, target in exchange.requests
    }
    left_out = []
    for path, methods in app.openapi()["paths"].items():
        for method in methods:
            route = re.compile(f"{method.upper()} " + re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)))
            if not any(route.fullmatch(request) for request in asked):
                left_out.append(f"{method.upper()} {path}")
    paths = {request.partition(" ")[2] for request in asked}
    for path in ("/", "/ws", "/contact", "/static/[^/]+", "/chat/[^/]+"):  # what stands in no schema
        if not any(re.fullmatch(path, one) for one in paths):
            left_out.append(path)
    assert left_out == []
