"""An app whose every answer counts on what it gave before: a session's cookie, a form's token, a bearer's token, ids, ETags, dates.

All of it is made by chance at each start. For the tests of values that are carried."""

import base64
import json
import os
import secrets
from typing import Any
from urllib.parse import parse_qs

SESSIONS: dict[str, str] = {}  # cookie to the token of its form
BEARERS: set[str] = set()
NOTES: dict[int, str] = {}  # number to ETag
FIRST = int(os.environ.get("FIRST_NOTE", "9"))
KEY = os.environ.get("TOKEN_KEY", "token")
CHANGED = f"Tue, 0{secrets.randbelow(8) + 1} Jan 2030 {secrets.randbelow(10):02}:{secrets.randbelow(50) + 10}:11 GMT"

Answer = tuple[int, dict[str, str], bytes]


def log_in(body: bytes) -> Answer:
    if parse_qs(body.decode()).get("user") != ["ada"]:
        return 401, {}, b"no"
    session, bearer = secrets.token_urlsafe(24), secrets.token_hex(16)
    SESSIONS[session] = "a1B2+/" + base64.b64encode(secrets.token_bytes(16)).decode()
    BEARERS.add(bearer)
    return 200, {"set-cookie": f"session={session}; Path=/", "content-type": "application/json"}, json.dumps({KEY: bearer}).encode()


def make_note() -> Answer:
    number = FIRST + len(NOTES)
    NOTES[number] = f'W/"{secrets.token_hex(4)}"'
    made = json.dumps({"text": "milk", "id": number}).encode()
    return 201, {"location": f"/notes/{number}", "content-type": "application/json"}, made


def answer(method: str, path: str, fields: dict[str, str], body: bytes) -> Answer:
    if (method, path) == ("POST", "/login"):
        return log_in(body)
    if path == "/me":
        return (200 if fields.get("authorization", "").removeprefix("Bearer ") in BEARERS else 401), {}, b"me"
    token = SESSIONS.get(fields.get("cookie", "").removeprefix("session="))
    if token is None:
        return 401, {}, b"log in"
    if path == "/form":
        written = token.replace("+", "&#43;").replace("=", "&#x3D;")
        page = f'<form><input name="text"><input type="hidden" name="csrf" value="{written}"></form>'
        return 200, {"content-type": "text/html"}, page.encode()
    if (method, path) == ("POST", "/notes"):
        given = parse_qs(body.decode()).get("csrf", [fields.get("x-csrf-token", "")])
        return make_note() if given == [token] else (403, {}, b"no token")
    if (method, path) == ("POST", "/links"):
        return (200 if json.loads(body)["note_id"] in NOTES else 422), {}, b"linked"
    if path == "/changed":
        return (304 if fields.get("if-modified-since") == CHANGED else 200), {"last-modified": CHANGED}, b""
    number = path.removeprefix("/notes/")
    if not number.isdigit() or int(number) not in NOTES:
        return 404, {}, b"none"
    tag = NOTES[int(number)]
    if method == "PUT":
        return (204 if fields.get("if-match") == tag else 412), {}, b""
    return (304 if fields.get("if-none-match") == tag else 200), {"etag": tag}, b"" if fields.get("if-none-match") == tag else b"milk"


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        event = await receive()
        body += event.get("body", b"")
        more = event.get("more_body", False)
    fields = {name.decode(): value.decode() for name, value in scope["headers"]}
    status, given, content = answer(scope["method"], scope["path"], fields, body)
    headers = [(name.encode(), value.encode()) for name, value in given.items()]
    if status not in (204, 304):
        headers.append((b"content-length", b"%d" % len(content)))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
