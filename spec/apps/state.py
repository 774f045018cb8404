"""A small app that looks at the lifespan state it was given."""

from .lifespan import SHELF
from .message import Receive, Scope, Send, answer_json, read

__all__ = ["mark_state"]


async def mark_state(scope: Scope, receive: Receive, send: Send) -> None:
    """Leaves a mark in scope and state, and says whether an earlier call's mark is there.

    A mark that is found is taken away, so that a server which shares them between calls does not disturb the cases after this one."""
    await read(receive)
    state = scope.get("state")
    found = {"scope": scope.pop("mark", False), "state": None, "shelf": None}
    if not found["scope"]:
        scope["mark"] = True
    if state is not None:
        found["state"] = state.pop("mark", False)
        found["shelf"] = state.get("shelf") is SHELF
        if not found["state"]:
            state["mark"] = True
    await answer_json(send, found)
