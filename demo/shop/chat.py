"""Chat over WebSockets: rooms in memory, and what one says in a room goes to all in it, oneself too."""

import re
from collections import defaultdict

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from fastapi.requests import HTTPConnection
from pydantic import BaseModel

router = APIRouter(prefix="/chat", tags=["chat"])

SUBPROTOCOL = "chat.v1"
NAME = re.compile(r"[\w-]{1,20}")
LONGEST = 500
TEXT_ONLY, TOO_LONG = 1003, 1009


class Rooms:
    """Who is in which room, in the order they came."""

    def __init__(self) -> None:
        self._sockets: defaultdict[str, dict[WebSocket, str]] = defaultdict(dict)

    def sizes(self) -> dict[str, int]:
        return {room: len(sockets) for room, sockets in sorted(self._sockets.items()) if sockets}

    async def enter(self, room: str, socket: WebSocket, name: str) -> None:
        self._sockets[room][socket] = name
        await self.tell(room, {"room": room, "joined": name})

    async def leave(self, room: str, socket: WebSocket) -> None:
        name = self._sockets[room].pop(socket)
        await self.tell(room, {"room": room, "left": name})

    async def tell(self, room: str, message: dict[str, str]) -> None:
        for socket in list(self._sockets[room]):
            try:
                await socket.send_json(message)
            except (WebSocketDisconnect, RuntimeError):
                continue  # it has gone, and its own call is about to say so


class RoomList(BaseModel):
    rooms: dict[str, int]


@router.get("")
async def list_rooms(request: HTTPConnection) -> RoomList:
    return RoomList(rooms=request.state.rooms.sizes())


@router.websocket("/{room}")
async def chat(socket: WebSocket, room: str, name: str = "") -> None:
    """ "/who" is answered to who asks, "/quit" ends the talk; without a name nobody comes in."""
    if not NAME.fullmatch(name):
        await socket.receive()  # the handshake: ASGI has nothing sent before it
        await socket.close()
        return
    rooms: Rooms = socket.state.rooms
    await socket.accept(SUBPROTOCOL if SUBPROTOCOL in socket.scope["subprotocols"] else None)
    await rooms.enter(room, socket, name)
    try:
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if text is None:
                await socket.close(TEXT_ONLY, "text only")
                return
            if len(text) > LONGEST:
                await socket.close(TOO_LONG, f"at most {LONGEST} characters")
                return
            if text == "/quit":
                await socket.close(1000, "bye")
                return
            if text == "/who":
                await socket.send_json({"room": room, "size": rooms.sizes()[room]})
            else:
                await rooms.tell(room, {"room": room, "from": name, "text": text})
    except WebSocketDisconnect:
        return
    finally:
        await rooms.leave(room, socket)
