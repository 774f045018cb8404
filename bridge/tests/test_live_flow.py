"""More than fits between server and client, down and up: who waits, and that nothing is lost. Live, uvicorn and the bridge alike."""

import hashlib
import re
import threading
import time

import pytest

from .live import TARGETS, Client, Server, key, request, resident, server_fixture, servers_fixture, wait_until, wait_while_it_moves  # noqa: F401

RECEIVE_BUFFER = 1 << 16
PIECES, SIZE = 400, 1 << 16  # far more than buffers hold
MEGABYTE = b"0123456789abcdef" * (1 << 16)


def slow_client(server: Server, path: str) -> Client:
    return server.connect(RECEIVE_BUFFER).get(path)


def sends_until_full(server: Server) -> int:
    """How many pieces the app gets rid of to a client that does not read; all arrive when it does."""
    call = key()
    with slow_client(server, f"/flow.stream/{call}?pieces={PIECES}&size={SIZE}") as client:
        wait_until(lambda: server.notes(call))
        (taken,) = wait_while_it_moves(lambda: server.notes(call))
        assert len(client.response().body) == PIECES * SIZE
        server.outcome(call)
        return taken


def test_send_waits_for_a_client_that_does_not_read(servers: dict[str, Server]) -> None:
    taken = {target: sends_until_full(server) for target, server in servers.items()}
    for target in TARGETS:
        assert 0 < taken[target] < PIECES / 2, taken
        assert taken[target] <= 2 * taken["uvicorn-uvloop"] and taken["uvicorn-uvloop"] <= 2 * taken[target], taken


@pytest.mark.parametrize("size", [1, 700, 16384, 65536, 65537, 400_000])
def test_pieces_of_any_size_arrive(server: Server, size: int) -> None:
    call, pieces = key(), 30
    with server.connect() as client:
        assert client.get(f"/flow.stream/{call}?pieces={pieces}&size={size}").response().body == b"x" * size * pieces


def test_small_pieces_do_not_wait_for_each_other(server: Server) -> None:
    """As they would with Nagle's algorithm, 40 ms for each response."""
    with server.connect() as client:
        begin = time.monotonic()
        for _ in range(60):
            client.get(f"/turns.stream/{key()}").response()
        assert time.monotonic() - begin < 60 * 0.02


def pieces_of(client: Client) -> tuple[list[bytes], int, int]:
    """What a client gets of an app that has filled the connection: the pieces with names, how many bytes stood before, and were to."""
    body = client.response().body
    named = re.findall(rb"<\w+>", body)
    return named, body.count(b"x"), int(body.rpartition(b"end ")[2]) << 16


def test_many_tasks_may_wait_in_send(server: Server) -> None:
    call = key()
    with slow_client(server, f"/flow.many_senders/{call}") as client:
        assert server.noted(call, "waiting") == ["full", 0, "waiting"]
        named, filled, sent = pieces_of(client)
    assert named == [b"<%d>" % i for i in range(50)]
    assert filled == sent


def test_a_send_that_is_cancelled_while_it_waits_sends_nothing(server: Server) -> None:
    call = key()
    with slow_client(server, f"/flow.cancelled_send/{call}") as client:
        server.noted(call, "waiting")
        named, filled, sent = pieces_of(client)
    assert named == [b"<1>"]
    assert filled == sent
    assert server.outcome(call)[-1] == ["CancelledError", "NoneType", "CancelledError"]


def test_a_send_that_is_cancelled_when_it_may_go_on(server: Server) -> None:
    call = key()
    with slow_client(server, f"/flow.cancelled_when_drained/{call}") as client:
        server.noted(call, "waiting")
        named, filled, sent = pieces_of(client)
    (cancelled,) = server.outcome(call)[2:]
    assert named == [b"<first>", b"<second>"][: 1 if cancelled else 2]
    assert filled == sent


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_client_that_leaves_ends_the_wait_in_send(server: Server, how: str) -> None:
    call = key()
    client = slow_client(server, f"/flow.left_in_send/{call}")
    server.noted(call, "waiting")
    client.reset() if how == "reset" else client.socket.close()
    assert server.outcome(call) == ["full", "waiting", "fine", "fine", "http.disconnect", "fine"]


def upload(server: Server, call: str, size: int, function: str) -> Client:
    head = f"POST /flow.{function}/{call} HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n"
    return server.connect().send(head.encode())


def send_exactly(client: Client, piece: memoryview, sent: list[int]) -> None:
    while piece:
        taken = client.socket.send(piece)
        sent[0] += taken
        piece = piece[taken:]


def bytes_until_stalled(server: Server) -> int:
    """How much a client gets rid of while the app does not receive; all of it arrives when it does."""
    call, size = key(), 32 << 20
    with upload(server, call, size, "hold") as client:
        server.noted(call, "holding")
        sent = [0]
        sender = threading.Thread(target=lambda: [send_exactly(client, memoryview(MEGABYTE), sent) for _ in range(size >> 20)])
        sender.start()
        stalled = wait_while_it_moves(lambda: sent[0])
        assert sender.is_alive()
        server.go(call)
        body = client.response().body.decode()
        sender.join()
    assert body == f"{size} {hashlib.sha256(MEGABYTE * (size >> 20)).hexdigest()}"
    return stalled


def test_an_upload_stalls_while_the_app_does_not_receive(servers: dict[str, Server]) -> None:
    stalled = {target: bytes_until_stalled(server) for target, server in servers.items()}
    for target in TARGETS:
        assert 1 << 16 < stalled[target] < 16 << 20, stalled
        assert stalled[target] <= 2 * stalled["uvicorn-uvloop"] and stalled["uvicorn-uvloop"] <= 2 * stalled[target], stalled


def test_memory_stays_flat_under_a_large_upload(server: Server) -> None:
    call, size = key(), 100 << 20
    with upload(server, call, size, "count") as client:
        client.send(MEGABYTE)
        before = largest = resident(server)
        for _ in range((size >> 20) - 1):
            client.send(MEGABYTE)
            largest = max(largest, resident(server))
        assert client.response().body == f"{size} {hashlib.sha256(MEGABYTE * 100).hexdigest()}".encode()
    assert largest - before < 8 << 20
    ((_, piece),) = server.outcome(call)
    assert piece <= 4 << 16


def test_an_upload_in_chunks_stalls_and_goes_on(server: Server) -> None:
    call, size = key(), 8 << 20
    with server.connect() as client:
        client.send(request(f"/flow.hold/{call}", "Transfer-Encoding: chunked", method="POST"))
        server.noted(call, "holding")
        piece = b"100000\r\n" + MEGABYTE + b"\r\n"
        sender = threading.Thread(target=lambda: client.send(*[piece] * 8, b"0\r\n\r\n"))
        sender.start()
        time.sleep(0.05)
        server.go(call)
        assert client.response().body == f"{size} {hashlib.sha256(MEGABYTE * 8).hexdigest()}".encode()
        sender.join()


def test_a_client_that_leaves_while_its_upload_is_stalled(server: Server) -> None:
    """What came before it left is given, then its leaving: or only that, which both do once the connection is known to be gone."""
    call = key()
    client = upload(server, call, 1 << 20, "hold")
    server.noted(call, "holding")
    client.send(b"x" * 1000)
    time.sleep(0.05)
    client.reset()
    time.sleep(0.05)
    server.go(call)
    assert server.outcome(call) == ["holding", ["left after", 0]]


def test_content_goes_both_ways_at_the_same_time(server: Server) -> None:
    with server.connect() as client:
        client.send(request(f"/flow.echo/{key()}", "Transfer-Encoding: chunked", method="POST"))
        end = 0
        for i in range(20):
            client.send(b"8\r\npiece %02d\r\n" % i)
            end = client.line_after(end, b"piece %02d\r\n" % i)
        client.send(b"0\r\n\r\n")
        assert client.response().body == b"".join(b"piece %02d" % i for i in range(20))


def test_much_content_goes_both_ways_at_the_same_time(server: Server) -> None:
    """Each side waits for the other again and again."""
    size = 16 << 20
    with server.connect(RECEIVE_BUFFER) as client:
        client.send(request(f"/flow.echo/{key()}", f"Content-Length: {size}", method="POST"))
        sender = threading.Thread(target=lambda: client.send(*[MEGABYTE] * (size >> 20)))
        sender.start()
        body = client.response().body
        sender.join()
    assert hashlib.sha256(body).digest() == hashlib.sha256(MEGABYTE * (size >> 20)).digest()
