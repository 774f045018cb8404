"""`bridgecheck record` between real sockets: what passes is unchanged, what is recorded is what was sent, and how either side ends reaches
the other."""

import hashlib
import os
import random
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from websockets.sync.client import connect

from bridgecheck.conformance._player import parse

from .proxied import PATIENCE, command, read_all, read_exactly, recording, sent, shop, upstream

TRAFFIC = Path(__file__).parents[2] / "demo" / "traffic"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET /a HTTP/1.1\r\nHost: a\r\n\r\n"


def answers(connection: socket.socket) -> None:
    """OK to each request of GET."""
    while read_exactly(connection, len(GET)) == GET:
        connection.sendall(OK)


def is_reset(connection: socket.socket) -> bool:
    try:
        read_all(connection)
    except ConnectionResetError:
        return True
    return False


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_requests_on_one_connection_and_on_two(tmp_path: Path) -> None:
    with upstream(answers) as address, recording(address, tmp_path / "file", "--origin", "a test") as proxy:
        with proxy.connect() as one, proxy.connect() as two:
            for connection in (one, one, two, one):
                connection.sendall(GET)
                assert read_exactly(connection, len(OK)) == OK
        assert proxy.end() == (0, f"4 exchanges of 2 connections in {proxy.file}\n")
        exchanges = proxy.exchanges()
    sessions = [(re.sub("[0-9]+$|[0-9]+(?=[.])", "N", exchange.session), exchange.name) for exchange in exchanges]
    assert sessions == [
        ("connection-N", "get-a"),
        ("connection-N", "get-a.2"),
        ("connection-N", "get-a"),
        ("connection-N.N", "get-a.3"),
    ]
    assert {exchange.meta["status"] for exchange in exchanges} == {"200"}
    assert {exchange.meta["origin"] for exchange in exchanges} == {"a test"}
    assert sent(exchanges) == 4 * GET
    assert oct(proxy.file.stat().st_mode & 0o777) == "0o600"


def test_an_exchange_is_in_the_file_when_it_is_finished(tmp_path: Path) -> None:
    """kill -9 loses what is under way and nothing else."""
    with upstream(answers) as address, recording(address, tmp_path / "file") as proxy:
        with proxy.connect() as one, proxy.connect() as two:
            two.sendall(GET[:-1])
            for count in range(1, 4):
                one.sendall(GET)
                read_exactly(one, len(OK))
                deadline = time.monotonic() + PATIENCE
                while len(proxy.exchanges()) < count and time.monotonic() < deadline:
                    time.sleep(0.01)
                assert len(proxy.exchanges()) == count
            assert proxy.end(signal.SIGKILL)[0] == -signal.SIGKILL
        assert sent(proxy.exchanges()) == 3 * GET


def test_a_kill_under_load_leaves_a_whole_file(tmp_path: Path) -> None:
    for number in range(3):
        with upstream(answers) as address, recording(address, tmp_path / str(number)) as proxy:
            answered = [0] * 8

            def ask(index: int, proxy=proxy, answered=answered) -> None:
                with proxy.connect() as connection:
                    while True:
                        try:
                            connection.sendall(GET)
                            if read_exactly(connection, len(OK)) != OK:
                                return
                        except OSError:
                            return
                        answered[index] += 1

            threads = [threading.Thread(target=ask, args=(index,)) for index in range(8)]
            for thread in threads:
                thread.start()
            time.sleep(0.3)
            proxy.process.kill()
            proxy.process.wait()
            for thread in threads:
                thread.join(PATIENCE)
            recorded = len(proxy.exchanges())
            assert sum(answered) > 100
            assert sum(answered) - 8 <= recorded <= sum(answered) + 8


def test_large_bodies_both_ways_at_once(tmp_path: Path) -> None:
    """More than any buffer holds, with both sides reading slowly by turns: what comes out is what went in."""
    body = random.Random(1).randbytes(5 << 20)
    head = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)

    def echo(connection: socket.socket) -> None:
        assert read_exactly(connection, len(head)) == head
        connection.sendall(answer)
        left = len(body)
        while left and (piece := connection.recv(100_000)):
            left -= len(piece)
            connection.sendall(piece)

    with upstream(echo) as address, recording(address, tmp_path / "file") as proxy, proxy.connect() as connection:
        sender = threading.Thread(target=connection.sendall, args=(head + body,))
        sender.start()
        received = read_exactly(connection, len(answer) + len(body))
        sender.join(PATIENCE)
        assert received[: len(answer)] == answer
        assert hashlib.sha256(received[len(answer) :]).digest() == hashlib.sha256(body).digest()
        assert proxy.end()[0] == 0
        [exchange] = proxy.exchanges()
        assert hashlib.sha256(sent([exchange])).digest() == hashlib.sha256(head + body).digest()


def test_a_side_that_does_not_read_holds_up_the_other(tmp_path: Path) -> None:
    """Backpressure both ways: little is taken, and the proxy's memory stays small."""
    go = threading.Event()

    def does_not_read(connection: socket.socket) -> None:
        go.wait(PATIENCE)

    def floods(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.sendall(bytes(1 << 20))

    def stuffed(connection: socket.socket) -> int:
        connection.setblocking(False)
        taken, quiet = 0, 0
        while quiet < 20:
            try:
                taken += connection.send(bytes(1 << 20))
                quiet = 0
            except BlockingIOError:
                quiet += 1
                time.sleep(0.02)
        return taken

    try:
        with upstream(does_not_read) as address, recording(address, tmp_path / "up") as proxy, proxy.connect() as connection:
            assert stuffed(connection) < 32 << 20
            assert resident(proxy.process.pid) < 64 << 20
        with upstream(floods) as address, recording(address, tmp_path / "down") as proxy, proxy.connect() as connection:
            connection.sendall(GET)
            time.sleep(1)
            assert resident(proxy.process.pid) < 64 << 20
    finally:
        go.set()


def resident(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * resource.getpagesize()


def test_half_close(tmp_path: Path) -> None:
    def after_the_end(connection: socket.socket) -> None:
        assert read_all(connection) == GET
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nall")

    with upstream(after_the_end) as address, recording(address, tmp_path / "file") as proxy, proxy.connect() as connection:
        connection.sendall(GET)
        connection.shutdown(socket.SHUT_WR)
        assert read_all(connection) == b"HTTP/1.1 200 OK\r\n\r\nall"
        proxy.end()
        assert proxy.file.read_text().endswith(">\nhalf-close\nwait response\nanswered\n> HTTP/1.1 200\n>\nend close\n")


def test_resets_both_ways(tmp_path: Path) -> None:
    was_reset = threading.Event()

    def waits(connection: socket.socket) -> None:
        if is_reset(connection):
            was_reset.set()

    def resets(connection: socket.socket) -> None:
        read_exactly(connection, len(GET))
        reset(connection)

    with upstream(waits) as address, recording(address, tmp_path / "client") as proxy:
        connection = proxy.connect()
        connection.sendall(GET)
        time.sleep(0.1)
        reset(connection)
        assert was_reset.wait(PATIENCE)
        proxy.end()
        assert proxy.file.read_text().endswith(">\nreset\nend next\n")
    with upstream(resets) as address, recording(address, tmp_path / "server") as proxy, proxy.connect() as connection:
        connection.sendall(GET)
        assert is_reset(connection)
        proxy.end()
        assert proxy.file.read_text().endswith(">\nend close\n")


def test_a_client_that_leaves_a_stream(tmp_path: Path) -> None:
    left = threading.Event()

    def streams(connection: socket.socket) -> None:
        read_exactly(connection, len(GET))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
        try:
            while True:
                connection.sendall(b": still here\n\n")
                time.sleep(0.01)
        except OSError:
            left.set()

    with upstream(streams) as address, recording(address, tmp_path / "file") as proxy:
        with proxy.connect() as connection:
            connection.sendall(GET)
            read_exactly(connection, 70)
        assert left.wait(PATIENCE)
        proxy.end()
        assert re.search(r"\nwait head\nwait body \d+\n(close|reset)\nend next\n$", proxy.file.read_text())


def test_a_stream_under_way_at_the_end_is_kept(tmp_path: Path) -> None:
    def streams(connection: socket.socket) -> None:
        read_exactly(connection, len(GET))
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\ndata: 1\n\n")
        read_all(connection)

    with upstream(streams) as address, recording(address, tmp_path / "file") as proxy, proxy.connect() as connection:
        connection.sendall(GET)
        read_exactly(connection, 28)
        assert proxy.end(signal.SIGTERM) == (0, f"1 exchanges of 1 connections in {proxy.file}\n")
        assert proxy.file.read_text().endswith("\nwait head\nwait body 9\nclose\nend next\n")


def test_what_is_unanswered_at_the_end_is_told(tmp_path: Path) -> None:
    with upstream(read_all) as address, recording(address, tmp_path / "file") as proxy, proxy.connect() as connection:
        connection.sendall(GET)
        time.sleep(0.1)
        code, said = proxy.end()
    assert (code, said) == (
        0,
        f"0 exchanges of 1 connections in {proxy.file}; 1 not recorded: unanswered at the end, or too large\n",
    )
    assert parse(proxy.file.read_bytes(), "") == []


def test_bytes_both_ways_behind_an_upgrade(tmp_path: Path) -> None:
    handshake = b"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
    switching = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"

    def talks(connection: socket.socket) -> None:
        assert read_exactly(connection, len(handshake)) == handshake
        connection.sendall(switching + b"\x81\x02hi")
        connection.sendall(read_exactly(connection, 256))

    with upstream(talks) as address, recording(address, tmp_path / "file") as proxy, proxy.connect() as connection:
        connection.sendall(handshake)
        assert read_exactly(connection, len(switching) + 4) == switching + b"\x81\x02hi"
        connection.sendall(bytes(range(256)))
        assert read_all(connection) == bytes(range(256))
        proxy.end()
        [exchange] = proxy.exchanges()
        assert (exchange.meta["needs"], exchange.meta["status"]) == ("websocket", "101")
        assert sent([exchange]) == handshake + bytes(range(256))
        assert b"\nwait response\nanswered\n> HTTP/1.1 101\n" in exchange.text
        assert b"\n>\nwait frame\nsend\n" in exchange.text


def test_a_server_that_cannot_be_reached(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    with recording(("127.0.0.1", port), tmp_path / "file") as proxy:
        for _ in range(2):
            with proxy.connect() as connection:
                connection.sendall(GET)
                said = f"bridgecheck record: 127.0.0.1:{port} cannot be reached: Connection refused\n"
                head, _, body = read_all(connection).decode().partition("\r\n\r\n")
                assert body == said
                assert head.split("\r\n") == [
                    "HTTP/1.1 502 Bad Gateway",
                    "Content-Type: text/plain",
                    f"Content-Length: {len(said)}",
                    "Connection: close",
                ]
        code, told = proxy.end()
    assert code == 0
    assert told == f"{said}0 exchanges of 0 connections in {proxy.file}; 2 connections refused with 502\n"


def test_where_no_more_files_can_be_opened_clients_wait(tmp_path: Path) -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

    def ask(connection: socket.socket) -> bool:
        try:
            connection.sendall(GET)
            return read_exactly(connection, len(OK)) == OK
        except OSError:
            return False

    with upstream(answers) as address, recording(address, tmp_path / "file", preexec_fn=limit) as proxy:
        crowd = [proxy.connect() for _ in range(40)]
        assert 5 <= sum(ask(connection) for connection in crowd[:10]) <= 10
        time.sleep(0.3)
        for connection in crowd:
            connection.close()
        with proxy.connect() as connection:
            assert ask(connection)
        code, said = proxy.end()
        assert code == 0
        assert said.startswith("bridgecheck record: no more connections can be opened; clients have to wait\n")
        assert sent(proxy.exchanges()) == GET * len(proxy.exchanges())


def test_a_websocket_of_the_shop(tmp_path: Path) -> None:
    with shop(tmp_path) as address, recording(address, tmp_path / "file") as proxy:
        with connect(f"ws://{proxy.listen}/ws", compression=None) as talk:
            talk.send("3")
            assert '"item":3' in talk.recv(PATIENCE)
            talk.send("hello")
            assert talk.recv(PATIENCE) == "hello"
        assert proxy.end()[0] == 0
        [exchange] = proxy.exchanges()
    assert (exchange.name, exchange.meta["status"], exchange.meta["needs"]) == ("get-ws", "101", "websocket")
    steps = [line for line in exchange.text.decode().split("\n") if line.partition(" ")[0] in ("send", "wait", "half-close", "end")]
    assert steps[:6] == ["send", "wait response", "send", "wait frame", "send", "wait frame"]


def test_unix_sockets(tmp_path: Path) -> None:
    listen = f"unix:{tmp_path}/proxy"
    with (
        upstream(answers, socket.AF_UNIX, f"{tmp_path}/server"),
        recording(f"unix:{tmp_path}/server", tmp_path / "file", listen=listen) as proxy,
        socket.socket(socket.AF_UNIX) as connection,
    ):
        connection.settimeout(PATIENCE)
        connection.connect(f"{tmp_path}/proxy")
        connection.sendall(GET)
        assert read_exactly(connection, len(OK)) == OK
        assert proxy.end()[0] == 0
        assert sent(proxy.exchanges()) == GET
    assert not (tmp_path / "proxy").exists()


def fails(*options: object) -> str:
    done = subprocess.run(command(*options), capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2, done
    return done.stderr


def test_what_cannot_begin_is_said_and_ends_with_2(tmp_path: Path) -> None:
    file, there = tmp_path / "file", tmp_path / "there"
    there.write_text("something else\n")
    addresses = ("--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:9")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert fails("--listen", f"127.0.0.1:{port}", "--upstream", "127.0.0.1:9", "-o", file) == (
            f"bridgecheck: --listen 127.0.0.1:{port}: Address already in use\n"
        )
    assert fails(*addresses, "-o", there) == f"bridgecheck: {there}: exists already; name another file, or say --append\n"
    assert fails(*addresses, "-o", there, "--append").startswith(f"bridgecheck: {there}:1:1: ")
    assert there.read_text() == "something else\n"
    assert fails(*addresses, "-o", tmp_path / "none" / "file").endswith(f"bridgecheck: {tmp_path}/none/file: No such file or directory\n")
    assert "an address is HOST:PORT" in fails("--listen", "8000", "--upstream", "127.0.0.1:9", "-o", file)
    assert "an address is HOST:PORT" in fails("--listen", "127.0.0.1:0", "--upstream", "127.0.0.1:99999", "-o", file)
    assert not file.exists()


def test_an_exchange_for_each_connection(tmp_path: Path) -> None:
    with upstream(answers) as address, recording(address, tmp_path / "file", "--exchange", "connection") as proxy:
        for _ in range(2):
            with proxy.connect() as connection:
                for _ in range(3):
                    connection.sendall(GET)
                    read_exactly(connection, len(OK))
        assert proxy.end()[0] == 0
        exchanges = proxy.exchanges()
        assert [exchange.meta["status"] for exchange in exchanges] == ["200 200 200"] * 2
        assert [sent([exchange]) for exchange in exchanges] == [3 * GET] * 2


@pytest.mark.slow
@pytest.mark.parametrize("client", ["httpx", "curl"])
def test_what_clients_did_to_the_shop_passes_the_gate(client: str, tmp_path: Path) -> None:
    """Recorded in front of uvicorn, and played again: the same, with the statuses that were recorded."""
    if client == "curl" and not shutil.which("curl"):
        pytest.skip("curl is not on PATH")
    script = {"httpx": [sys.executable, TRAFFIC / "httpx_client.py"], "curl": ["sh", TRAFFIC / "curl.sh"]}[client]
    file = tmp_path / "file.exchange"
    with shop(tmp_path) as address, recording(address, file) as proxy:
        subprocess.run(script, env={**os.environ, "SHOP": f"http://{proxy.listen}"}, check=True, timeout=60, stdout=subprocess.DEVNULL)
        assert proxy.end()[0] == 0
    demo = parse((TRAFFIC / f"{client}.exchange").read_bytes(), client)
    names = [re.sub(r"\.[0-9]+$", "", exchange.name) for exchange in parse(file.read_bytes(), "file")]
    assert names == [re.sub(r"\.[0-9]+$", "", exchange.name) for exchange in demo if " " not in exchange.meta["status"]]
    words = ["gate", "bridgecheck.demo.shop:app", "--candidate", "uvicorn", "--taps", "recorded", "--traffic", file]
    done = subprocess.run(
        [sys.executable, "-m", "bridgecheck", *map(str, words)], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(names)} exchanges (recorded {len(names)})" in done.stdout


@pytest.mark.parametrize("cut", [0, 2, 20, 60])
def test_append(cut: int, tmp_path: Path) -> None:
    """Also to a file whose last exchange was cut short: that one is taken out, and it is said."""
    file = tmp_path / "file"
    said = []
    with upstream(answers) as address:
        for options in ((), ("--append",)):
            with recording(address, file, *options) as proxy:
                said.append(proxy.before)
                with proxy.connect() as connection:
                    for _ in range(2):
                        connection.sendall(GET)
                        read_exactly(connection, len(OK))
                    assert proxy.end()[0] == 0
            if not options and cut:
                os.truncate(file, file.stat().st_size - cut)
    exchanges = parse(file.read_bytes(), "file")
    assert [exchange.session for exchange in exchanges] == ["connection-1"] * (2 - bool(cut)) + ["connection-2"] * 2
    told = rf"{file}: its last exchange was cut short; \d+ bytes are taken out\n" if cut else ""
    assert re.fullmatch(told, said[1]) and said[0] == ""


def test_a_file_that_cannot_grow_ends_it(tmp_path: Path) -> None:
    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))

    file = tmp_path / "file"
    with upstream(answers) as address, recording(address, file, "--no-answers", preexec_fn=limit) as proxy, proxy.connect() as connection:
        for _ in range(50):
            try:
                connection.sendall(GET)
                read_exactly(connection, len(OK))
            except OSError:
                break
        assert proxy.process.wait(PATIENCE) == 2
        assert proxy.process.stderr.read().endswith(f"bridgecheck: {proxy.file}: {os.strerror(27)}; what is in it is whole\n")
        assert 1 <= len(proxy.exchanges()) < 10


def test_what_was_answered_is_kept_unless_it_is_not_wanted(tmp_path: Path) -> None:
    with upstream(answers) as address:
        for options, kept in (((), True), (("--no-answers",), False)):
            with recording(address, tmp_path / f"file{kept}", *options) as proxy, proxy.connect() as connection:
                connection.sendall(GET)
                assert read_exactly(connection, len(OK)) == OK
                proxy.end()
                assert (b"\nanswered\n> HTTP/1.1 200\n> Content-Length: 2\n>\nend next" in proxy.exchanges()[0].text) is kept
