"""The least that a server may hand out: a scope or event without what may be left out where it means the same.

Makes new dicts; what it was given stays as it is. Knows the specification's defaults.
"""

from typing import Any

_ANY = object()
_SCOPE: dict[str, dict[str, Any]] = {  # key: the value that is its default, or _ANY where it may always be missing
    "http": {"scheme": "http", "raw_path": _ANY, "root_path": "", "client": _ANY, "server": _ANY, "extensions": _ANY},
    "websocket": {
        "scheme": "ws",
        "http_version": "1.1",
        "raw_path": _ANY,
        "query_string": b"",
        "root_path": "",
        "client": _ANY,
        "server": _ANY,
        "subprotocols": [],
        "extensions": _ANY,
    },
}
_EVENT: dict[str, dict[str, Any]] = {
    "http.request": {"body": b"", "more_body": False},
    "websocket.receive": {"text": None, "bytes": None},
    "websocket.disconnect": {"reason": ""},
}


def _without(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    return {
        key: value
        for key, value in values.items()
        if key not in defaults or (defaults[key] is not _ANY and value is not None and value != defaults[key])
    }


def scope(given: dict[str, Any]) -> dict[str, Any]:
    return _without(given, _SCOPE.get(given.get("type") or "", {}))


def event(given: Any) -> Any:
    return _without(given, _EVENT.get(given.get("type") or "", {})) if isinstance(given, dict) else given
