"""Apps that look at what the server gives them: the scope, receive and send, the task, its context."""

import asyncio
import contextvars
import inspect
import json
import sys
import threading
from typing import Any

import anyio
from usual import answer, read


async def faces(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """What libraries ask of receive and send."""
    for face, argument in ((receive, ()), (send, ({"type": "never sent"},))):
        call.note(inspect.iscoroutinefunction(face), asyncio.iscoroutinefunction(face), inspect.isasyncgenfunction(face))
        call.note(callable(face), inspect.ismethod(face), face.__name__)
        call.note(list(inspect.signature(face).parameters))
        made = face(*argument)
        call.note(inspect.iscoroutine(made), inspect.isawaitable(made), asyncio.iscoroutine(made), type(made).__name__)
        made.close()
        call.note(hash(face) == hash(face), face == face)
    await answer(send)


async def task(call: Any, scope: Any, receive: Any, send: Any) -> None:
    current = asyncio.current_task()
    assert current
    call.note(current.get_name().startswith("Task-"), inspect.iscoroutine(current.get_coro()), type(current).__name__)
    call.note(current in asyncio.all_tasks(), current.cancelling(), type(asyncio.get_running_loop()).__module__.partition(".")[0])
    call.note(threading.current_thread() is threading.main_thread())
    await answer(send)


async def started(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """receive by the ways in which libraries start it."""
    task = asyncio.create_task(receive())
    call.note(list(await task))
    async with anyio.create_task_group() as group:
        group.start_soon(send, {"type": "http.response.start", "status": 200, "headers": []})
        group.start_soon(receive)
        await asyncio.sleep(0.05)
        group.cancel_scope.cancel()
    async with anyio.create_task_group() as group:
        group.start_soon(send, {"type": "http.response.body", "body": b"done"})
    call.note((await asyncio.wait_for(asyncio.ensure_future(receive()), 1))["type"])


async def not_awaited(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """What is not awaited does nothing."""
    send({"type": "http.response.start", "status": 500, "headers": []}).close()
    receive().close()
    call.note((await receive())["type"])
    await answer(send)


async def again(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """A receive that is cancelled while it waits takes nothing from the next one."""
    for wait in (0, 0.01, 0.05):
        try:
            await asyncio.wait_for(receive(), wait)
        except TimeoutError:
            call.note("nothing yet")
    call.note("waiting")
    call.note((await read(receive)).decode())
    await answer(send)


async def patient(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """Polls: thousands of calls of receive that are cancelled leave nothing behind. Notes by how many blocks memory has grown."""

    async def poll(times: int) -> int:
        for _ in range(times):
            task = asyncio.create_task(receive())
            await asyncio.sleep(0)
            task.cancel()
            await asyncio.wait([task])
        return sys.getallocatedblocks()

    before = await poll(100)
    call.note(await poll(2000) - before)
    call.note((await read(receive)).decode())
    await answer(send)


async def cancelled_when_it_came(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """A receive that is cancelled in the turn in which it may go on leaves the content to the next one."""
    first, second = asyncio.create_task(receive()), asyncio.create_task(receive())
    first.add_done_callback(lambda _: second.cancel())
    call.note("waiting")
    await asyncio.wait([first, second])
    call.note(first.result()["body"].decode(), second.cancelled() or second.result()["body"].decode())
    await answer(send)


async def twice(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """Two tasks wait in receive: what each gets when content comes, and when the client leaves."""
    for _ in range(2):
        tasks = [asyncio.create_task(receive()), asyncio.create_task(receive())]
        await asyncio.sleep(0.02)
        call.note("waiting")
        for event in await asyncio.gather(*tasks):
            call.note(event["type"], event.get("body", b"").decode(), event.get("more_body"))
    call.note((await receive())["type"])


async def threadsafe(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """From a thread, by the loop: the way that there is."""
    loop = asyncio.get_running_loop()

    def work() -> None:
        event = asyncio.run_coroutine_threadsafe(receive(), loop).result(5)
        call.note(event["type"])
        asyncio.run_coroutine_threadsafe(send({"type": "http.response.start", "status": 200, "headers": []}), loop).result(5)

    await asyncio.to_thread(work)
    await anyio.to_thread.run_sync(lambda: anyio.from_thread.run(send, {"type": "http.response.body", "body": b"done"}))


async def other_thread(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """From a thread with a loop of its own: no way."""

    async def use() -> None:
        await call.raised(receive())
        await call.raised(send({"type": "http.response.start", "status": 200, "headers": []}))

    await asyncio.to_thread(lambda: asyncio.run(use()))
    await answer(send)


VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="unset")


async def context(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """What a request before this one has left in its context."""
    call.note(VARIABLE.get())
    VARIABLE.set("set by another request")
    await read(receive)
    await answer(send)


def typed(value: Any) -> Any:
    """A value with its types, as JSON has none."""
    match value:
        case dict():
            return ["dict", [[key, typed(item)] for key, item in value.items()]]
        case list() | tuple():
            return [type(value).__name__, [typed(item) for item in value]]
        case _:
            return [type(value).__name__, repr(value)]


async def scope(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """The scope in its own order, with exact types."""
    call.note(type(scope).__name__, typed(scope))
    await answer(send)


async def client(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """Whom the request is from, as the scope has it."""
    await answer(send, json.dumps([scope["client"], scope["server"], scope["scheme"], scope["root_path"], scope["path"]]).encode())


async def kept(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """The scope, receive and send belong to the request: what an app does to them, the next one does not see."""
    call.note(scope["state"].get("mine"), scope["asgi"].get("mine"), len(scope["headers"]), "mine" in scope)
    scope["state"]["mine"] = scope["asgi"]["mine"] = scope["mine"] = True
    scope["headers"].append((b"x-mine", b"1"))
    await answer(send)


async def renamed(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """The access line shows the scope as it is when the response starts."""
    scope["path"], scope["query_string"], scope["client"] = "/renamed path", b"x=1", ("over there", 7)
    scope["http_version"], scope["method"] = "9", "POST"
    await answer(send, b"renamed")


async def as_head(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """Changes the method in the scope, as a method override does."""
    scope["method"] = "HEAD"
    await answer(send, b"content")


async def as_get(call: Any, scope: Any, receive: Any, send: Any) -> None:
    scope["method"] = "GET"
    await answer(send, b"content")


async def later(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """receive and send when the call is long over: kept by a task that outlives it."""
    await answer(send)

    async def afterwards() -> None:
        await call.gate()
        call.note((await receive())["type"])
        await call.raised(send({"type": "http.response.body", "body": b"late"}))
        call.note("said")

    call.task = asyncio.create_task(afterwards())


async def collected(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """Cycles of references with receive and send in them."""
    scope["me"] = [scope, receive, send]
    await answer(send)


async def broken_future(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """Cancels whatever waits for content below receive()."""
    task = asyncio.create_task(receive())
    await asyncio.sleep(0.02)
    waiter = task._fut_waiter  # type: ignore[attr-defined]
    call.note(type(waiter).__name__, waiter.cancel())
    call.note(type((await asyncio.gather(task, return_exceptions=True))[0]).__name__)
    call.note("waiting")
    call.note((await read(receive)).decode())
    await answer(send)
