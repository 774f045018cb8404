"""The app's own list of its routes, as far as it has one: what Starlette and FastAPI keep in `routes`, mounts and included routers opened.

Asked by duck typing, since this process has whatever framework the app has, in any version, or none. What cannot be told is left out, and
nothing that the app answers with can raise here: the app is only looked at.
"""

from __future__ import annotations

import re
from typing import Any

_WRAPPERS_MAX = 16  # middleware around an app
_DEPTH_MAX = 16  # mounts in mounts
_METHODS = ("get", "head", "post", "put", "patch", "delete", "options", "trace")
ANY, WEBSOCKET = "*", "WEBSOCKET"  # in place of a method


def listed(app: Any) -> list[dict[str, str]] | None:
    """{"method", "path", "pattern"} of each route and method, in the app's order, which is that of matching; None where no list is kept."""
    for _ in range(_WRAPPERS_MAX):
        routes = _routes(app)
        if routes is not None:
            return _inside(routes, "", "", 0)
        app = _attribute(app, "app")
        if app is None:
            break
    return None


def _attribute(thing: Any, name: str) -> Any:
    try:
        return getattr(thing, name, None)
    except Exception:  # a property of the app's own
        return None


def _routes(app: Any) -> list[Any] | None:
    found = _attribute(app, "routes")
    return list(found) if isinstance(found, (list, tuple)) else None


def _inside(routes: list[Any], path: str, pattern: str, depth: int) -> list[dict[str, str]]:
    found = []
    for route in routes:
        try:
            found += _route(route, path, pattern, depth)
        except Exception:  # of a kind that nobody has seen yet
            continue
    return found


def _route(route: Any, path: str, pattern: str, depth: int) -> list[dict[str, str]]:
    included = _attribute(route, "effective_route_contexts")  # FastAPI's included router
    if callable(included):
        contexts = [_attribute(context, "starlette_route") or context for context in included()]
        return _inside(contexts, path, pattern, depth + 1) if depth < _DEPTH_MAX else []
    own = _attribute(route, "path_format") or _attribute(route, "path")
    inner = _routes(route)
    if inner is None:
        inner = _routes(_attribute(route, "app"))
    if not isinstance(own, str):  # Host and the like: its routes stand under no path of their own
        return _inside(inner, path, pattern, depth + 1) if inner and depth < _DEPTH_MAX else []
    regex = _attribute(_attribute(route, "path_regex"), "pattern")
    own_pattern = re.sub(r"\(\?P<\w+>", "(?:", regex).removeprefix("^") if isinstance(regex, str) else _pattern(own)
    endpoint, methods = _attribute(route, "endpoint"), _attribute(route, "methods")
    if endpoint is None and (inner or _attribute(route, "app") is not None):
        return _mount(route, inner, path + own, pattern + own_pattern, depth)
    if _is_websocket(route):
        names = [WEBSOCKET]
    elif methods:
        names = sorted(method for method in methods if method != "HEAD" or "GET" not in methods)  # which comes with GET by itself
    else:  # an endpoint that is a class has a method for each
        names = [name.upper() for name in _METHODS if isinstance(endpoint, type) and callable(_attribute(endpoint, name))] or [ANY]
    return [{"method": name, "path": path + own, "pattern": f"^{pattern}{own_pattern}"} for name in names]


def _mount(route: Any, inner: list[Any] | None, path: str, pattern: str, depth: int) -> list[dict[str, str]]:
    """What stands under a path: its own routes, or, where it has no list of them, all that there may be."""
    path = path.removesuffix("/{path}").removesuffix("/{path:path}").rstrip("/")
    pattern = pattern.removesuffix("$").removesuffix("/(?:.*)").rstrip("/")
    if inner:
        return _inside(inner, path, pattern, depth + 1) if depth < _DEPTH_MAX else []
    methods = _attribute(route, "methods") or [ANY]
    names = sorted(method for method in methods if method != "HEAD" or "GET" not in methods)
    return [{"method": name, "path": f"{path}/{{path}}", "pattern": f"^{pattern}(?:/.*)?$"} for name in names]


def _is_websocket(route: Any) -> bool:
    return any(kind.__name__.endswith("WebSocketRoute") for kind in type(route).__mro__)


def _pattern(path: str) -> str:
    """For a framework that keeps no expression: a parameter is one segment, or the rest where it is called a path."""
    parts = re.split(r"(\{[^}]*\})", path)
    return "".join((".*" if part.endswith(":path}") else "[^/]+") if part.startswith("{") else re.escape(part) for part in parts) + "$"
