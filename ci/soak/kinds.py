"""Kind: one kind of request, and how any number of them is made. Every answer is held against the first one, which is checked in full.

Knows sockets and the routes of ci/apps/soak.py. Knows nothing of what is counted.
"""

import re
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

Address = tuple[str, int]

CONNECTIONS = 16  # side by side
PATIENCE = 15.0  # seconds for one answer
PACE = 200  # connections without an answer, until the server has to show that it has caught up
INTERIM = b"HTTP/1.1 100 Continue\r\n\r\n"
DATE = re.compile(rb"(?i)^date:[^\r]*", re.MULTILINE)
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends RST


class WrongAnswer(Exception):
    """A request was not answered as every other one of its kind."""


@dataclass(frozen=True)
class Kind:
    name: str
    request: bytes
    status: bytes = b"200"  # of the answer
    ends: bytes = b""  # how the answer ends
    times: int = 1  # how many requests, and so answers, `request` is
    after_interim: bytes = b""  # sent when a 100 has come
    closes: bool = False  # the server closes the connection after the answer
    leaves: bool = False  # the client closes it, in turn with FIN and RST
    sees: bytes = b""  # what a client that leaves waits for before
    part: float = 1.0  # of the number of requests that is asked for; less where one is much work

    def make(self, address: Address, count: int) -> int:
        """Make about `count` requests of this kind; how many they were."""
        rounds = max(1, round(count * self.part / (CONNECTIONS * self.times)))
        make: Callable[[Address, Kind, int], None] = _leave if self.leaves else _close if self.closes else _keep
        make(address, self, rounds)
        return rounds * CONNECTIONS * self.times


def request(start: str, *fields: str, body: bytes = b"") -> bytes:
    return "\r\n".join([f"{start} HTTP/1.1", "Host: soak.test", *fields, "", ""]).encode() + body


CHUNKED = b"5\r\nhello\r\n8;name=value\r\n, world!\r\n0\r\nTrailer: value\r\n\r\n"
HELLO = b"\r\n\r\nHello, world!"
STREAMED = b"\r\n\r\n" + b"".join(b"8\r\npiece %d\n\r\n" % number for number in range(5)) + b"0\r\n\r\n"
EXPECTING = request("POST /measure", "Content-Length: 13", "Expect: 100-continue")
KIB_64 = bytes(range(256)) * 256

KINDS = [
    Kind("get", request("GET /?query=%C3%A9", "User-Agent: soak", "X-Forwarded-For: 127.0.0.9"), ends=HELLO),
    Kind("post", request("POST /measure", "Content-Length: 13", body=b"Hello, world!"), ends=b"\r\n\r\n13"),
    Kind("chunked", request("POST /measure", "Transfer-Encoding: chunked", body=CHUNKED), ends=b"\r\n\r\n13"),
    Kind("upload", request("PUT /measure", "Content-Length: 262144", body=KIB_64 * 4), ends=b"\r\n\r\n262144", part=0.05),
    Kind("stream", request("GET /stream"), ends=STREAMED),
    Kind("large", request("GET /large?pieces=4"), ends=b"\r\n\r\n" + KIB_64 * 4, part=0.05),
    Kind("head", request("HEAD /"), ends=b"\r\n\r\n"),
    Kind("no-content", request("GET /204"), status=b"204", ends=b"\r\n\r\n"),
    Kind("pipelined", request("GET /") * 8, ends=HELLO, times=8),
    Kind("expect", EXPECTING, ends=b"\r\n\r\n13", after_interim=b"Hello, world!"),
    Kind("not-read", request("POST /", "Content-Length: 13", body=b"Hello, world!"), ends=HELLO),
    Kind("close", request("GET /", "Connection: close"), ends=HELLO, closes=True),
    Kind("http-1.0", b"GET / HTTP/1.0\r\nHost: soak.test\r\n\r\n", ends=HELLO, closes=True),
    Kind("app-raises", request("GET /fail"), status=b"500", ends=b"\r\n\r\nInternal Server Error", closes=True),
    Kind("app-raises-late", request("GET /fail-late"), ends=HELLO, closes=True),
    Kind("parse-error", b"GET / HTTP/1.1\r\nHost : soak.test\r\n\r\n", status=b"400", closes=True),
    Kind("parse-error-in-body", request("POST /measure", "Transfer-Encoding: chunked", body=b"zz\r\n"), status=b"400", closes=True),
    Kind("leaves-before-request", b"", leaves=True),
    Kind("leaves-in-head", b"GET / HTTP/1.1\r\nHost: soak", leaves=True),
    Kind("leaves-in-body", request("POST /measure", "Content-Length: 1000", body=b"Hello, world!"), leaves=True),
    Kind("leaves-in-answer", request("GET /stay"), leaves=True, sees=b"Hello, world!"),
]


# --- one answer -------------------------------------------------------------------------------------------------------------------------


@contextmanager
def connected(address: Address, number: int = CONNECTIONS) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(closing(socket.create_connection(address, PATIENCE))) for _ in range(number)]


def hello(address: Address) -> None:
    """Ask for `/` on a new connection: whatever connected before has been accepted, and the server serves."""
    with connected(address, 1) as [connection]:
        connection.sendall(request("GET /", "Connection: close"))
        _check(KINDS[0], _to_end(connection))


def _check(kind: Kind, answer: bytes) -> None:
    if not answer.startswith(b"HTTP/1.1 " + kind.status + b" ") or not answer.endswith(kind.ends):
        raise WrongAnswer(f"{kind.name}: {answer[:300]!r}")


def _shape(answer: bytes) -> bytes:
    return DATE.sub(b"", answer, count=1)


def _to_end(connection: socket.socket) -> bytes:
    pieces = []
    while piece := connection.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


def _exactly(connection: socket.socket, length: int) -> bytes:
    answer = connection.recv(length)
    while len(answer) < length:
        piece = connection.recv(length - len(answer))
        if not piece:
            raise WrongAnswer(f"the connection ended after {answer[:300]!r}")
        answer += piece
    return answer


def _first(address: Address, kind: Kind) -> int:
    """The length of the answers to `request`. What a server sends behind them is the start of the next answer, and found there."""
    with connected(address, 1) as [connection]:
        connection.sendall(kind.request)
        if kind.after_interim:
            _interim(connection)
            connection.sendall(kind.after_interim)
        answer = b""
        while answer.count(b"HTTP/1.1 " + kind.status + b" ") < kind.times or not answer.endswith(kind.ends):
            try:
                piece = connection.recv(65536)
            except TimeoutError:
                piece = b""
            if not piece:
                raise WrongAnswer(f"{kind.name}: not {kind.times} complete answers: {answer[:1000]!r}")
            answer += piece
    _check(kind, answer)
    return len(answer)


def _interim(connection: socket.socket) -> None:
    if (interim := _exactly(connection, len(INTERIM))) != INTERIM:
        raise WrongAnswer(f"no 100 Continue but {interim!r}")


# --- many answers -----------------------------------------------------------------------------------------------------------------------


def _keep(address: Address, kind: Kind, rounds: int) -> None:
    """The same connections all the time. Answers are compared whole, but for the date."""
    length = _first(address, kind)
    with connected(address) as connections:
        known: set[bytes] = set()  # answers that were checked: one a second
        for _ in range(rounds):
            for connection in connections:
                connection.sendall(kind.request)
            if kind.after_interim:
                for connection in connections:
                    _interim(connection)
                    connection.sendall(kind.after_interim)
            for connection in connections:
                answer = _exactly(connection, length)
                if answer not in known:
                    _check(kind, answer)
                    if len(known) >= 8:
                        known.clear()
                    known.add(answer)


def _close(address: Address, kind: Kind, rounds: int) -> None:
    """A new connection for each, which the server closes."""
    expected = b""
    for _ in range(rounds):
        with connected(address) as connections:
            for connection in connections:
                connection.sendall(kind.request)
            for connection in connections:
                answer = _to_end(connection)
                if not expected:
                    _check(kind, answer)
                    expected = _shape(answer)
                elif _shape(answer) != expected:
                    raise WrongAnswer(f"{kind.name}: {answer[:300]!r}")


def _leave(address: Address, kind: Kind, rounds: int) -> None:
    """A new connection for each, which the client closes in the middle."""
    for number in range(rounds):
        with connected(address) as connections:
            for connection in connections:
                connection.sendall(kind.request)
            for index, connection in enumerate(connections):
                seen = b""
                while kind.sees not in seen:
                    if not (piece := connection.recv(65536)):
                        raise WrongAnswer(f"{kind.name}: the connection ended after {seen[:300]!r}")
                    seen += piece
                if index % 2:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        if number % (PACE // CONNECTIONS) == 0:
            hello(address)
    hello(address)
