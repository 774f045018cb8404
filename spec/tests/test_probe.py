"""The probe app picks the small app that the request asks for, and hands it what the server gave."""

import asyncio
from typing import Any

import pytest

from bridgecheck.spec.apps import lifespan, probe


def call(scope: dict[str, Any], *events: dict[str, Any]) -> tuple[Any, list[dict[str, Any]]]:
    """What the probe returned and what it sent, when receive() gives these events."""
    waiting = list(events)
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    return asyncio.run(probe.app(scope, receive, send)), sent


def request(*fields: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http", "method": "POST", "path": "/a b", "query_string": b"q=%20", "headers": fields}


def test_without_the_field_it_is_the_echo() -> None:
    _, sent = call(request(), {"type": "http.request", "body": b"hel", "more_body": True}, {"type": "http.request", "body": b"lo"})
    assert sent[1]["body"] == b'{"body": 5, "method": "POST", "path": "/a b", "query": "q=%20"}'


def test_the_field_names_the_small_app_in_any_case() -> None:
    result, sent = call(request((b"Probe", b"return-a-value")), {"type": "http.request"})
    assert (result, sent[1]["body"]) == ("a value", b"done")


def test_an_app_that_is_not_there_is_an_error() -> None:
    with pytest.raises(KeyError):
        call(request((b"probe", b"no-such-app")), {"type": "http.request"})


def test_the_echo_is_silent_when_the_client_left() -> None:
    assert call(request(), {"type": "http.disconnect"}) == (None, [])


def test_lifespan_fills_the_state_and_answers_both_events() -> None:
    scope: dict[str, Any] = {"type": "lifespan", "state": {}}
    _, sent = call(scope, {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    assert [event["type"] for event in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert scope["state"]["shelf"] is lifespan.SHELF


def test_a_mark_that_is_shared_between_calls_is_seen_and_taken_away() -> None:
    state: dict[str, Any] = {"shelf": lifespan.SHELF}
    fields = ((b"probe", b"mark-state"),)
    answers = [call({**request(*fields), "state": state}, {"type": "http.request"})[1][1]["body"] for _ in range(2)]
    assert answers == [b'{"scope": false, "shelf": true, "state": false}', b'{"scope": false, "shelf": true, "state": true}']
    assert "mark" not in state


def test_other_protocols_are_refused() -> None:
    with pytest.raises(NotImplementedError):
        call({"type": "webtransport"})


def test_an_app_for_websockets_answers_those_alone() -> None:
    scope = request((b"probe", b"echo-messages"))
    events = ({"type": "websocket.connect"}, {"type": "websocket.receive", "bytes": b"a", "text": None}, {"type": "websocket.disconnect"})
    assert call(scope | {"type": "websocket"}, *events)[1] == [
        {"type": "websocket.accept"},
        {"type": "websocket.send", "bytes": b"a"},
    ]
    assert call(scope, {"type": "http.request"})[1][0]["status"] == 200
    with pytest.raises(NotImplementedError):
        call(request((b"probe", b"stream")) | {"type": "websocket"})
