"""Small suites, run by a pytest of their own: what is the same, what differs, what is not carried over, what is recorded."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bridgecheck.conformance.compare.weight import weight
from bridgecheck.conformance.pytest_traffic import journal
from bridgecheck.conformance.pytest_traffic.recording import save
from bridgecheck.conformance.taps import tap

APP = """
import asyncio
import uuid

from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute

done, taken = [], []

async def items(request):
    return JSONResponse({"items": [1, 2], "q": request.query_params.get("q")})

async def later(word):
    await asyncio.sleep(0.3)
    done.append(word)

async def echo(request):
    return Response(await request.body(), background=BackgroundTask(later, "echo"))

async def fail(request):
    raise LookupError("nothing there")

async def who(request):
    return PlainTextResponse(request.client.host)

async def identity(request):
    return PlainTextResponse(uuid.uuid4().hex)

async def take(request):
    # there is one
    if taken:
        return Response(status_code=409)
    taken.append(uuid.uuid4().hex)
    return PlainTextResponse(taken[0], 201, {"Location": f"/baskets/{taken[0]}"})

async def basket(request):
    return PlainTextResponse(taken[0]) if request.path_params["name"] in taken else Response(status_code=404)

async def talk(socket):
    if "no" in socket.query_params:
        await socket.close(4403, "not you")
        return
    await socket.accept(subprotocol="chat")
    text = await socket.receive_text()
    await socket.send_json({"said": text})
    await socket.send_bytes(await socket.receive_bytes())
    await socket.close(4001, "enough")

app = Starlette(routes=[Route("/items", items), Route("/echo", echo, methods=["POST"]), Route("/fail", fail), Route("/who", who),
                        Route("/id", identity), Route("/baskets", take, methods=["POST"]), Route("/baskets/{name}", basket),
                        WebSocketRoute("/talk", talk)])
"""

SAME = """
import os

import httpx
import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

import small

def test_what_tests_leave_in_the_environment_stays_in_their_run():
    assert "SMALL_LEFT" not in os.environ
    os.environ["SMALL_LEFT"] = "1"
    TestClient(small.app).get("/items")

def test_items():
    assert TestClient(small.app).get("/items?q=tea").json() == {"items": [1, 2], "q": "tea"}

def test_the_background_task_is_over():
    small.done.clear()
    with TestClient(small.app) as client:
        assert client.post("/echo", content=b"x" * 100_000).content == b"x" * 100_000
        assert small.done == ["echo"]

def test_an_exception_of_the_app():
    with pytest.raises(LookupError, match="nothing there"):
        TestClient(small.app).get("/fail")
    assert TestClient(small.app, raise_server_exceptions=False).get("/fail").status_code == 500

def test_a_websocket():
    with TestClient(small.app).websocket_connect("/talk", subprotocols=["chat"]) as socket:
        assert socket.accepted_subprotocol == "chat"
        socket.send_text("hello")
        assert socket.receive_json() == {"said": "hello"}
        socket.send_bytes(b"\\0\\xff$\\"")
        assert socket.receive_bytes() == b"\\0\\xff$\\""
        with pytest.raises(WebSocketDisconnect) as closed:
            socket.receive_text()
    assert (closed.value.code, closed.value.reason) == (4001, "enough")

def test_a_websocket_that_is_not_accepted():
    with pytest.raises(WebSocketDisconnect) as closed, TestClient(small.app).websocket_connect("/talk?no"):
        pass
    assert (closed.value.code, closed.value.reason) == (4403, "not you")

@pytest.mark.parametrize("again", range(2))
def test_the_first_basket(again):
    small.taken.clear()
    client = TestClient(small.app)
    made = client.post("/baskets")
    assert (made.status_code, client.get(made.headers["Location"]).text) == (201, made.text)

@pytest.mark.anyio
@pytest.mark.parametrize("chance", [small.uuid.uuid4().hex])
async def test_httpx(chance):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(small.app), base_url="http://testserver") as client:
        assert (await client.get("/items")).json()["items"] == [1, 2]

@pytest.fixture
def anyio_backend():
    return "asyncio"
"""


def run(folder: Path, suite: str, *options: str, conftest: str = "") -> subprocess.CompletedProcess[str]:
    (folder / "small.py").write_text(APP, "utf-8")
    (folder / "conftest.py").write_text(conftest, "utf-8")
    (folder / "test_small.py").write_text(suite, "utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTEST_ADDOPTS", None)
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=200)


# A server that is uvicorn, but for what it does to some responses: an adapter that only these tests have.
WRONG = """
import os
import bridgecheck.conformance.adapters as adapters
from bridgecheck.conformance.adapters.uvicorn import Uvicorn

class Wrong(Uvicorn):
    async def serve(self, app, sock, options, lifespan, stop):
        async def wrong(scope, receive, send):
            async def altered(event):
                query = scope["query_string"]
                if event["type"] == "http.response.start" and query == b"header":
                    event = {**event, "headers": [*event["headers"], (b"x-wrong", b"1")]}
                if event["type"] == "http.response.start" and query == b"status":
                    event = {**event, "status": 404}
                if query == b"die":
                    os._exit(9)
                await send(event)
            await app(scope, receive, altered)
        await super().serve(wrong, sock, options, lifespan, stop)

known, load = adapters.names, adapters.load
adapters.names = lambda: (*known(), "wrong")
adapters.load = lambda name: Wrong() if name == "wrong" else load(name)
"""


def section(result: subprocess.CompletedProcess[str]) -> list[str]:
    return result.stdout.partition("= bridgecheck =")[2].splitlines()


def test_the_same_and_what_is_recorded_plays_in_the_gate(tmp_path: Path) -> None:
    file = tmp_path / "traffic" / "tests.exchange"
    result = run(tmp_path, SAME, "--bridgecheck-candidate", "bridge", f"--bridgecheck-record={file}")
    said = section(result)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "9 tests passed in memory, 9 of them carried over; 12 requests over sockets; 8 noisy facts" in said
    assert "same: bridge against uvicorn (0 outcomes, 0 differences, 0 drift)" in said
    assert f"Recorded: 12 exchanges of small:app in {file}" in said
    assert file.stat().st_mode & 0o777 == 0o600
    statuses = "200 200 200 500 500 101 403 201 200 201 200 200"
    assert " ".join(exchange.meta["status"] for exchange in tap.read(file)) == statuses
    gate = [
        sys.executable,
        "-m",
        "bridgecheck.conformance.program",
        "gate",
        "small:app",
        "--taps",
        "recorded",
        "--candidate",
        "bridge",
        "--traffic",
        str(file),
    ]
    played = subprocess.run(gate, cwd=tmp_path, capture_output=True, text=True, timeout=200)
    assert played.returncode == 0, played.stdout + played.stderr
    assert "12 exchanges (recorded 12)" in played.stdout
    assert "begin on fresh state" not in played.stdout  # all of them fit
    assert "basket-id from Location of POST /baskets (2 values) → 2 requests" in played.stderr


@pytest.mark.parametrize("name", ["granian", "gunicorn"])
def test_another_server_that_runs_in_the_loop_of_the_tests(tmp_path: Path, name: str) -> None:
    said = section(run(tmp_path, SAME, "--bridgecheck-candidate", name))
    assert "9 tests passed in memory, 9 of them carried over; 12 requests over sockets; 8 noisy facts" in said
    assert any(f"{name} against uvicorn (0 outcomes, " in line for line in said), said


SERVED_WRONG = """
from starlette.testclient import TestClient
import small

def test_that_does_not_look():
    TestClient(small.app).get("/items?header")

def test_that_looks():
    assert TestClient(small.app).get("/items?status").is_success

def test_that_ends_the_server():
    TestClient(small.app).get("/items?die")

def test_that_comes_after_it():
    TestClient(small.app).get("/items")
"""


def test_a_wrong_server(tmp_path: Path) -> None:
    result = run(tmp_path, SERVED_WRONG, "--bridgecheck-candidate", "wrong", conftest=WRONG)
    said = section(result)
    assert result.returncode == 1, result.stdout + result.stderr
    assert "  break response.field[x-wrong]: only under the candidate" in said  # in a test that is content with it
    assert "  test_small.py::test_that_looks" in said
    assert "      in memory: passed   uvicorn: passed   wrong: failed" in said
    assert "  test_small.py::test_that_ends_the_server" in said
    assert "      in memory: passed   uvicorn: passed   wrong: died" in said
    assert "      wrong: its process ended with exit code 9" in said
    assert "  test_small.py::test_that_comes_after_it" not in said
    assert any(line.startswith("different: wrong against uvicorn (2 outcomes, ") for line in said), said


NOT_CARRIED = """
import pytest
from starlette.testclient import TestClient
import small

def test_who_asks():
    assert TestClient(small.app).get("/who").text == "testclient"

def test_tls():
    assert TestClient(small.app, base_url="https://testserver").get("/who").url.scheme == "https"
    assert TestClient(small.app, base_url="https://testserver").get("/who").text == "testclient"

def test_the_app_itself():
    assert small.done == []

def test_what_moves_by_itself():
    assert TestClient(small.app).get("/id").text

def test_that_fails():
    assert False
"""


def test_what_is_not_carried_over_is_listed(tmp_path: Path) -> None:
    result = run(tmp_path, NOT_CARRIED, "-vv", "--bridgecheck-candidate", "bridge")
    said = section(result)
    assert result.returncode == 1  # of the test that fails anyway
    assert "  test_small.py::test_who_asks: failed" in said
    assert any("127.0.0.1" in line for line in said), said
    assert "      the client says https, and no TLS is spoken here: scope['scheme'] is another" in said
    assert "No traffic: 1 tests made no request through a client that can be carried" in said
    assert "  test_small.py::test_the_app_itself" in said
    assert "Not run over sockets: 1 tests that do not pass in memory" in said
    assert "4 tests passed in memory, 1 of them carried over; 4 requests over sockets; 1 noisy facts" in said
    assert any(line.startswith("same: ") for line in said)


def test_a_verdict_is_earned(tmp_path: Path) -> None:
    result = run(tmp_path, "def test_it():\n    pass\n", "--bridgecheck-candidate", "bridge")
    assert result.returncode == 1
    assert any(line.startswith("no verdict, nothing was asked: bridge against uvicorn") for line in section(result))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--bridgecheck-candidate", "daphne"], "serves no app that a test made"),
        (["--bridgecheck-candidate", "nothing"], "no server is called 'nothing'"),
        (["--bridgecheck-record", "x"], "--bridgecheck-record needs --bridgecheck-candidate"),
    ],
)
def test_what_cannot_be_asked_for(tmp_path: Path, options: list[str], says: str) -> None:
    result = run(tmp_path, "", *options)
    assert result.returncode == 4
    assert says in result.stderr


def test_loading_the_plugin_imports_nothing_else() -> None:
    script = (
        "import sys, bridgecheck.conformance.pytest_traffic.plugin; print(sorted(name for name in sys.modules if 'bridgecheck' in name))"
    )
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    names = [name for name in eval(said) if "editable" not in name]
    room = "bridgecheck.conformance.pytest_traffic"
    assert names == ["bridgecheck", "bridgecheck.conformance", room, f"{room}.plugin"]


def test_what_is_recorded_of_tests_that_share_a_state_says_nothing_of_it(tmp_path: Path) -> None:
    file = tmp_path / "tests.exchange"
    save(file, [recorded_test("one", "/items")], fresh=False)
    assert "needs" not in tap.read(file)[0].meta
    save(file, [recorded_test("one", "/items")], fresh=True)
    (exchange,) = tap.read(file)
    assert exchange.meta["needs"] == "fresh"


def recorded_test(name: str, target: str) -> journal.Test:
    head = {"version": "1.1", "status": 200, "fields": [(b"Content-Type", b"image/png")], "body": {"bytes": b"\x89"}}
    steps = [("send", f"GET {target} HTTP/1.1\r\n\r\n".encode()), ("wait response", None)]
    return journal.Test(name, exchanges=[journal.Exchange("GET", target, "small:app", connection={"responses": [head]}, steps=steps)])


@pytest.mark.parametrize(
    ("kind", "content", "kept"),
    [(b"image/png", b"\x89PNG", b""), (b"application/JSON", b"{}", b"{}"), (b"text/plain", b"x" * 70_000, b"x" * 65536)],
)
def test_answers_are_kept_as_the_recorder_keeps_them(tmp_path: Path, kind: bytes, content: bytes, kept: bytes) -> None:
    test = recorded_test("one", "/items")
    response = test.exchanges[0].connection["responses"][0]
    response["fields"], response["body"]["bytes"] = [(b"Content-Type", kind)], content
    save(tmp_path / "tests.exchange", [test], fresh=True)
    steps = [(word, sent) for _, word, sent in tap.read(tmp_path / "tests.exchange")[0].steps]
    head, _, body = dict(steps)["answered"].partition(b"\r\n\r\n")
    assert [word for word, _ in steps] == ["send", "wait response", "answered"]
    assert head == b"HTTP/1.1 200\r\nContent-Type: " + kind
    assert hashlib.sha256(body).digest() == hashlib.sha256(kept).digest()


def test_a_request_that_is_not_the_same_is_a_break() -> None:
    assert weight("request", "value").severity == "break"
