"""Servers of a few lines that behave as no server should, exchanges to play to them, and what was observed."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bridgecheck.conformance._player import Player, parse

if TYPE_CHECKING:
    from bridgecheck.conformance._player import Observation, Target


ALIKE = [b"beginning%03dending-of-it" % number for number in range(40)] + [b"beginning%0*dending-of-it" % (n, 1) for n in range(103, 112)]
"""One beginning and one end, by which short values are found again to be shared; around the length from which on they are not."""


def exchanges(text: str) -> list[Any]:
    return parse(b"bridgecheck-exchange 1\n" + text.encode(), "file.exchange")


def exchange(steps: str, end: str = "end next") -> Any:
    return exchanges(f"exchange one\n{steps.strip()}\n{end}\n")[0]


def place(port: int, folder: Path, name: str = "reference") -> Target:
    (folder / "trace").mkdir(parents=True, exist_ok=True)
    return {"name": name, "host": "127.0.0.1", "port": port, "trace": str(folder / "trace"), "doorbell": str(folder / "bell"), "pid": 0}


@contextmanager
def server(serve: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server that hands each connection to `serve`, in a thread of its own; the port."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen(64)

    def connection(client: socket.socket) -> None:
        with client:
            try:
                serve(client)
            except OSError:
                pass  # the player went away, as it may

    def accept() -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=connection, args=[client], daemon=True).start()

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1]
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def head_of(client: socket.socket) -> bytes:
    """Read up to the end of a request's fields."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = client.recv(65536)
        if not more:
            raise ConnectionResetError
        data += more
    return data


def marked(head: bytes) -> bytes:
    """What an observer answers."""
    token = head.partition(b"bridgecheck-next: ")[2].partition(b"\r\n")[0]
    return b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nbridgecheck-next: " + token + b"\r\n\r\n"


def answering(answer: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
    """A server with an observer, that answers other requests so."""

    def serve(client: socket.socket) -> None:
        while True:
            head = head_of(client)
            if b"bridgecheck-next" in head:
                client.sendall(marked(head))
            else:
                answer(client)

    return serve


def alone(port: int, folder: Path, one: Any, patience: float = 0.3) -> Observation:
    player = Player([place(port, folder)], patience=patience)
    ((observations,),) = player.play([[one]])
    player.close()
    assert observations is not None
    return observations[0]


def statuses(observation: Observation) -> list[list[int]]:
    return [[response["status"] for response in connection["responses"]] for connection in observation["connections"]]


def ends(observation: Observation) -> list[str]:
    return [connection["end"] for connection in observation["connections"]]


def bodies(observation: Observation) -> list[bytes]:
    return [response["body"]["bytes"] for connection in observation["connections"] for response in connection["responses"]]
