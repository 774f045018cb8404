"""An app that asks its server what receive, send, scope, task, loop and exceptions are like: as they come, and behind the observer.

GET /NAME lets the question of that name be asked; GET /answers gives back what was found, as JSON. Only what is the same from run to
run goes into an answer: no addresses, no counters.
"""

import asyncio
import contextvars
import inspect
import json
import re
import threading
from collections.abc import Awaitable, Callable
from typing import Any

Scope = dict[str, Any]
Receive = Callable[..., Awaitable[Any]]
Send = Callable[..., Awaitable[Any]]

ANSWERS: dict[str, list[Any]] = {}
NO_ANSWER = ["did not come back"]
FROM_LIFESPAN: contextvars.ContextVar[str] = contextvars.ContextVar("FROM_LIFESPAN", default="unset")
FROM_REQUEST: contextvars.ContextVar[str] = contextvars.ContextVar("FROM_REQUEST", default="unset")

START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]}
BODY = {"type": "http.response.body", "body": b"ok"}


class Ours(Exception):
    """The app's own."""


def plain(value: Any) -> str:
    return re.sub(r"Task-\d+", "Task", re.sub(r"0x[0-9a-f]+", "0x", str(value)))


async def outcome(ask: Callable[[], Any], patience: float = 0.4) -> str:
    """What a call returned (awaited where that can be), or the type and text of what it raised."""
    try:
        found = ask()
        if inspect.isawaitable(found):
            found = await asyncio.wait_for(found, patience)
        return plain(found)
    except (Exception, asyncio.CancelledError) as error:
        return f"{type(error).__module__}.{type(error).__qualname__}: {plain(error)}"


class Turns:
    """Counts turns of the event loop."""

    def __init__(self) -> None:
        self.count = 0
        self.loop = asyncio.get_running_loop()
        self.handle = self.loop.call_soon(self.turn)

    def turn(self) -> None:
        self.count += 1
        self.handle = self.loop.call_soon(self.turn)

    def stop(self) -> int:
        self.handle.cancel()
        return self.count


async def callables(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    """What are receive and send, to those who ask before they call?"""
    return [question(function) for function in (receive, send) for question in (inspect.iscoroutinefunction, callable, inspect.isclass)]


async def awaitables(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    """What do they return?"""
    found: list[Any] = []
    for awaitable in (receive(), send(START)):
        # A coroutine says what it runs, which is the observer's where there is one; other things are what their type says.
        kind = type(awaitable)
        found += [kind.__module__, kind.__name__, kind.__qualname__, inspect.iscoroutine(awaitable), asyncio.iscoroutine(awaitable)]
        found += [asyncio.isfuture(awaitable), inspect.isawaitable(awaitable), inspect.isgenerator(awaitable)]
        found += [] if inspect.iscoroutine(awaitable) else [plain(repr(awaitable)), dir_of(awaitable)]
        found.append(plain(await awaitable))
        if inspect.iscoroutine(awaitable):
            found.append(await outcome(lambda awaitable=awaitable: awaitable))
    await send(BODY)
    return found


_OF_CLASSES_IN_PYTHON = {"__slots__", "__weakref__", "__firstlineno__", "__static_attributes__"}


def dir_of(thing: Any) -> list[str]:
    return sorted(name for name in dir(thing) if not name.startswith("_bridgecheck") and name not in _OF_CLASSES_IN_PYTHON)


async def create_task(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    """May receive and send run as tasks of their own?"""
    found = []
    for make in (receive, lambda: send(START)):
        awaitable = make()
        try:
            task = asyncio.create_task(awaitable)
        except TypeError as error:
            found += [plain(error), await outcome(lambda awaitable=awaitable: awaitable)]
        else:
            found += [type(task).__name__, plain(await task)]
    await send(BODY)
    return found


async def ensure_future(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    """What does ensure_future make of them, and do a future's methods work?"""
    awaitable = receive()
    future = asyncio.ensure_future(awaitable)
    await asyncio.wait({future})
    called: list[bool] = []
    future.add_done_callback(lambda done: called.append(done.done()))
    found = [
        type(future).__name__,
        future is awaitable,
        future.done(),
        future.cancelled(),
        plain(future.result()),
        plain(future.exception()),
    ]
    found += [plain(future.result()), future.get_loop() is asyncio.get_running_loop()]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return [*found, called]


async def wait_for(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    """Do they work under a time limit, and what does a limit that runs out leave behind?"""
    first = await outcome(lambda: asyncio.wait_for(receive(), 1))
    second = await outcome(lambda: asyncio.wait_for(receive(), 0.05))
    return [first, second, await outcome(lambda: asyncio.wait_for(send(START), 1)), await outcome(lambda: asyncio.wait_for(send(BODY), 1))]


async def shield(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    return [await outcome(lambda: asyncio.shield(receive())), await outcome(lambda: asyncio.shield(send(START)))]


async def gather(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    return [plain(await asyncio.gather(receive(), send(START), return_exceptions=True))]


async def cancelled_receive(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    """A receive that waits is cancelled: what does that do, and does the next one work?"""
    first = await outcome(receive)
    waiting = asyncio.ensure_future(receive())
    await asyncio.sleep(0)
    cancelled = waiting.cancel()
    return [first, bool(cancelled), await outcome(lambda: waiting), waiting.cancelled()]


async def results(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    """What do receive and send give back?"""
    event = await receive()
    return [type(event).__name__, [*event], plain(await send(START)), plain(await send(BODY))]


async def turns(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    """How many turns of the loop does a send take?"""
    await receive()
    counted = Turns()
    try:
        await send(START)
        start = counted.count
        await send(BODY)
        return [start, counted.count]
    finally:
        counted.stop()


WRONG: dict[str, Any] = {
    "unknown type": {"type": "nonsense"},
    "no type": {},
    "not a dict": ["http.response.start"],
    "nothing": None,
    "body first": BODY,
    "no status": {"type": "http.response.start"},
    "status as str": {"type": "http.response.start", "status": "200", "headers": []},
    "header as str": {"type": "http.response.start", "status": 200, "headers": [("a", "b")]},
}


def wrong(name: str) -> Callable[..., Awaitable[list[Any]]]:
    async def ask(scope: Scope, receive: Receive, send: Send) -> list[Any]:
        return [await outcome(lambda: send(WRONG[name])), await outcome(lambda: send(START)), await outcome(lambda: send(BODY))]

    return ask


async def bad_arguments(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    """Only the types: the text names the function."""
    found = []
    for ask in (lambda: send(), lambda: send(1, 2), lambda: receive(1), lambda: send(nonsense=1)):
        found.append((await outcome(ask)).partition(":")[0])
    return found


async def by_name(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    """Not what the specification allows, but it works on some."""
    return [(await outcome(lambda: send(message=START))).partition(":")[0]]


async def after_completion(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    await send(START)
    await send(BODY)
    return [await outcome(lambda: send(BODY)), await outcome(lambda: send(START)), await outcome(lambda: send(None))]


async def receive_after_end(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    await receive()
    await send(START)
    await send(BODY)
    return [await outcome(receive), await outcome(receive)]


async def two_receives(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    """Two at once, and the client has gone."""
    waiting = [asyncio.ensure_future(receive()), asyncio.ensure_future(receive())]
    done, _ = await asyncio.wait(waiting, timeout=0.5)
    return [plain(future.exception() or future.result()) if future in done else "waits" for future in waiting]


async def gone_client(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    """The client goes while the app waits for it."""
    found = [await outcome(receive)]
    try:
        found.append(plain(await receive()))
    except BaseException as error:
        found.append(type(error).__name__)
    return found


async def scope_object(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    scope["ours"] = 1
    scope["headers"] = scope["headers"]
    state = scope.get("state")
    return [type(scope).__name__, scope["ours"], type(scope["headers"]).__name__, type(state).__name__, plain(state), [*scope]]


async def task(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    current = asyncio.current_task()
    assert current is not None
    coroutine = current.get_coro()
    return [plain(current.get_name()), type(current).__name__, current.cancelling(), getattr(coroutine, "__qualname__", "")]


async def loop(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    running = asyncio.get_running_loop()
    kind = type(running)
    return [kind.__module__, kind.__qualname__, running.get_debug(), running.get_task_factory() is None, running.is_running()]


async def context(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    """Is what the lifespan and an earlier request set to be seen here?"""
    found = [FROM_LIFESPAN.get(), FROM_REQUEST.get()]
    FROM_REQUEST.set("set")
    await outcome(lambda: asyncio.ensure_future(receive()))
    return [
        *found,
        FROM_REQUEST.get(),
        sorted(variable.name for variable in contextvars.copy_context() if variable.name.startswith("FROM")),
    ]


async def threads(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    here = threading.current_thread()
    running = asyncio.get_running_loop()

    def elsewhere() -> str:
        return plain(asyncio.run_coroutine_threadsafe(from_thread(receive), running).result(1))

    other = await asyncio.to_thread(elsewhere)
    return [here is threading.main_thread(), other, await asyncio.to_thread(lambda: threading.current_thread() is here)]


async def from_thread(receive: Receive) -> Any:
    return await receive()


async def frames(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    """Does an exception of the server's carry what it always did? The traceback has the observer's lines; the rest is the same."""
    try:
        await send({"type": "nonsense"})
    except Exception as error:
        return [
            plain(error.args),
            plain(error.__cause__),
            plain(error.__context__),
            error.__suppress_context__,
            hasattr(error, "__notes__"),
        ]
    return ["accepted"]


async def raises(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    raise Ours("before the response")


async def raises_inside(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    await send(START)
    raise Ours("inside the response")


async def raises_cancelled(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    raise asyncio.CancelledError("not by the server")


async def raises_stop(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    raise StopAsyncIteration(7)


async def returns_early(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    await send(START)
    return ["nothing more is sent"]


async def web_socket(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    found: list[Any] = [question(function) for function in (receive, send) for question in (inspect.iscoroutinefunction,)]
    found += [plain(await receive()), await outcome(lambda: send({"type": "nonsense"}))]
    found += [await outcome(lambda: send({"type": "websocket.accept"})), await outcome(receive)]
    return [*found, await outcome(lambda: send({"type": "websocket.send", "text": "too late"}))]


async def web_socket_talk(scope: Scope, receive: Receive, send: Send) -> list[Any]:
    """Three messages and their echoes, one of them while a receive is under way; then the app closes, and listens on."""
    found: list[Any] = [sorted(scope), scope["subprotocols"], plain(await receive())]
    found.append(await outcome(lambda: send({"type": "websocket.accept", "subprotocol": "talk", "headers": [(b"x-a", b"1")]})))
    for _ in range(2):
        event = await receive()
        found += [sorted(event), plain(event)[:100], len(event.get("text") or event.get("bytes") or "")]
        found.append(await outcome(lambda event=event: send({**event, "type": "websocket.send"})))

    async def both(function: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        return await function(*arguments)

    found += map(plain, await asyncio.gather(both(receive), both(send, {"type": "websocket.send", "text": "now"})))
    found.append(await outcome(lambda: send({"type": "websocket.close", "code": 4001, "reason": "enough"})))
    return [*found, await outcome(receive, 5)]  # daphne lets the client have its time


WEB_SOCKETS = {"web-socket": web_socket, "web-socket-talk": web_socket_talk}

# What is asked without the app's answer to the client: it answers itself, or does not.
SELF_ANSWERED = {
    "awaitables", "create-task", "after-completion", "receive-after-end", "gone-client", "two-receives", "raises", "raises-inside",
    "raises-cancelled", "raises-stop", "returns-early", "wait-for", "shield", "gather", "results", "turns", "by-name",
}  # fmt: skip
CLIENT_LEAVES = {"gone-client", "two-receives"}
# The client holds half of the request's content back, so that a second receive has something to wait for.
CONTENT_LACKS = {"cancelled-receive", "wait-for"}
# Some server never ends the response: silence for a while is the answer then.
MAY_STAY_OPEN = {
    "raises",
    "raises-inside",
    "raises-cancelled",
    "raises-stop",
    "returns-early",
    "wrong-status-as-str",
    "wrong-header-as-str",
}

QUESTIONS: dict[str, Callable[..., Awaitable[list[Any]]]] = {
    function.__name__.replace("_", "-"): function
    for function in (
        callables, awaitables, create_task, ensure_future, wait_for, shield, gather, cancelled_receive, results, turns,
        bad_arguments, by_name, after_completion, receive_after_end, two_receives, gone_client, scope_object, task, loop,
        context, threads, frames, raises, raises_inside, raises_cancelled, raises_stop, returns_early,
    )
}  # fmt: skip
QUESTIONS.update({f"wrong-{name.replace(' ', '-')}": wrong(name) for name in WRONG})


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    FROM_LIFESPAN.set("set")
    answers = ANSWERS["lifespan"] = [
        type(scope).__name__,
        [*scope],
        inspect.iscoroutinefunction(receive),
        inspect.iscoroutinefunction(send),
    ]
    event = await receive()
    answers += [plain(event), await outcome(lambda: send({"type": "nonsense"}))]
    if "state" in scope:
        scope["state"]["from lifespan"] = 1
    answers.append(await outcome(lambda: send({"type": "lifespan.startup.complete"})))
    await receive()
    await send({"type": "lifespan.shutdown.complete"})


async def respond(send: Send, body: bytes) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(body)).encode())]})
    await send({"type": "http.response.body", "body": body})


async def app(scope: Scope, receive: Receive, send: Send) -> Any:
    if scope["type"] == "lifespan":
        return await lifespan(scope, receive, send)
    if scope["type"] == "websocket":
        name = scope["path"][1:]
        ANSWERS[name] = await WEB_SOCKETS[name](scope, receive, send)
        return None
    name = scope["path"][1:]
    if name == "answers":
        return await respond(send, json.dumps(ANSWERS, sort_keys=True).encode())
    ANSWERS[name] = NO_ANSWER
    ANSWERS[name] = await QUESTIONS[name](scope, receive, send)
    if name not in SELF_ANSWERED and not name.startswith("wrong-"):
        await respond(send, b"ok")
    elif name in ("shield", "gather", "by-name"):
        await outcome(lambda: send(BODY))
    return None
