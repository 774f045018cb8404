"""The list of routes that the app of a running target keeps, as its observer tells it.

Asks by a marked request, which the observer answers and the app never sees. Knows HTTP as far as it takes to ask; what a list is good
for is in conformance/route.py.
"""

import contextlib
import http.client
import json
import re
from dataclasses import dataclass

ROUTES = "routes"  # the observer's token for this question
PATIENCE = 5.0  # seconds
ANY, WEBSOCKET = "*", "WEBSOCKET"  # in place of a method


@dataclass(frozen=True)
class ListedRoute:
    """A method and a path that the app says it has."""

    method: str
    path: str
    pattern: re.Pattern[str]  # of the paths that lead there

    @property
    def name(self) -> str:
        return f"{self.method} {self.path}"


def ask(host: str, port: int) -> list[ListedRoute] | None:
    """In the app's order, which is that of matching. None where the app keeps no list, or where no observer answers."""
    connection = http.client.HTTPConnection(host, port, timeout=PATIENCE)
    with contextlib.closing(connection):
        try:
            connection.request("GET", "/", headers={"Bridgecheck-Next": ROUTES, "Connection": "close"})
            response = connection.getresponse()
            if response.getheader("bridgecheck-next") != ROUTES:
                return None
            return listed(json.loads(response.read()))
        except (OSError, http.client.HTTPException, ValueError):
            return None


def listed(given: list[dict[str, str]] | None) -> list[ListedRoute] | None:
    """What the observer tells. A path whose expression Python cannot read here, in another version than there, matches itself alone."""
    if given is None:
        return None
    found: dict[tuple[str, str], ListedRoute] = {}
    for item in given:
        try:
            pattern = re.compile(item["pattern"])
        except re.error:
            pattern = re.compile(re.escape(item["path"]) + "$")
        found.setdefault((item["method"], item["path"]), ListedRoute(item["method"], item["path"], pattern))
    return list(found.values())
