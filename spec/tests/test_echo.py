"""The bare echo app gives back what it was sent."""

import asyncio
from typing import Any

import pytest

from bridgecheck.spec.apps import echo


def call(scope: dict[str, Any], *events: dict[str, Any]) -> list[dict[str, Any]]:
    waiting, sent = list(events), []

    async def receive() -> dict[str, Any]:
        return waiting.pop(0)

    async def send(event: dict[str, Any]) -> None:
        sent.append(event)

    asyncio.run(echo.app(scope, receive, send))
    return sent


@pytest.mark.parametrize("pieces", [[b""], [b"abc"], [b"a", b"", b"bc"]])
def test_a_request_comes_back_in_one_start_and_one_body(pieces: list[bytes]) -> None:
    events = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    del events[-1]["more_body"]
    start, body = call({"type": "http", "method": "PUT", "path": "/a ü"}, *events)
    assert body == {"type": "http.response.body", "body": "PUT /a ü\n".encode() + b"".join(pieces)}
    assert start["status"] == 200
    assert dict(start["headers"])[b"content-length"] == str(len(body["body"])).encode()


def test_a_web_socket_is_closed_before_it_opens() -> None:
    assert call({"type": "websocket", "path": "/"}) == [{"type": "websocket.close"}]


def test_a_lifespan_completes() -> None:
    sent = call({"type": "lifespan"}, {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    assert [event["type"] for event in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
