"""Apps that send or receive more than fits between server and client."""

import asyncio
import hashlib
from typing import Any

from usual import answer, query


async def stream(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """?pieces=N&size=N: notes how many pieces send() has taken."""
    wanted = query(scope)
    piece = b"x" * int(wanted["size"])
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
    call.note(0)
    for sent in range(1, int(wanted["pieces"]) + 1):
        await send({"type": "http.response.body", "body": piece, "more_body": True})
        call.notes[:] = [sent]
    await send({"type": "http.response.body"})


async def _fill(call: Any, send: Any, size: int = 1 << 16) -> int:
    """Send until send() waits; a piece that is cancelled is not sent. How many were."""
    sent = 0
    while True:
        try:
            await asyncio.wait_for(send({"type": "http.response.body", "body": b"x" * size, "more_body": True}), 0.2)
        except TimeoutError:
            call.note("full")
            return sent
        sent += 1


async def start(send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


async def many_senders(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """Tasks that wait in send() at the same time, each with a piece of its own."""
    await start(send)
    sent = await _fill(call, send)
    tasks = [asyncio.create_task(send({"type": "http.response.body", "body": b"<%d>" % i, "more_body": True})) for i in range(50)]
    await asyncio.sleep(0.05)
    call.note(sum(task.done() for task in tasks))
    call.note("waiting")
    await asyncio.gather(*tasks)
    await send({"type": "http.response.body", "body": b"end %d" % sent})


async def cancelled_send(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """Two of three senders that wait are cancelled; what they had is not sent."""
    await start(send)
    sent = await _fill(call, send)
    tasks = [asyncio.create_task(send({"type": "http.response.body", "body": b"<%d>" % i, "more_body": True})) for i in range(3)]
    await asyncio.sleep(0.05)
    tasks[0].cancel()
    tasks[2].cancel()
    call.note("waiting")
    results = await asyncio.gather(*tasks, return_exceptions=True)
    call.note([type(result).__name__ for result in results])
    await send({"type": "http.response.body", "body": b"end %d" % sent})


async def left_in_send(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """The client leaves while send() waits."""
    await start(send)
    await _fill(call, send)
    call.note("waiting")
    await call.raised(send({"type": "http.response.body", "body": b"late", "more_body": True}))
    await call.raised(send({"type": "http.response.body", "body": b"later", "more_body": True}))
    call.note((await receive())["type"])
    await call.raised(send({"type": "nonsense"}))


async def cancelled_when_drained(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """A sender is cancelled in the very turn in which it may go on."""
    await start(send)
    sent = await _fill(call, send)
    first = asyncio.create_task(send({"type": "http.response.body", "body": b"<first>", "more_body": True}))
    second = asyncio.create_task(send({"type": "http.response.body", "body": b"<second>", "more_body": True}))
    first.add_done_callback(lambda _: second.cancel())
    call.note("waiting")
    await asyncio.wait([first, second])
    call.note(second.cancelled())
    await send({"type": "http.response.body", "body": b"end %d" % sent})


async def hold(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """Does not receive until it is told to."""
    call.note("holding")
    await call.gate()
    await count(call, scope, receive, send)


async def count(call: Any, scope: Any, receive: Any, send: Any) -> None:
    size, largest, digest = 0, 0, hashlib.sha256()
    while True:
        event = await receive()
        if event["type"] == "http.disconnect":
            call.note("left after", size)
            return
        size += len(event["body"])
        largest = max(largest, len(event["body"]))
        digest.update(event["body"])
        if not event["more_body"]:
            break
    call.note("largest", largest)
    await answer(send, f"{size} {digest.hexdigest()}".encode())


async def echo(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """Sends what it receives, as it comes."""
    await start(send)
    more = True
    while more:
        event = await receive()
        more = event["more_body"]
        await send({"type": "http.response.body", "body": event["body"], "more_body": more})
