"""Apps that fail, each in its way."""

import asyncio
from typing import Any

from usual import answer


class Unprintable(Exception):
    def __str__(self) -> str:
        raise ArithmeticError("not this one")


def _chained() -> Exception:
    try:
        try:
            raise KeyError("first")
        except KeyError as error:
            raise ValueError("second\nin two lines") from error
    except ValueError as error:
        error.add_note("a note")
        return error


ERRORS = {
    "error": lambda: ValueError("wrong"),
    "exit": lambda: SystemExit(5),
    "interrupt": lambda: KeyboardInterrupt(),
    "cancelled": lambda: asyncio.CancelledError("who else"),
    "generator": lambda: GeneratorExit(),
    "stop": lambda: StopIteration(),
    "base": lambda: BaseException("from below"),
    "group": lambda: ExceptionGroup("together", [ValueError("one"), TypeError("two")]),
    "unprintable": lambda: Unprintable(),
    "chained": _chained,
    "unicode": lambda: ValueError("\xe9\u2028\udcff"),
}


async def before(call: Any, scope: Any, receive: Any, send: Any) -> None:
    raise ERRORS[scope["query_string"].decode()]()


async def after_start(call: Any, scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    raise ERRORS[scope["query_string"].decode()]()


async def after_all(call: Any, scope: Any, receive: Any, send: Any) -> None:
    await answer(send)
    raise ERRORS[scope["query_string"].decode()]()


async def value(call: Any, scope: Any, receive: Any, send: Any) -> Any:
    await answer(send)
    return {"a": "value\n"}


async def value_alone(call: Any, scope: Any, receive: Any, send: Any) -> Any:
    return 0


async def nothing(call: Any, scope: Any, receive: Any, send: Any) -> None: ...


async def only_start(call: Any, scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


async def half(call: Any, scope: Any, receive: Any, send: Any) -> None:
    await only_start(call, scope, receive, send)
    await send({"type": "http.response.body", "body": b"half", "more_body": True})


async def cancels_itself(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """The task is cancelled, as by a timeout of the app's own; its 500 is the first that notices."""
    task = asyncio.current_task()
    assert task
    task.cancel("enough")
    await asyncio.sleep(5)


async def cancels_itself_later(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """What is left of a cancellation when the app has returned."""
    task = asyncio.current_task()
    assert task
    await answer(send)
    task.cancel("late")


async def status(call: Any, scope: Any, receive: Any, send: Any) -> None:
    await answer(send, status=int(scope["query_string"]))


async def status_of_no_number(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """The access line of it cannot be written."""
    await answer(send, status="odd")  # type: ignore[arg-type]


async def scope_lost(call: Any, scope: Any, receive: Any, send: Any) -> None:
    """The access line needs what the app has taken out of the scope."""
    del scope["path"]
    await answer(send)


async def odd_query(call: Any, scope: Any, receive: Any, send: Any) -> None:
    scope["query_string"] = b"\xff"
    await answer(send)


async def no_client(call: Any, scope: Any, receive: Any, send: Any) -> None:
    scope["client"] = None
    await answer(send)
