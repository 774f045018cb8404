"""What belongs to no noun: middleware, lifespan, errors, the WebSocket."""

import sqlite3
from pathlib import Path

import pytest
from starlette.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocketDisconnect

from bridgecheck.demo.shop import app


def test_long_answers_are_compressed_for_those_who_can(client: TestClient) -> None:
    packed = client.get("/items", headers={"Accept-Encoding": "gzip"})
    plain = client.get("/items", headers={"Accept-Encoding": "identity"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert packed.json() == plain.json()
    assert int(packed.headers["Content-Length"]) < int(plain.headers["Content-Length"])


def test_short_answers_and_pictures_are_not(client: TestClient) -> None:
    for path in ("/health", "/items/1/picture"):
        assert "Content-Encoding" not in client.get(path, headers={"Accept-Encoding": "gzip"}).headers


def test_a_page_from_elsewhere_may_ask_first(client: TestClient) -> None:
    ask = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    allowed = client.options("/cart/lines", headers={**ask, "Origin": "http://localhost:3000"})
    refused = client.options("/cart/lines", headers={**ask, "Origin": "http://elsewhere.test"})
    assert (allowed.status_code, allowed.headers["Access-Control-Allow-Origin"]) == (200, "http://localhost:3000")
    assert (refused.status_code, refused.text) == (400, "Disallowed CORS origin")


def test_the_state_of_the_lifespan_reaches_requests(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_CURRENCY", "CHF")
    with TestClient(app) as client:
        assert client.get("/health").json() == {"status": "ok", "currency": "CHF"}


def test_the_shop_says_what_it_is(client: TestClient) -> None:
    assert client.get("/about").json() == {"name": "The demo shop", "currency": "EUR", "languages": ["en"]}


def test_the_database_is_kept(client: TestClient, database: Path, staff: dict[str, str]) -> None:
    client.patch("/items/1", json={"stock": 77}, headers=staff)
    with TestClient(app) as again:
        assert again.get("/items/1").json()["stock"] == 77


def test_a_database_of_another_version(database: Path) -> None:
    with sqlite3.connect(database) as connection:
        connection.execute("PRAGMA user_version = 7")
    with pytest.raises(RuntimeError, match="a shop of version 7, this is version 2"), TestClient(app):
        pass


def test_two_new_databases_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dumps = []
    for name in ("one", "two"):
        monkeypatch.setenv("SHOP_DATABASE", str(tmp_path / name))
        with TestClient(app):
            dumps.append((tmp_path / name).read_bytes())
    assert dumps[0] == dumps[1]


def test_what_is_written_is_there_before_the_answer_is(database: Path) -> None:
    seen = []

    async def watched_app(scope: Scope, receive: Receive, send: Send) -> None:
        async def watched_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                with sqlite3.connect(database) as connection:
                    seen.append(connection.execute("SELECT stock FROM items WHERE id = 1").fetchone())
            await send(message)

        await app(scope, receive, watched_send if scope["type"] == "http" else send)

    with TestClient(watched_app) as client:
        token = client.post("/login", data={"username": "ada", "password": "ada-password"}).json()["access_token"]
        client.patch("/items/1", json={"stock": 77}, headers={"Authorization": f"Bearer {token}"})
    assert seen == [(12,), (77,)]


def test_an_error_of_the_app(client: TestClient) -> None:
    answer = client.get("/error")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")


def test_prices_over_a_websocket(client: TestClient) -> None:
    with client.websocket_connect("/ws") as socket:
        socket.send_text("4")
        assert socket.receive_json() == {"item": 4, "price": 850}
        socket.send_text("999")
        assert socket.receive_json() == {"item": 999, "price": None}
        socket.send_text("how much?")
        assert socket.receive_text() == "how much?"
        socket.send_text("bye")
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
        assert closed.value.code == 1000


def test_bytes_are_no_price_question(client: TestClient) -> None:
    with client.websocket_connect("/ws") as socket:
        socket.send_bytes(b"4")
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert (closed.value.code, closed.value.reason) == (4000, "text only")
