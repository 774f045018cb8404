"""Many clients, at once and one after the other. Live."""

import asyncio
import json
import time
from pathlib import Path

from .live import Server, bridge_fixture, request, resident, server_fixture, wait_until, wait_while_it_moves  # noqa: F401

CLIENTS = 500
WAIT = 0.2
CONNECTS = 10_000


async def ask(server: Server, number: int) -> list[object]:
    """Three requests on one connection, the first of which waits."""
    reader, writer = await asyncio.open_connection(*server.address)
    answers = []
    for wait in (WAIT, 0, 0):
        writer.write(request(f"/turns.echo/{number}?wait={wait}", method="POST", body=b"x" * number))
        await reader.readuntil(b"\r\n\r\n")
        answers.append(json.loads(await reader.readuntil(b"]")))
    writer.close()
    await writer.wait_closed()
    return answers


def test_five_hundred_clients_at_once(server: Server) -> None:
    """Each is answered, and none waits for another."""

    async def all_of_them() -> list[list[object]]:
        async with asyncio.timeout(20):
            return await asyncio.gather(*(ask(server, number) for number in range(CLIENTS)))

    begin = time.monotonic()
    answers = asyncio.run(all_of_them())
    assert answers == [[["POST", f"/turns.echo/{number}", number]] * 3 for number in range(CLIENTS)]
    assert time.monotonic() - begin < CLIENTS * WAIT / 4


def descriptors(server: Server) -> int:
    return len(list(Path(f"/proc/{server.process.pid}/fd").iterdir()))


def come_and_go(server: Server, count: int) -> None:
    """Clients that say nothing, half a head, a request, or leave with a reset."""
    for number in range(count):
        with server.connect() as client:
            match number % 4:
                case 1:
                    client.send(b"GET / HTTP/1.1\r\nHo")
                case 2:
                    assert client.get("/").response().body == b"done"
                case 3:
                    client.get("/")
                    client.reset()


def test_ten_thousand_connections_leave_nothing(bridge: Server) -> None:
    server = bridge
    come_and_go(server, CONNECTS // 10)
    before, used = wait_while_it_moves(lambda: descriptors(server)), resident(server)
    come_and_go(server, CONNECTS - CONNECTS // 10)
    wait_until(lambda: descriptors(server) == before, "descriptors as before")
    assert resident(server) - used < 1 << 20
