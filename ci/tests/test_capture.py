"""capture.py between a client and a server of a few lines each: what it writes is what was sent."""

import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

CAPTURE = Path(__file__).parent.parent / "capture.py"

CLIENT = """
import os, socket, urllib.parse
address = urllib.parse.urlsplit(os.environ["SHOP"])
def connect():
    return socket.create_connection((address.hostname, address.port))
def session(name):
    connection = connect()
    connection.sendall(b"CAPTURE /" + name + b" HTTP/1.1\\r\\n\\r\\n")
    assert connection.recv(100).startswith(b"HTTP/1.1 204 ")
def ask(connection, data):
    connection.sendall(data)
    return connection.recv(1000)
"""


class Server(socketserver.StreamRequestHandler):
    """Answers each request by what its target says."""

    def handle(self) -> None:
        while line := self.rfile.readline():
            length = 0
            while (field := self.rfile.readline()) != b"\r\n":
                if field.startswith(b"Content-Length: "):
                    length = int(field[16:])
            if b"/hints" in line:
                self.wfile.write(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                continue
            if b"/asks" in line:
                self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.rfile.read(length)
            if b"/silent" in line:
                return
            self.wfile.write(
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
                if b"/none" in line
                else b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
            )
            if b"/closes" in line:
                return


@pytest.fixture
def upstream() -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def capture(upstream: int, output: Path, client: str) -> subprocess.CompletedProcess[str]:
    # Port 0: the proxy takes a free one and tells the client.
    command = [sys.executable, str(CAPTURE), "--listen", "0", "--upstream", str(upstream), "--origin", "a test", "-o", str(output)]
    return subprocess.run([*command, "--", sys.executable, "-c", CLIENT + client], capture_output=True, text=True, timeout=30, check=False)


def captured(upstream: int, output: Path, client: str) -> list[str]:
    """The statements of the file; comments and blank lines are for people."""
    run = capture(upstream, output, client)
    assert (run.returncode, run.stderr) == (0, "")
    return [line for line in output.read_text(encoding="ascii").split("\n") if line and not line.startswith("#")]


def test_an_exchange_for_each_request(upstream: int, tmp_path: Path) -> None:
    client = """
session(b"two")
connection = connect()
ask(connection, b"GET /none/7?x=1 HTTP/1.1\\r\\nHost: a\\r\\n\\r\\n")
ask(connection, b"GET / HTTP/1.1\\r\\n\\r\\n")
ask(connection, b"GET / HTTP/1.1\\r\\n\\r\\n")
"""
    front_page = ["status: 200", "send", "> GET / HTTP/1.1", ">", "wait response", "end next"]
    assert captured(upstream, tmp_path / "file", client) == [
        "bridgecheck-exchange 1",
        "session two",
        "origin: a test",
        *("exchange get-none-7", "status: 404", "send", "> GET /none/7?x=1 HTTP/1.1", "> Host: a", ">", "wait response", "end next"),
        "exchange get-front-page",
        *front_page,
        "exchange get-front-page.2",
        *front_page,
    ]


def test_a_connection_as_it_was(upstream: int, tmp_path: Path) -> None:
    client = """
session(b"whole?whole")
one, two = connect(), connect()
ask(one, b"GET /a HTTP/1.1\\r\\n\\r\\n")
ask(two, b"GET /b HTTP/1.1\\r\\n\\r\\n")
ask(one, b"GET /none HTTP/1.1\\r\\n\\r\\n")
"""
    lines = captured(upstream, tmp_path / "file", client)
    assert lines[3:] == [
        *("exchange connection", "status: 200 404"),
        *("send", "> GET /a HTTP/1.1", ">", "wait response", "send", "> GET /none HTTP/1.1", ">", "wait response", "end next"),
        *("exchange connection.2", "status: 200", "send", "> GET /b HTTP/1.1", ">", "wait response", "end next"),
    ]


def test_a_client_that_waits_to_be_asked(upstream: int, tmp_path: Path) -> None:
    client = """
session(b"asked")
connection = connect()
assert ask(connection, b"PUT /asks HTTP/1.1\\r\\nContent-Length: 4\\r\\n\\r\\n").startswith(b"HTTP/1.1 100 ")
ask(connection, b"body")
"""
    lines = captured(upstream, tmp_path / "file", client)
    assert lines[3:] == [
        *("exchange put-asks", "status: 200"),
        *("send", "> PUT /asks HTTP/1.1", "> Content-Length: 4", ">", "wait interim", "send", "+ body", "wait response", "end next"),
    ]


def test_an_interim_answer_and_the_answer_at_once(upstream: int, tmp_path: Path) -> None:
    client = """
session(b"hinted")
ask(connect(), b"GET /hints HTTP/1.1\\r\\n\\r\\n")
"""
    lines = captured(upstream, tmp_path / "file", client)
    assert lines[3:] == [
        *("exchange get-hints", "status: 200", "send", "> GET /hints HTTP/1.1", ">", "wait interim", "wait response", "end next"),
    ]


def test_who_closes(upstream: int, tmp_path: Path) -> None:
    client = """
session(b"closed")
ask(connect(), b"GET /closes HTTP/1.1\\r\\n\\r\\n")
ask(connect(), b"GET /stays HTTP/1.1\\r\\n\\r\\n")
"""
    assert [line for line in captured(upstream, tmp_path / "file", client) if line.startswith("end")] == ["end close", "end next"]


def test_bytes_that_are_not_text(upstream: int, tmp_path: Path) -> None:
    client = """
session(b"bytes")
body = b"a\\0\\t\\r$\\\\\\xff \\n" + b"same\\r\\n" * 3 + b"x" * 450 + b" "
ask(connect(), b"PUT / HTTP/1.1\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body)
"""
    lines = captured(upstream, tmp_path / "file", client)
    assert lines[9:-2] == [
        r"+ a\0\t\r\$\\\xff \n",
        r"* 3 same\r\n",
        f"+ {'x' * 200}",
        f"+ {'x' * 200}",
        f"+ {'x' * 50}\\x20",
    ]


def test_a_request_without_an_answer(upstream: int, tmp_path: Path) -> None:
    client = """
session(b"unanswered")
ask(connect(), b"GET /silent HTTP/1.1\\r\\n\\r\\n")
"""
    run = capture(upstream, tmp_path / "file", client)
    assert (run.returncode, run.stderr) == (1, "no answer to: get-silent\n")
    assert not (tmp_path / "file").exists()


def test_a_client_that_fails(upstream: int, tmp_path: Path) -> None:
    run = capture(upstream, tmp_path / "file", "raise SystemExit(7)")
    assert run.returncode == 7
    assert not (tmp_path / "file").exists()
