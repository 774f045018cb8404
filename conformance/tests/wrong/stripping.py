"""uvicorn, but for white space around field values, which it leaves at their end: python stripping.py HOW HOST PORT APP.

HOW: `right` strips it; `harmful` strips it and hides the query as well; `halfway` strips what is before it only, and so nothing;
`greedy` strips more than white space; `often` does not strip it in every third request that has some.
"""

import itertools
import sys
from typing import Any

import uvicorn
from uvicorn.importer import import_from_string

how, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
inner = import_from_string(sys.argv[4])
requests = itertools.count(1)


def _padded(headers: list[tuple[bytes, bytes]]) -> bool:
    return any(value != value.strip() for _, value in headers)


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] == "http" and not (how == "often" and _padded(scope["headers"]) and next(requests) % 3 == 0):
        strip = bytes.lstrip if how == "halfway" else bytes.strip
        scope["headers"] = [(name, strip(value, b" \tp" if how == "greedy" else b" \t")) for name, value in scope["headers"]]
        if how == "harmful":
            scope["query_string"] = b""
    await inner(scope, receive, send)


uvicorn.run(app, host=host, port=port, log_level="warning")
