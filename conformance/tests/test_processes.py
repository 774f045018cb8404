"""What is read from /proc, about processes and sockets of our own."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator

import pytest

from bridgecheck.conformance.targets.processes import Peer, ending, family, peer

from .watched import until


@pytest.fixture(params=[socket.AF_INET, socket.AF_INET6], ids=["IPv4", "IPv6 that takes IPv4 too"])
def listener(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    with socket.create_server(("", 0), family=request.param, dualstack_ipv6=request.param == socket.AF_INET6) as listener:
        yield listener


def port(listener: socket.socket) -> int:
    return listener.getsockname()[1]


def test_the_peer_is_queued_then_accepted_then_closed(listener: socket.socket) -> None:
    with socket.create_connection(("127.0.0.1", port(listener))) as client:
        assert peer(client, port(listener), os.getpid()) is Peer.QUEUED
        accepted, _ = listener.accept()
        assert peer(client, port(listener), os.getpid()) is Peer.ACCEPTED
        accepted.close()
        assert until(lambda: peer(client, port(listener), os.getpid()) is Peer.CLOSED)


def test_a_listener_of_somebody_else_is_foreign(listener: socket.socket) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        with socket.create_connection(("127.0.0.1", port(listener))) as client:
            assert peer(client, port(listener), other.pid) is Peer.FOREIGN
            listener.accept()[0].close()
            assert peer(client, port(listener), other.pid) is Peer.FOREIGN
        other.communicate()


def test_where_nobody_listens_any_more_the_peer_is_foreign(listener: socket.socket) -> None:
    """Also where the connection went with the listener's queue."""
    with socket.create_connection(("127.0.0.1", port(listener))) as client:
        number = port(listener)
        listener.close()
        assert peer(client, number, os.getpid()) is Peer.FOREIGN


def test_a_family_is_parents_before_children_whatever_they_are_called() -> None:
    script = "import subprocess, sys; open('/proc/self/comm', 'w').write(') S 1 ('); subprocess.run([sys.executable, '-c', 'input()'])"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE) as parent:
        found = until(lambda: len(family(parent.pid)) == 2 and family(parent.pid))
        assert [process.parent for process in found] == [os.getpid(), parent.pid]
        assert all(process.resident > 0 for process in found)
        parent.communicate()
    assert family(parent.pid) == []


def test_a_process_that_ends_does_so_before_its_connections_are_closed() -> None:
    script = (
        "import os, socket\n"
        "listener = socket.create_server(('127.0.0.1', 0))\n"
        "print(listener.getsockname()[1], flush=True)\n"
        "client, _ = listener.accept()\n"
        "client.recv(1)\n"
        "os._exit(3)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as server:
        assert server.stdout is not None
        with socket.create_connection(("127.0.0.1", int(server.stdout.readline()))) as client:
            assert not ending(server.pid)
            client.send(b"x")
            assert client.recv(1) == b""
            assert ending(server.pid)
        server.wait()
    assert ending(server.pid)
