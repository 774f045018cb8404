"""Every rule that the validator names: an app that obeys it is not accused of anything, one that breaks it is accused of that alone."""

import asyncio
import functools
import inspect
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bridgecheck.spec.rules import catalogue
from bridgecheck.spec.validator import MUST, RELIANCE, SHOULD, RuleWarning, Violation, validator

from .validated import (
    CONNECT,
    GONE,
    HTTP,
    LEFT,
    LIFESPAN,
    RECEIVE,
    REQUEST,
    SHUTDOWN,
    STARTUP,
    WEBSOCKET,
    Return,
    Step,
    application,
    rules_of,
    serve,
)

SOURCES = sorted((Path(__file__).parents[1] / "validator").glob("*.py"))
ID = re.compile(r'"((?:GEN|MSG|HTTP|WS|LIFE|EXT)(?:-[A-Z]+)?-[0-9]{2})"')
NAMED = {name for source in SOURCES for name in ID.findall(source.read_text("utf-8"))}


def start(status: Any = 200, *headers: Any, **more: Any) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": list(headers), **more}


def body(content: Any = b"", more: Any = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": content, "more_body": more}


def event(kind: str, **keys: Any) -> dict[str, Any]:
    return {"type": kind, **keys}


def with_key(value: Any) -> dict[str, Any]:
    return {**start(), "note": value}


def offering(*extensions: str, scope: dict[str, Any] = HTTP, **more: Any) -> dict[str, Any]:
    return {**scope, "extensions": {name: {} for name in extensions}, **more}


def spoken(version: str | None, scope: dict[str, Any]) -> dict[str, Any]:
    return {**scope, "asgi": {"version": "3.0"} | ({"spec_version": version} if version else {})}


def lacking(key: str, scope: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in scope.items() if name != key}


class Text(str):
    pass


class Octets(bytes):
    pass


class File:
    def __init__(self, closed: bool) -> None:
        self.closed = closed

    def fileno(self) -> int:
        return 0


async def look_up_client(scope: Any, receive: Any, send: Any) -> None:
    scope["client"][0]


def take(key: str) -> Any:
    async def take_from_scope(scope: Any, receive: Any, send: Any) -> None:
        scope[key]

    return take_from_scope


def take_received(key: str) -> Any:
    async def take_from_event(scope: Any, receive: Any, send: Any) -> None:
        (await receive())[key]

    return take_from_event


async def receive_twice_at_once(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.gather(receive(), receive())


async def send_twice_at_once(scope: Any, receive: Any, send: Any) -> None:
    await asyncio.gather(send(body(b"a", True)), send(body(b"b", True)))


async def cancel_a_receive(scope: Any, receive: Any, send: Any) -> None:
    try:
        await asyncio.wait_for(receive(), 0.01)
    except TimeoutError:
        return


async def ask_again(scope: Any, receive: Any, send: Any) -> None:
    await cancel_a_receive(scope, receive, send)
    await cancel_a_receive(scope, receive, send)


def turn_into_another(message: dict[str, Any]) -> Any:
    async def send_and_raise(scope: Any, receive: Any, send: Any) -> None:
        try:
            await send(message)
        except (OSError, ValueError) as error:
            raise LookupError("another") from error

    return send_and_raise


LENGTH = (b"content-length", b"2")
TYPE = (b"content-type", b"text/plain")
DONE = (start(), body(b"done"))
ACCEPT, CLOSE = event("websocket.accept"), event("websocket.close")
TEXT = event("websocket.send", text="hi")
UP, DOWN = event("lifespan.startup.complete"), event("lifespan.shutdown.complete")
TALK = (RECEIVE, ACCEPT, TEXT, CLOSE)
TRAIL = event("http.response.trailers", headers=[(b"x-sum", b"1")])
TRAILER = (b"trailer", b"X-Sum")
DENIAL = event("websocket.http.response.start", status=401, headers=[])
DENIED = event("websocket.http.response.body", body=b"no")
FILE = event("http.response.zerocopysend", file=File(True))
PATH = event("http.response.pathsend", path="/file")
HINT = event("http.response.early_hint", links=[b"</style.css>; rel=preload"])
PUSH = event("http.response.push", path="/style.css", headers=[(b"accept", b"*/*")])
DEBUG = event("http.response.debug", info={"template": "x"})
TRAILING = offering("http.response.trailers")
DENYING = offering("websocket.http.response", scope=WEBSOCKET)


@dataclass(frozen=True)
class Case:
    """Steps that break a rule and steps that keep it, on a scope; where the steps are the same, `kept` is the scope that makes it right."""

    rule: str
    breaks: Sequence[Step]
    obeys: Sequence[Step]
    scope: dict[str, Any] = field(default_factory=lambda: HTTP)
    gives: Sequence[Any] = (REQUEST,)
    refuses: BaseException | None = None
    kept: dict[str, Any] | None = None
    gives_kept: Sequence[Any] | None = None


def websocket(rule: str, breaks: Sequence[Step], obeys: Sequence[Step] = TALK, gives: Sequence[Any] = (CONNECT, None), **more: Any) -> Case:
    return Case(rule, breaks, obeys, more.pop("scope", WEBSOCKET), gives, **more)


def lifespan(rule: str, breaks: Sequence[Step], obeys: Sequence[Step] = (RECEIVE, UP, RECEIVE, DOWN), **more: Any) -> Case:
    return Case(rule, breaks, obeys, more.pop("scope", LIFESPAN), (STARTUP, SHUTDOWN), **more)


LOST = OSError("the client is gone")

CASES = [
    Case("GEN-APP-08", [*DONE, Return("done")], [*DONE, Return(None)]),
    Case("GEN-PROTO-01", [], [ValueError("not mine")], {"type": "x.unknown"}),
    lifespan("GEN-PROTO-01", [], [ValueError("not mine")]),
    Case("GEN-SCOPE-08", [{**start(), b"note": 1}, body()], [with_key(1), body()]),
    Case("GEN-SCOPE-09", [start(200, (b"x", Octets(b"y"))), body()], [start(200, (b"x", b"y")), body()]),
    Case("GEN-SCOPE-09", [start(), body(Octets(b"y"))], [start(), body(b"y")]),
    Case("GEN-SCOPE-09", [event(Text("http.response.start"), status=200), body()], DONE),
    Case("GEN-SCOPE-09", [with_key(Text("y")), body()], [with_key("y"), body()]),
    Case("GEN-EVENT-01", [*DONE[:1], {"body": b""}, body()], DONE),
    Case("GEN-EVENT-01", [{"type": b"http.response.start"}, *DONE], DONE),
    Case("GEN-EVENT-02", [event("websocket.close"), *DONE], DONE),
    Case("GEN-EVENT-05", [start(), event("http.response.nonsense"), body()], DONE),
    Case("GEN-EXT-04", [start(), HINT, body()], [start(), HINT, body()], kept=offering("http.response.early_hint")),
    Case("GEN-EXT-04", [start(trailers=True), body(), Return(None)], [start(trailers=False), body()]),
    Case("GEN-RECV-03", [receive_twice_at_once, *DONE], [RECEIVE, RECEIVE, *DONE]),
    Case("GEN-RECV-04", [ask_again, *DONE], [cancel_a_receive, *DONE], gives=()),
    Case("GEN-SEND-03", [start(), send_twice_at_once, body()], [start(), body(b"a", True), body(b"b", True), body()]),
    Case("MSG-01", [with_key({1}), body()], [with_key([1, 0.5, True, None, b"", {"a": []}]), body()]),
    Case("MSG-02", [with_key(2**63), body()], [with_key(2**63 - 1), body()]),
    Case("MSG-03", [with_key(float("nan")), body()], [with_key(0.5), body()]),
    Case("MSG-04", [with_key([(1, 2)]), body()], [with_key([[1, 2]]), body()]),
    Case("MSG-05", [with_key({"a": {1: 2}}), body()], [with_key({"a": {"1": 2}}), body()]),
    Case("HTTP-SCOPE-10", [take("scheme")], [take("scheme"), *DONE], lacking("scheme", HTTP), kept=HTTP),
    Case("HTTP-SCOPE-20", [take("raw_path")], [take("raw_path"), *DONE], lacking("raw_path", HTTP), kept=HTTP),
    Case("HTTP-SCOPE-25", [take("root_path")], [take("root_path"), *DONE], lacking("root_path", HTTP), kept=HTTP),
    Case("HTTP-SCOPE-43", [look_up_client], [look_up_client, *DONE], lacking("client", HTTP), kept=HTTP),
    Case("LIFE-SCOPE-05", [take("state")], [take("state"), *DONE], lacking("state", HTTP), kept=HTTP),
    Case("HTTP-RECV-04", [take_received("body")], [RECEIVE, *DONE], gives=(event("http.request"),)),
    Case("HTTP-DISC-04", [RECEIVE, turn_into_another(start())], [RECEIVE, start()], gives=(GONE,), refuses=ValueError("unknown to all")),
    Case("HTTP-DISC-04", [turn_into_another(start())], [start()], refuses=LOST),
    Case("HTTP-DISC-06", [RECEIVE, *DONE, RECEIVE, RECEIVE], [RECEIVE, *DONE, RECEIVE], gives=(REQUEST, GONE)),
    Case("HTTP-EXC-01", [RECEIVE, *DONE], [RECEIVE], gives=(GONE,)),
    Case("HTTP-HDR-04", [start(200, (b"x a", b"y")), body()], [start(200, (b"x-a", b"y")), body()]),
    Case("HTTP-HDR-04", [start(200, (b"x-a", b"y\r\nb: c")), body()], [start(200, (b"x-a", b"caf\xe9")), body()]),
    Case("HTTP-START-01", [body(b"x", True), *DONE], DONE),
    Case("HTTP-START-01", [start(), *DONE], DONE),
    Case("HTTP-START-02", [start()], DONE),
    Case("HTTP-START-05", [event("http.response.start"), body()], DONE),
    Case("HTTP-START-05", [start("200"), body()], DONE),
    Case("HTTP-START-05", [start(True), body()], DONE),
    Case("HTTP-START-10", [start(200, (b"X-A", b"y")), body()], [start(200, (b"x-a", b"Y")), body()]),
    Case("HTTP-START-11", [start(200, ("x-a", b"y")), body()], [start(200, [b"x-a", b"y"]), body()]),
    Case("HTTP-START-11", [start(200, (b"x-a", "y")), body()], [start(200, (b"x-a", b"y")), body()]),
    Case("HTTP-START-12", [start(200, (b":status", b"201")), body()], DONE),
    Case("HTTP-START-23", [start(trailers=1), body()], [start(trailers=False), body()]),
    Case("HTTP-START-24", [start(103), body()], [start(200), body()]),
    Case("HTTP-START-24", [start(600), body()], [start(599), body()]),
    Case("HTTP-START-25", [{**start(), "headers": {b"x-a": b"y"}}, body()], [{**start(), "headers": ((b"x-a", b"y"),)}, body()]),
    Case("HTTP-START-25", [start(200, (b"x-a", b"y", b"z")), body()], [{**start(), "headers": iter([(b"x-a", b"y")])}, body()]),
    Case("HTTP-START-26", [start(200, LENGTH, LENGTH), body(b"ab")], [start(200, LENGTH), body(b"ab")]),
    Case("HTTP-START-26", [start(200, (b"content-length", b"two")), body(b"ab")], [start(200, LENGTH), body(b"ab")]),
    Case("HTTP-START-27", [start(204, (b"content-length", b"0")), body()], [start(204), body()]),
    Case("HTTP-BODY-03", [start(), body("text")], DONE),
    Case("HTTP-BODY-03", [start(200, LENGTH), body(bytearray(b"ab"))], [start(200, LENGTH), body(b"ab")]),
    Case("HTTP-BODY-09", [*DONE, body(b"more")], [start(), body(b"done", True), body(b"more")]),
    Case("HTTP-BODY-10", [start(), body(b"x", True)], [start(), body(b"x", True), body()]),
    Case("HTTP-BODY-10", [RECEIVE], [RECEIVE], gives_kept=(GONE,)),
    Case("HTTP-BODY-12", [start(200, LENGTH), body(b"abc")], [start(200, LENGTH), body(b"a", True), body(b"b")]),
    Case("HTTP-BODY-12", [start(200, LENGTH), body(b"a")], [start(200, LENGTH), body()], kept={**HTTP, "method": "HEAD"}),
    Case("HTTP-BODY-13", [start(204), body(b"x")], [start(304, LENGTH), body()]),
    Case("HTTP-BODY-14", [start(), body(b"x", 0)], [start(), event("http.response.body")]),
    Case("HTTP-ERR-02", [*DONE, ValueError("late")], DONE),
    Case("HTTP-ERR-03", [RECEIVE, ValueError("early")], [start(), body(b"x", True), ValueError("amid")]),
    websocket("HTTP-SCOPE-04", [RECEIVE, {**ACCEPT, "headers": [(b"x-a", b"y")]}, CLOSE], scope=spoken(None, WEBSOCKET)),
    websocket("WS-SCOPE-06", [take("http_version")], scope=lacking("http_version", WEBSOCKET)),
    websocket("WS-SCOPE-08", [take("raw_path")], scope=lacking("raw_path", WEBSOCKET)),
    websocket("WS-SCOPE-11", [take("query_string")], scope=lacking("query_string", WEBSOCKET)),
    websocket("WS-SCOPE-12", [take("root_path")], scope=lacking("root_path", WEBSOCKET)),
    websocket("WS-SCOPE-18", [take("client")], scope=lacking("client", WEBSOCKET)),
    websocket("WS-SCOPE-19", [take("server")], scope=lacking("server", WEBSOCKET)),
    websocket("WS-SCOPE-21", [take("subprotocols")], scope=lacking("subprotocols", WEBSOCKET)),
    websocket("GEN-APP-07", [ACCEPT, CLOSE]),
    websocket("WS-CONN-04", [RECEIVE]),
    websocket("WS-CONN-04", [RECEIVE, TEXT, CLOSE]),
    websocket(
        "WS-ACC-06", [RECEIVE, {**ACCEPT, "headers": [(b"X-A", b"y")]}, CLOSE], [RECEIVE, {**ACCEPT, "headers": [(b"x-a", b"y")]}, CLOSE]
    ),
    websocket("WS-ACC-06", [RECEIVE, {**ACCEPT, "headers": [("x-a", b"y")]}, CLOSE]),
    websocket(
        "WS-ACC-07",
        [RECEIVE, {**ACCEPT, "headers": [(b"sec-websocket-protocol", b"chat")]}, CLOSE],
        [RECEIVE, {**ACCEPT, "subprotocol": "chat"}, CLOSE],
    ),
    websocket("WS-ACC-09", [RECEIVE, {**ACCEPT, "headers": [(b":status", b"101")]}, CLOSE]),
    websocket(
        "WS-ACC-10",
        [RECEIVE, {**ACCEPT, "headers": [(b"x-a", b"y")]}, CLOSE],
        [RECEIVE, {**ACCEPT, "headers": []}, CLOSE],
        scope=spoken("2.0", WEBSOCKET),
    ),
    websocket("WS-ACC-12", [RECEIVE, ACCEPT, ACCEPT, CLOSE]),
    websocket("WS-ACC-13", [RECEIVE, {**ACCEPT, "subprotocol": b"chat"}, CLOSE], [RECEIVE, {**ACCEPT, "subprotocol": None}, CLOSE]),
    websocket("WS-ACC-14", [RECEIVE, {**ACCEPT, "subprotocol": "other"}, CLOSE], [RECEIVE, {**ACCEPT, "subprotocol": "chat"}, CLOSE]),
    websocket(
        "WS-RECV-04",
        [RECEIVE, ACCEPT, take_received("bytes")],
        [RECEIVE, ACCEPT, take_received("text"), CLOSE],
        (CONNECT, event("websocket.receive", text="a")),
    ),
    websocket("WS-SEND-01", [RECEIVE, ACCEPT, event("websocket.send"), CLOSE]),
    websocket("WS-SEND-01", [RECEIVE, ACCEPT, {**TEXT, "bytes": b"hi"}, CLOSE], [RECEIVE, ACCEPT, {**TEXT, "bytes": None}, CLOSE]),
    websocket("WS-SEND-07", [RECEIVE, ACCEPT, event("websocket.send", text=b"hi"), CLOSE]),
    websocket(
        "WS-SEND-07",
        [RECEIVE, ACCEPT, event("websocket.send", bytes="hi"), CLOSE],
        [RECEIVE, ACCEPT, event("websocket.send", bytes=b"hi"), CLOSE],
    ),
    websocket(
        "WS-DISC-05",
        [RECEIVE, ACCEPT, take_received("reason")],
        [RECEIVE, ACCEPT, take_received("code")],
        (CONNECT, event("websocket.disconnect", code=1005)),
    ),
    websocket("WS-DISC-08", [RECEIVE, turn_into_another(ACCEPT)], [RECEIVE, ACCEPT], refuses=LOST),
    websocket("WS-DISC-09", [RECEIVE, ACCEPT, RECEIVE, RECEIVE], [RECEIVE, ACCEPT, RECEIVE], (CONNECT, LEFT)),
    websocket("WS-EXC-01", [RECEIVE, ACCEPT, RECEIVE, TEXT], [RECEIVE, ACCEPT, RECEIVE], (CONNECT, LEFT)),
    websocket(
        "WS-CLOSE-05",
        [RECEIVE, ACCEPT, {**CLOSE, "reason": "x"}],
        [RECEIVE, ACCEPT, {**CLOSE, "reason": ""}],
        scope=spoken("2.2", WEBSOCKET),
    ),
    websocket("WS-CLOSE-07", [*TALK, TEXT]),
    websocket("WS-CLOSE-08", [RECEIVE, ACCEPT, {**CLOSE, "code": "1000"}], [RECEIVE, ACCEPT, {**CLOSE, "code": 1001, "reason": None}]),
    websocket("WS-CLOSE-08", [RECEIVE, ACCEPT, {**CLOSE, "reason": b"x"}], [RECEIVE, ACCEPT, {**CLOSE, "reason": "x"}]),
    websocket("WS-CLOSE-09", [RECEIVE, ACCEPT, {**CLOSE, "code": 1006}], [RECEIVE, {**CLOSE, "code": 1006}]),
    websocket("WS-CLOSE-10", [RECEIVE, ACCEPT, {**CLOSE, "reason": "é" * 62}], [RECEIVE, ACCEPT, {**CLOSE, "reason": "x" * 123}]),
    websocket("WS-LIFE-01", [RECEIVE, ACCEPT], [RECEIVE, ACCEPT, CLOSE]),
    websocket("WS-ERR-01", [RECEIVE, ValueError("early")]),
    websocket("WS-ERR-02", [RECEIVE, ACCEPT, ValueError("amid")]),
    lifespan("LIFE-START-03", [RECEIVE]),
    lifespan("LIFE-START-04", [UP, RECEIVE, RECEIVE, DOWN]),
    lifespan("LIFE-START-04", [RECEIVE, UP, UP, RECEIVE, DOWN]),
    lifespan("LIFE-FAIL-03", [RECEIVE, ValueError("no database")], [RECEIVE, event("lifespan.startup.failed", message="no database")]),
    lifespan("LIFE-FAIL-04", [RECEIVE, event("lifespan.startup.failed", message=b"x")], [RECEIVE, event("lifespan.startup.failed")]),
    lifespan("LIFE-STOP-03", [RECEIVE, UP, RECEIVE]),
    lifespan("LIFE-STOP-06", [RECEIVE, UP, DOWN, RECEIVE]),
    lifespan("LIFE-STOP-06", [RECEIVE, UP, RECEIVE, DOWN, DOWN]),
    lifespan("LIFE-VER-01", [RECEIVE, event("lifespan.startup.failed")], scope=spoken("1.0", LIFESPAN)),
    websocket("EXT-DENY-03", [RECEIVE, DENIAL, CLOSE, DENIED], [RECEIVE, DENIAL, DENIED], scope=DENYING),
    websocket("EXT-DENY-07", [RECEIVE, ACCEPT, DENIAL, CLOSE], [RECEIVE, DENIAL, DENIED], scope=DENYING),
    websocket("EXT-DENY-07", [RECEIVE, DENIED, CLOSE], [RECEIVE, DENIAL, {**DENIED, "more_body": True}, DENIED], scope=DENYING),
    Case("EXT-PUSH-02", [PUSH, *DONE], [start(), PUSH, body()], offering("http.response.push")),
    Case("EXT-PUSH-03", [start(), {**PUSH, "path": b"/"}, body()], [start(), PUSH, body()], offering("http.response.push")),
    Case("EXT-ZERO-02", [FILE, *DONE], [start(), FILE], offering("http.response.zerocopysend")),
    Case(
        "EXT-ZERO-04",
        [start(), {**FILE, "file": "name"}],
        [start(), {**FILE, "more_body": True}, body(b"x")],
        offering("http.response.zerocopysend"),
    ),
    Case("EXT-ZERO-08", [start(), {**FILE, "file": File(False)}], [start(), FILE], offering("http.response.zerocopysend")),
    Case(
        "EXT-PATH-02",
        [start(200, LENGTH, TYPE), body(b"x", True), PATH],
        [start(200, LENGTH, TYPE), PATH],
        offering("http.response.pathsend"),
    ),
    Case("EXT-PATH-02", [PATH, *DONE], [start(200, LENGTH, TYPE), PATH], offering("http.response.pathsend")),
    Case(
        "EXT-PATH-03",
        [start(200, LENGTH, TYPE), {**PATH, "path": "file"}],
        [start(200, LENGTH, TYPE), PATH],
        offering("http.response.pathsend"),
    ),
    Case("EXT-PATH-04", [start(), PATH], [start(200, LENGTH, TYPE), PATH], offering("http.response.pathsend")),
    Case("EXT-HINT-02", [HINT, *DONE], [start(), HINT, HINT, body()], offering("http.response.early_hint")),
    Case("EXT-HINT-03", [start(), {**HINT, "links": ["text"]}, body()], [start(), HINT, body()], offering("http.response.early_hint")),
    Case("EXT-TRAIL-02", [start(200, TRAILER), body(), TRAIL], [start(200, TRAILER, trailers=True), body(), TRAIL], TRAILING),
    Case(
        "EXT-TRAIL-03",
        [start(200, TRAILER, trailers=True), TRAIL, body(), TRAIL],
        [start(200, TRAILER, trailers=True), body(), TRAIL],
        TRAILING,
    ),
    Case(
        "EXT-TRAIL-03",
        [start(200, TRAILER, trailers=True), body()],
        [start(200, trailers=True), body(), event("http.response.trailers")],
        TRAILING,
    ),
    Case("EXT-TRAIL-04", [start(trailers=True), body(), TRAIL], [start(200, TRAILER, trailers=True), body(), TRAIL], TRAILING),
    Case(
        "EXT-TRAIL-06",
        [start(200, TRAILER, trailers=True), body(), {**TRAIL, "headers": [(b"X-Sum", b"1")]}],
        [start(200, TRAILER, trailers=True), body(), TRAIL],
        TRAILING,
    ),
    Case("EXT-DEBUG-02", [DEBUG, *DONE], DONE),
    Case("EXT-DEBUG-02", [DEBUG, DEBUG, *DONE], [DEBUG, *DONE], offering("http.response.debug")),
    Case("EXT-DEBUG-03", [{**DEBUG, "info": {1: 2}}, *DONE], [DEBUG, *DONE], offering("http.response.debug")),
]


def _id(case: Case) -> str:
    same = [other for other in CASES if other.rule == case.rule]
    number = next(index for index, other in enumerate(same, 1) if other is case)
    return case.rule if len(same) == 1 else f"{case.rule} {number}"


@pytest.mark.parametrize("case", CASES, ids=_id)
def test_an_app_that_breaks_a_rule_is_accused_of_that_alone(case: Case) -> None:
    assert rules_of(case.breaks, case.scope, case.gives, case.refuses) == {case.rule}


@pytest.mark.parametrize("case", CASES, ids=_id)
def test_an_app_that_keeps_a_rule_is_accused_of_nothing(case: Case) -> None:
    assert rules_of(case.obeys, case.kept or case.scope, case.gives_kept or case.gives, case.refuses) == set()


def test_every_rule_that_the_validator_names_has_an_app_that_breaks_it() -> None:
    assert {case.rule for case in CASES} | {"GEN-APP-01"} == NAMED


def test_every_rule_that_the_validator_names_is_in_the_catalogue() -> None:
    assert NAMED - catalogue().keys() == set()


@pytest.mark.parametrize(
    "rule, level", [("HTTP-START-05", MUST), ("HTTP-BODY-10", SHOULD), ("HTTP-BODY-09", RELIANCE), ("GEN-APP-07", RELIANCE)]
)
def test_the_level_is_the_rules_and_a_freedom_of_the_server_is_a_reliance(rule: str, level: str) -> None:
    assert Violation(rule, "x").level == level


def test_a_violation_says_what_was_done_where_and_what_the_rule_asks() -> None:
    app = validator(application(start("200"), body()))
    with pytest.raises(Violation) as caught:
        serve(app, HTTP, [REQUEST])
    assert caught.value.rule == "HTTP-START-05"
    assert str(caught.value).splitlines() == [
        "status is no int: '200', str (event 1, http.response.start)",
        "  HTTP-START-05, must: status is a mandatory int. [specs/www.rst#Response Start - send event]",
    ]


def test_it_is_raised_before_the_server_sees_the_event_and_the_call_is_not_judged_any_more() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        with pytest.raises(Violation):
            await send(body(b"early"))
        await send(body(b"early"))

    wrapped = validator(app)
    assert serve(wrapped, HTTP, [REQUEST]) == [body(b"early")]
    assert [violation.rule for violation in wrapped.violations] == ["HTTP-START-01"]


def test_what_is_lighter_than_fail_on_is_kept_and_not_raised() -> None:
    wrapped = validator(application(*DONE, body(b"late")))
    serve(wrapped, HTTP, [REQUEST])
    assert [violation.rule for violation in wrapped.violations] == ["HTTP-BODY-09"]
    with pytest.raises(Violation):
        serve(validator(application(*DONE, body(b"late")), fail_on=RELIANCE), HTTP, [REQUEST])


def test_an_incomplete_response_is_raised_out_of_the_call() -> None:
    with pytest.raises(Violation, match="HTTP-START-02"):
        serve(validator(application(start())), HTTP, [REQUEST])


def test_a_violation_can_be_a_warning() -> None:
    with pytest.warns(RuleWarning, match="HTTP-BODY-09"):
        serve(validator(application(*DONE, body(b"late")), on_violation="warn"), HTTP, [REQUEST])


def test_an_apps_own_exception_comes_through_as_it_is() -> None:
    error = ValueError("its own")
    with pytest.raises(ValueError) as caught:
        serve(validator(application(error)), HTTP, [REQUEST])
    assert caught.value is error


def test_unknown_options_are_refused() -> None:
    with pytest.raises(ValueError, match="on_violation"):
        validator(application(), on_violation="ignore")
    with pytest.raises(ValueError, match="fail_on"):
        validator(application(), fail_on="may")


def legacy(scope: Any) -> Any: ...


def plain(scope: Any, receive: Any, send: Any) -> Any: ...


class Callable3:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...

    async def method(self, scope: Any, receive: Any, send: Any) -> None: ...


async def with_settings(settings: Any, scope: Any, receive: Any, send: Any) -> None: ...


@pytest.mark.parametrize("app", [legacy, plain, with_settings, Callable3], ids=lambda app: app.__name__)
def test_what_is_no_asgi_3_app_is_said_to_be_none(app: Any) -> None:
    assert [violation.rule for violation in validator(app, on_violation="collect").violations] == ["GEN-APP-01"]


@pytest.mark.parametrize("app", [application(), Callable3(), Callable3().method, functools.partial(with_settings, {})], ids=repr)
def test_a_single_callable_of_any_kind_is_one(app: Any) -> None:
    assert validator(app, on_violation="collect").violations == []


def test_other_attributes_are_the_apps() -> None:
    app = Callable3()
    app.state = "its own"  # type: ignore[attr-defined]
    assert validator(app).state == "its own"


def test_objects_pass_as_they_are() -> None:
    seen: list[Any] = []
    given, scope, message = dict(REQUEST), dict(HTTP), start()

    async def app(*arguments: Any) -> None:
        seen.extend((arguments[0], await arguments[1](), await arguments[2](message)))
        await arguments[2](body())

    async def receive() -> Any:
        return given

    async def send(event: Any) -> str:
        seen.append(event)
        return "result"

    asyncio.run(validator(app)(scope, receive, send))  # type: ignore[arg-type]
    assert seen[0] is message and seen[1] is scope and seen[2] is given and seen[3] == "result"


class Later:
    """An awaitable that is no coroutine, as some native servers return."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __await__(self) -> Any:
        yield from asyncio.sleep(0).__await__()
        return self.value


def test_the_faces_are_what_the_servers_own_are() -> None:
    kinds: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        kinds.extend((inspect.iscoroutinefunction(receive), inspect.iscoroutinefunction(send)))
        awaitable = receive()
        kinds.append(inspect.iscoroutine(awaitable))
        kinds.append(await awaitable)
        await send(start("200"))

    async def receive() -> None: ...

    async def send(event: Any) -> None: ...

    with pytest.raises(Violation, match="HTTP-START-05"):
        asyncio.run(validator(app)(dict(HTTP), receive, send))
    wrapped = validator(app)
    with pytest.raises(Violation, match="HTTP-START-05"):
        asyncio.run(wrapped(dict(HTTP), lambda: Later(REQUEST), lambda event: Later(None)))
    assert kinds == [True, True, True, None, False, False, False, REQUEST]


def test_the_least_is_what_has_no_default_or_another_value() -> None:
    seen: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.extend((scope, await receive()))
        await send(start())
        await send(body())

    scope = {**HTTP, "scheme": "https", "extensions": {"http.response.debug": {}}}
    serve(validator(app, least=True), scope, [REQUEST])
    assert seen[0].keys() == scope.keys() - {"raw_path", "root_path", "client", "server", "extensions"}
    assert seen[1] == {"type": "http.request"}


def test_the_least_shows_what_an_app_takes_for_granted() -> None:
    wrapped = validator(application(look_up_client), on_violation="collect", least=True)
    with pytest.raises(KeyError):
        serve(wrapped, HTTP, [REQUEST])
    assert [violation.rule for violation in wrapped.violations] == ["HTTP-SCOPE-43"]


def test_the_page_for_authors_lists_the_rules_under_their_levels() -> None:
    page = (Path(__file__).parents[2] / "docs" / "validator.md").read_text("utf-8")
    listed: dict[str, list[str]] = {}
    for section in page.partition("## The rules\n")[2].split("\n### ")[1:]:
        head, _, table = section.partition("\n")
        listed[head] = [line for line in table.splitlines() if line.startswith("| ") and not line.startswith("| rule")]
    rules = [catalogue()[name] for name in sorted(NAMED)]
    assert listed == {
        name: [f"| {rule.id} | {rule.text} |" for rule in rules if Violation(rule.id, "").level == name]
        for name in (MUST, SHOULD, RELIANCE)
    }


def test_an_event_that_the_server_refused_was_not_sent() -> None:
    async def try_again(scope: Any, receive: Any, send: Any) -> None:
        for _ in range(2):
            with pytest.raises(ValueError):
                await send(start())

    assert rules_of([try_again], HTTP, [REQUEST], ValueError("not now")) == set()
