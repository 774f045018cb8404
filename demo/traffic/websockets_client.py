"""What programs say over WebSockets with the library of that name, to the shop at the address in SHOP."""

import asyncio
import os

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

SHOP = os.environ["SHOP"].replace("http://", "ws://")
CHAT = [Subprotocol("chat.v1")]


async def hear_out(socket: ClientConnection) -> None:
    """To the end of the talk."""
    try:
        while True:
            await socket.recv()
    except ConnectionClosed:
        pass


async def chat() -> None:
    """Each in a room of its own: what several say at once is in hand.exchange, in one order."""
    async with connect(f"{SHOP}/chat/lobby?name=grace", subprotocols=CHAT) as socket:
        await socket.recv()
        for text in ("hello", "is anybody there?", "/who", "", "schöne Grüße, 元気", "x" * 500):
            await socket.send(text)
            await socket.recv()
    async with connect(f"{SHOP}/chat/plain?name=tony", compression=None) as socket:
        await socket.recv()
        await socket.send(["in ", "three ", "pieces"])
        await socket.recv()
        await (await socket.ping(b"still there?"))
        await socket.send("/quit")
        await hear_out(socket)
    async with connect(f"{SHOP}/chat/bytes?name=ken", subprotocols=[Subprotocol("chat.v0"), *CHAT]) as socket:
        await socket.recv()
        await socket.send(bytes(range(256)))
        await hear_out(socket)
    async with connect(f"{SHOP}/chat/long?name=jean", subprotocols=[Subprotocol("chat.v0")]) as socket:
        await socket.recv()
        await socket.send("y" * 501)
        await hear_out(socket)
    async with connect(f"{SHOP}/chat/left?name=radia") as socket:
        await socket.recv()
        await socket.close(4001, "had enough")
    for refused in ("/chat/lobby", "/chat/lobby?name=not%20a%20name", "/chat"):
        try:
            await connect(f"{SHOP}{refused}")
        except InvalidStatus:
            pass


async def ask_prices() -> None:
    async with connect(f"{SHOP}/ws") as socket:
        for text in ("1", "24", "25", "how much?", "9" * 30, "-1"):
            await socket.send(text)
            await socket.recv()
        await socket.send("bye")
        await hear_out(socket)
    async with connect(f"{SHOP}/ws", origin="http://localhost:3000", additional_headers={"Cookie": "cart_size=2"}) as socket:  # type: ignore[arg-type]
        await socket.send("11")
        await socket.recv()


for talk in (chat, ask_prices):
    asyncio.run(talk())
