"""WebSockets, for live tests: an app that does what its query says, and one that echoes. Both note what they are told."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote_to_bytes

from usual import Call


def plain(value: Any) -> Any:
    """For JSON: bytes of any kind, tuples and what else JSON would change are said by name."""
    match value:
        case dict():
            return {name: plain(item) for name, item in value.items()}
        case list() | tuple():
            return [type(value).__name__, *map(plain, value)]
        case bytes() | bytearray() | memoryview():
            data = bytes(value)
            return [type(value).__name__, data.decode("latin-1") if len(data) < 300 else [len(data), hash_of(data)]]
        case str():
            return value if len(value) < 300 else ["str", len(value), hash_of(value.encode())]
        case None | bool() | int() | float():
            return value
    return repr(value)


def hash_of(data: bytes) -> int:
    return sum(number * octet for number, octet in enumerate(data[::97], 1)) % 1000003


def built(value: Any) -> Any:
    """What a script says: {"bytes": "..."} alone is bytes, {"pairs": [...]} a list of tuples, {"surrogate": 1} no text."""
    match value:
        case {"octets": str(text), **nothing} if not nothing:
            return text.encode("latin-1")
        case {"bytearray": str(text), **nothing} if not nothing:
            return bytearray(text.encode("latin-1"))
        case {"pairs": list(pairs), **nothing} if not nothing:
            return [tuple(built(item) for item in pair) for pair in pairs]
        case {"long": int(size), **nothing} if not nothing:
            return bytes(range(256)) * (size // 256)
        case {"surrogate": _, **nothing} if not nothing:
            return "\ud800"
        case dict():
            return {name: built(item) for name, item in value.items()}
        case list():
            return [built(item) for item in value]
    return value


def steps(script: list[Any]) -> Iterator[Any]:
    for step in script:
        match step:
            case ["times", count, repeated]:
                yield from [repeated] * count
            case _:
                yield step


async def scripted(call: Call, scope: Any, receive: Any, send: Any) -> Any:
    """Step by step; the steps are the cases below, and ["times", count, step]."""
    for step in steps(json.loads(unquote_to_bytes(scope["query_string"]))):
        match step:
            case "receive":
                call.note(plain(await receive()))
            case "scope":
                call.note({name: plain(value) for name, value in scope.items() if name not in ("client", "server")})
            case "gate":
                call.note("at the gate")
                await call.gate()
            case "hang":
                call.note("hangs")
                await asyncio.sleep(60)
            case ["both"]:
                found = await asyncio.gather(receive(), receive())
                call.note([plain(event) for event in found])
            case ["wait", seconds]:
                try:
                    call.note(plain(await asyncio.wait_for(receive(), seconds)))
                except TimeoutError:
                    call.note("nothing comes")
            case ["send", message]:
                try:
                    await send(built(message))
                    call.note("sent")
                except Exception as error:
                    call.note(type(error).__name__, str(error), isinstance(error, OSError))
            case ["send or fail", message]:
                await send(built(message))
            case ["sleep", seconds]:
                await asyncio.sleep(seconds)
            case ["return", value]:
                return value
            case ["raise", text]:
                raise ValueError(text)
            case other:
                raise AssertionError(other)


async def echo(call: Call, scope: Any, receive: Any, send: Any) -> None:
    """Notes each event. The text "close" closes."""
    while True:
        event = await receive()
        call.note(plain(event))
        match event:
            case {"type": "websocket.connect"}:
                await send({"type": "websocket.accept"})
            case {"type": "websocket.disconnect"}:
                return
            case {"text": "close"}:
                await send({"type": "websocket.close", "code": 3000, "reason": "as told"})
            case _:
                await send({**event, "type": "websocket.send"})


async def telling(call: Call, scope: Any, receive: Any, send: Any) -> None:
    """Tells the client where it is."""
    await send({"type": "websocket.accept"})
    await send({"type": "websocket.send", "text": repr([scope[name] for name in ("root_path", "path", "raw_path")])})
