"""The app of a soak: a route for each thing that an app can do to a server, and /counts, which says what the process holds.

Every size is the client's to choose (`?pieces=N`); nothing waits for longer than the client stays, or until /release.
"""

import asyncio
import ctypes
import gc
import json
import os
import sys
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

Route = Callable[[Any, Any, Any], Awaitable[None]]

HELLO = b"Hello, world!"
PIECE = bytes(range(256)) * 256  # 64 KiB
IMMORTAL = 1 << 28  # a reference count that says nothing: from Python 3.12 on some objects are never counted

release = asyncio.Event()


# --- counting ---------------------------------------------------------------------------------------------------------------------------


class MallocInfo(ctypes.Structure):
    """mallinfo2 of glibc: what the main thread's malloc has given out."""

    _fields_ = [(name, ctypes.c_size_t) for name in "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost".split()]


_libc = ctypes.CDLL(None)
_libc.mallinfo2.restype = MallocInfo


def counts() -> dict[str, Any]:
    """What the process holds now. What is reachable from objects that the collector knows is counted by type, with the references to it."""
    while gc.collect():
        pass
    malloc = _libc.mallinfo2()
    found: dict[str, Any] = {
        "malloc bytes": malloc.uordblks + malloc.hblkhd,
        "allocated blocks": sys.getallocatedblocks(),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "tasks": len(asyncio.all_tasks()),
        "resident bytes": int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE"),
    }
    if hasattr(sys, "gettotalrefcount"):  # a debug build of Python
        found["all references"] = sys.gettotalrefcount()
    tracked = gc.get_objects()
    reachable = {id(thing): thing for thing in tracked}
    for thing in tracked:
        for referent in gc.get_referents(thing):
            reachable[id(referent)] = referent
    del tracked, thing, referent
    objects: Counter[str] = Counter()
    references: Counter[str] = Counter()
    for thing in reachable.values():
        name = f"{type(thing).__module__}.{type(thing).__qualname__}"
        objects[name] += 1
        held = sys.getrefcount(thing)
        references[name] += held if held < IMMORTAL else 0
    return {**found, "objects": objects, "references": references}


async def show_counts(scope: Any, receive: Any, send: Any) -> None:
    await respond(send, json.dumps(counts()).encode(), b"application/json")


# --- what an app can do -----------------------------------------------------------------------------------------------------------------


async def respond(send: Any, body: bytes, media_type: bytes = b"text/plain") -> None:
    fields = [(b"content-type", media_type), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": body})


async def hello(scope: Any, receive: Any, send: Any) -> None:
    await respond(send, HELLO)


async def measure(scope: Any, receive: Any, send: Any) -> None:
    """Reads the whole content, keeps nothing of it, and says how long it was."""
    length, more = 0, True
    while more:
        event = await receive()
        if event["type"] == "http.disconnect":
            return
        length += len(event.get("body", b""))
        more = event.get("more_body", False)
    await respond(send, b"%d" % length)


async def stream(scope: Any, receive: Any, send: Any) -> None:
    """Five pieces without a content-length."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    for number in range(5):
        await send({"type": "http.response.body", "body": b"piece %d\n" % number, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def large(scope: Any, receive: Any, send: Any) -> None:
    """As many pieces of 64 KiB as asked for, each an object of its own: a server that keeps them all needs memory for all."""
    pieces = int(scope["query_string"].removeprefix(b"pieces="))
    fields = [(b"content-length", b"%d" % (pieces * len(PIECE)))]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    for left in reversed(range(pieces)):
        await send({"type": "http.response.body", "body": b"".join((PIECE, b"")), "more_body": left > 0})


async def no_content(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def fail(scope: Any, receive: Any, send: Any) -> None:
    raise RuntimeError("before the start")


async def fail_late(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"100")]})
    await send({"type": "http.response.body", "body": HELLO, "more_body": True})
    raise RuntimeError("after a piece")


async def stay(scope: Any, receive: Any, send: Any) -> None:
    """Sends one piece and more, until the client leaves."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    await send({"type": "http.response.body", "body": HELLO, "more_body": True})
    while (await receive())["type"] != "http.disconnect":
        pass
    await send({"type": "http.response.body", "body": HELLO})


async def ignore(scope: Any, receive: Any, send: Any) -> None:
    """Reads nothing until /release."""
    await release.wait()
    await respond(send, b"released")


async def let_go(scope: Any, receive: Any, send: Any) -> None:
    release.set()
    await respond(send, HELLO)


ROUTES: dict[str, Route] = {
    "/": hello,
    "/counts": show_counts,
    "/measure": measure,
    "/stream": stream,
    "/large": large,
    "/204": no_content,
    "/fail": fail,
    "/fail-late": fail_late,
    "/stay": stay,
    "/ignore": ignore,
    "/release": let_go,
}


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        scope["state"]["kept"] = ["by the app", b"in every request's state"]
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    await ROUTES[scope["path"]](scope, receive, send)
