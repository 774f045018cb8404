"""Hanging: clients that hold their connections and do not go on, many at once, while others must still be served.

Owns what each of them does, and for how long. Everything is bounded in number, in bytes and in time.
"""

import resource
import selectors
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

from .kinds import KIB_64, PACE, Address, WrongAnswer, hello, request

LATENCY = 5.0  # seconds that another client may wait at most on a busy machine; a server that waits for the hanging lets it wait for ever
TICK = 0.05
BYTE_EVERY = 1.0  # seconds, of those that send a byte at a time
CHUNK_EVERY = 0.1
CHUNK = b"2000\r\n" + KIB_64[:0x2000] + b"\r\n"
ANSWER_PIECES = 128  # of 64 KiB, to those that do not read
UNREAD_BYTES = 8 << 20  # at most, to an app that does not read
FINISH = 30.0  # seconds in which all that hung must be answered
DESCRIPTORS = 4096

# Resident memory that a server may take for each, over what it had: none of them is a reason to hold a body.
PER_CONNECTION = 16 << 10
PER_BODY = 256 << 10
CONSTANT = 16 << 20


@dataclass
class Client:
    """One connection: what it has sent at the start, and what it would send to be answered."""

    first: bytes
    rest: bytes = b""  # completes the request
    answer: bytes = b""  # how its answer then ends
    body: bool = False  # something large is under way
    small_buffer: bool = False
    step: Callable[["Client", float], None] | None = None  # done at every tick
    connection: socket.socket = field(init=False)
    next_time: float = 0.0
    sent: int = 0
    pending: bytes = b""  # of a chunk that the socket has not taken yet
    received: bytes = b""

    def push(self, data: bytes) -> int:
        """How much of it the socket takes."""
        try:
            return self.connection.send(data)
        except BlockingIOError:
            return 0


def send_a_byte(client: Client, now: float) -> None:
    if now >= client.next_time:
        client.next_time = now + BYTE_EVERY
        client.sent += client.push(b"x")


def send_chunks(client: Client, now: float) -> None:
    if now >= client.next_time and not client.pending:
        client.next_time = now + CHUNK_EVERY
        client.pending = CHUNK
        client.sent += 0x2000
    client.pending = client.pending[client.push(client.pending) :] if client.pending else b""


def send_all_it_can(client: Client, now: float) -> None:
    while client.sent < UNREAD_BYTES and (taken := client.push(KIB_64)):
        client.sent += taken


HEAD = request("GET /")
HELLO = b"\r\n\r\nHello, world!"


def groups(scale: int) -> dict[str, list[Client]]:
    """All of them; `scale` is by how much less of each."""
    silent, bodies = max(2000 // scale, 12), max(100 // scale, 10)
    in_body = request("POST /measure", "Content-Length: 13", body=b"Hello, ")
    chunked = request("POST /measure", "Transfer-Encoding: chunked")
    not_read = request("POST /ignore", f"Content-Length: {UNREAD_BYTES}")
    return {
        "silent": [Client(b"", HEAD, HELLO) for _ in range(silent // 3)],
        "half a head": [Client(HEAD[:20], HEAD[20:], HELLO) for _ in range(silent // 3)],
        "half a body": [Client(in_body, b"world!", b"\r\n\r\n13") for _ in range(silent - silent // 3 * 2)],
        "a byte a second": [Client(HEAD[:-2] + b"X: ", b"\r\n\r\n", HELLO, step=send_a_byte) for _ in range(bodies)],
        "endless chunks": [Client(chunked, b"0\r\n\r\n", body=True, step=send_chunks) for _ in range(bodies)],
        "answer not read": [Client(request(f"GET /large?pieces={ANSWER_PIECES}"), body=True, small_buffer=True) for _ in range(bodies)],
        "body not read": [Client(not_read, body=True, small_buffer=True, step=send_all_it_can) for _ in range(bodies)],
    }


def allow_descriptors() -> None:
    """Raise this process's limit, and with it that of the servers that it starts from now on."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < DESCRIPTORS:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(DESCRIPTORS, hard), hard))


@dataclass
class Outcome:
    clients: int
    served: int  # others, meanwhile
    latency: float  # the longest of theirs
    grown: int  # resident bytes, at most
    allowed: int
    faults: list[str]


def hang(address: Address, resident: Callable[[], int], scale: int, seconds: float) -> Outcome:
    """Let all of them hang for a time, ask for `/` meanwhile, then complete their requests."""
    hanging = groups(scale)
    clients = [client for group in hanging.values() for client in group]
    before = resident()
    outcome = Outcome(len(clients), 0, 0.0, 0, CONSTANT + sum(PER_BODY if client.body else PER_CONNECTION for client in clients), [])

    def serve_another() -> None:
        start = time.monotonic()
        hello(address)
        outcome.served += 1
        outcome.latency = max(outcome.latency, time.monotonic() - start)
        outcome.grown = max(outcome.grown, resident() - before)

    with ExitStack() as stack:
        for number, client in enumerate(clients):
            client.connection = stack.enter_context(closing(_connect(address, client.small_buffer)))
            client.connection.sendall(client.first)
            client.connection.setblocking(False)
            if number % PACE == 0:
                serve_another()
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            for name, group in hanging.items():
                for client in group:
                    try:
                        if client.step:
                            client.step(client, now)
                    except OSError as error:
                        outcome.faults.append(f"{name}: the server closed the connection: {error}")
                        client.step = None
            serve_another()
            time.sleep(TICK)
        outcome.faults = list(dict.fromkeys(outcome.faults))  # one for all of a group
        outcome.faults += _silence(hanging)
        outcome.faults += _finish(hanging)
        serve_another()
    if outcome.latency > LATENCY:
        outcome.faults.append(f"another client waited {outcome.latency:.2f} s, allowed {LATENCY:.2f} s")
    if outcome.grown > outcome.allowed:
        outcome.faults.append(f"resident memory grew by {outcome.grown >> 10} KiB, allowed {outcome.allowed >> 10} KiB")
    return outcome


def _connect(address: Address, small_buffer: bool) -> socket.socket:
    connection = socket.socket()
    if small_buffer:  # so that the server's memory is what fills, not the kernel's
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    connection.settimeout(10)
    connection.connect(address)
    return connection


def _silence(hanging: dict[str, list[Client]]) -> list[str]:
    """None of those that have not completed their request was answered or closed."""
    faults = []
    for name, group in hanging.items():
        for client in group:
            if client.answer or client.step in (send_chunks, send_all_it_can):
                try:
                    got = client.connection.recv(1000)
                except BlockingIOError:
                    continue
                except OSError as error:
                    got = str(error).encode()
                faults.append(f"{name}: not silent while it hung: {got[:100]!r}")
                break
    return faults


def _finish(hanging: dict[str, list[Client]]) -> list[str]:
    """Each completes its request and gets its answer; of the large answers, one is read to its end. The app that does not read lets go."""
    waiting: dict[str, set[int]] = {}
    with selectors.DefaultSelector() as selector:
        for name, group in hanging.items():
            if name == "body not read":
                continue
            for number, client in enumerate(group[:1] if name == "answer not read" else group):
                client.connection.settimeout(FINISH)
                client.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
                try:
                    client.connection.sendall(client.pending + client.rest)
                except OSError as error:
                    return [f"{name}: cannot complete its request: {error}"]
                if name == "endless chunks":
                    client.answer = b"\r\n\r\n%d" % client.sent
                client.connection.setblocking(False)
                selector.register(client.connection, selectors.EVENT_READ, (name, number, client))
                waiting.setdefault(name, set()).add(number)
        deadline = time.monotonic() + FINISH
        while any(waiting.values()) and time.monotonic() < deadline:
            for key, _ in selector.select(0.5):
                name, number, client = key.data
                try:
                    piece = client.connection.recv(1 << 20)
                except OSError as error:
                    return [f"{name}: instead of an answer: {error}"]
                client.received += piece
                if _complete(client, name):
                    waiting[name].discard(number)
                    selector.unregister(client.connection)
                elif not piece or len(client.received) > 1000 and client.answer:
                    return [f"{name}: instead of its answer: {client.received[-300:]!r}"]
    return [f"{name}: {len(numbers)} were not answered within {FINISH:.0f} s" for name, numbers in waiting.items() if numbers]


def _complete(client: Client, name: str) -> bool:
    if not client.received.startswith(b"HTTP/1.1 200 "[: len(client.received)]):
        raise WrongAnswer(f"{name}: {client.received[:300]!r}")
    if client.answer:
        return client.received.endswith(client.answer)
    head, _, body = client.received.partition(b"\r\n\r\n")
    return len(body) == ANSWER_PIECES * len(KIB_64)


def release(address: Address) -> None:
    """The app that does not read goes on, and finds its clients gone."""
    with closing(_connect(address, small_buffer=False)) as connection:
        connection.sendall(request("GET /release", "Connection: close"))
        while connection.recv(1000):
            pass
