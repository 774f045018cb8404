"""Bound sockets, held against what asyncio's and uvloop's servers bind, and the words of their errors."""

import asyncio
import contextlib
import logging
import os
import socket
import stat
import sys
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvloop

from bridgecheck.bridge.sockets import UnixSocket, bind

LOOPS = [asyncio.SelectorEventLoop, uvloop.new_event_loop]


def run(main: Coroutine[Any, Any, Any], loop: Callable[[], asyncio.AbstractEventLoop] = LOOPS[0]) -> Any:
    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(main)


def files() -> set[str]:
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the listing's own
            found.add(f"{name} {os.readlink(f'/proc/self/fd/{name}')}")
    return {one for one in found if "socket:" in one}


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def bound(host: str, loop: Any = LOOPS[0]) -> list[tuple[Any, ...]]:
    """What a server may see of each socket; its port is only whether it has one."""
    sockets = run(bind(host, 0), loop)
    try:
        return [shape(sock) for sock in sockets]
    finally:
        for sock in sockets:
            sock.close()


def shape(sock: socket.socket) -> tuple[Any, ...]:
    address, port, *rest = sock.getsockname()
    v6only = sock.family == socket.AF_INET6 and sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    return sock.family, sock.type, address, bool(port), *rest, v6only, sock.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR)


async def served(host: str) -> list[tuple[Any, ...]]:
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, host, 0)
    try:
        return [shape(sock) for sock in server.sockets]
    finally:
        server.close()


def families() -> list[str]:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as sock:
        sock.bind(("::1", 0))
        return ["127.0.0.1", "localhost", "", "0.0.0.0", "::1", "::", "127.1", "0:0:0:0:0:0:0:1"]
    return ["127.0.0.1", "localhost", "", "0.0.0.0", "127.1"]


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("host", families())
def test_sockets_are_those_of_a_loops_own_server(host: str, loop: Any) -> None:
    found = bound(host, loop)
    assert found and sorted(found) == sorted(run(served(host), loop))


def test_a_socket_is_bound_and_does_not_listen_yet() -> None:
    (sock,) = run(bind("127.0.0.1", 0))
    with sock, socket.socket() as client:
        assert not sock.getblocking() and not sock.get_inheritable()
        with pytest.raises(ConnectionRefusedError):
            client.connect(sock.getsockname())


def test_the_port_asked_for() -> None:
    (first,) = run(bind("127.0.0.1", 0))
    port = first.getsockname()[1]
    first.close()
    (sock,) = run(bind("127.0.0.1", port))
    with sock:
        assert sock.getsockname() == ("127.0.0.1", port)


def test_every_address_of_a_name_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def found(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
        assert host == "twice.test"
        one, other = ((socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("127.0.0.1", "127.0.0.2"))
        return [one, (97, socket.SOCK_STREAM, 6, "", ()), other, one]  # with a family that no machine has

    monkeypatch.setattr(socket, "getaddrinfo", found)
    sockets = run(bind("twice.test", 0))
    assert [sock.getsockname()[0] for sock in sockets] == ["127.0.0.1", "127.0.0.2"]
    for sock in sockets:
        sock.close()


# asyncio's own words changed with CPython 3.12; the bridge keeps those that uvloop, its first choice, still has.
@pytest.mark.parametrize("loop", LOOPS if sys.version_info < (3, 12) else LOOPS[1:])
@pytest.mark.parametrize("host", ["127.0.0.1", "192.0.2.1", "no-such-name.invalid", "a b", "256.1.1.1", "127.0.0.1:80"])
def test_errors_are_those_of_the_loops_own_server(host: str, loop: Any, taken: int) -> None:
    async def theirs() -> None:
        await asyncio.get_running_loop().create_server(asyncio.Protocol, host, taken)

    before = files()
    with pytest.raises(OSError) as expected:
        run(theirs(), loop)
    with pytest.raises(OSError) as found:
        run(bind(host, taken), loop)
    assert (type(found.value), found.value.errno, str(found.value)) == (type(expected.value), expected.value.errno, str(expected.value))
    assert files() == before


def test_the_words_of_a_taken_port(taken: int) -> None:
    with pytest.raises(OSError) as error:
        run(bind("127.0.0.1", taken))
    assert str(error.value) == f"[Errno 98] error while attempting to bind on address ('127.0.0.1', {taken}): address already in use"


def test_one_taken_address_gives_the_others_back(monkeypatch: pytest.MonkeyPatch, taken: int) -> None:
    def found(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in ("127.0.0.3", "127.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", found)
    before = files()
    with pytest.raises(OSError, match=f"'127.0.0.1', {taken}"):
        run(bind("both.test", taken))
    assert files() == before


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_unix_socket_is_open_to_all_and_does_not_listen_yet(tmp_path: Path) -> None:
    path = tmp_path / "s"
    made = UnixSocket(str(path))
    with made.socket, socket.socket(socket.AF_UNIX) as client:
        assert path.is_socket() and mode(path) == 0o666 and not made.socket.getblocking()
        with pytest.raises(ConnectionRefusedError):
            client.connect(str(path))
        made.socket.listen()
        client.connect(str(path))


def test_a_stale_socket_is_replaced_and_its_permissions_stay(tmp_path: Path) -> None:
    path = tmp_path / "s"
    UnixSocket(str(path)).socket.close()
    path.chmod(0o640)
    made = UnixSocket(str(path))
    with made.socket, socket.socket(socket.AF_UNIX) as client:
        assert mode(path) == 0o640
        made.socket.listen()
        client.connect(str(path))


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("name", ["file", "folder", "no/such/folder", "x" * 200, "file/below"])
def test_what_is_no_socket_stays(name: str, loop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "file").chmod(0o600)
    (tmp_path / "folder").mkdir()
    before = files()

    async def theirs() -> None:
        await asyncio.get_running_loop().create_unix_server(asyncio.Protocol, name)

    with pytest.raises(OSError) as expected:
        run(theirs(), loop)
    with pytest.raises(OSError) as found:
        UnixSocket(name)
    assert (type(found.value), found.value.errno, str(found.value)) == (type(expected.value), expected.value.errno, str(expected.value))
    assert (tmp_path / "file").read_text() == "mine" and mode(tmp_path / "file") == 0o600
    assert files() == before


def test_a_stale_socket_that_cannot_be_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    path = str(tmp_path / "s")
    UnixSocket(path).socket.close()

    def refuse(path: str) -> None:
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "remove", refuse)
    with pytest.raises(OSError, match="already in use"), caplog.at_level(logging.ERROR, "asyncio"):
        UnixSocket(path)
    assert caplog.messages == [f"Unable to check or remove stale UNIX socket {path!r}: PermissionError(13, 'Permission denied')"]


def test_a_socket_is_removed_once_and_only_where_it_is_our_own(tmp_path: Path) -> None:
    path = tmp_path / "s"
    first = UnixSocket(str(path))
    first.remove()
    assert not path.exists()
    first.remove()
    first.socket.close()

    first = UnixSocket(str(path))
    second = UnixSocket(str(path))  # another server has taken the path over
    first.remove()
    assert path.is_socket()
    second.remove()
    assert not path.exists()
    path.write_text("mine")
    second.remove()
    assert path.read_text() == "mine"
    first.socket.close()
    second.socket.close()
