"""Apps whose client leaves."""

from typing import Any

from usual import answer, read


async def listen(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """Notes all that receive() gives, until the client leaves; then it goes on as if nothing were."""
    call.note("called")
    while (event := await receive())["type"] != "http.disconnect":
        call.note(event["type"], len(event["body"]), event["more_body"])
    call.note(event)
    call.note((await receive())["type"])
    await call.raised(answer(send, b"for nobody"))
    await call.raised(send({"type": "nonsense"}))
    await call.raised(send(None))
    call.note((await receive())["type"])


async def deaf(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """Does not look whether the client is there, and answers when it is told to."""
    call.note("called")
    await call.gate()
    await call.raised(answer(send, b"for nobody"))
    call.note((await receive())["type"])
    call.note((await receive())["type"])


async def streaming(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """Listens between two pieces of its response."""
    await read(receive)
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"begun", "more_body": True})
    call.note("begun")
    call.note((await receive())["type"])
    await call.raised(send({"type": "http.response.body", "body": b"for nobody", "more_body": True}))
    await call.raised(send({"type": "http.response.body"}))
    await call.raised(send({"type": "http.response.body"}))


async def background(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """Works on after its response."""
    await answer(send)
    call.note("answered")
    call.note((await receive())["type"])
    await call.gate()
    call.note((await receive())["type"])
    await call.raised(send({"type": "http.response.body", "body": b"late"}))


async def returning(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """Returns without a word when the client has left: no error of its own."""
    while (await receive())["type"] != "http.disconnect":
        call.note("called")


async def raising(call: Any, scope: Any, receive: Any, send: Any) -> None:
    await read(receive)
    call.note("called")
    await receive()
    raise ValueError("the client has left")
