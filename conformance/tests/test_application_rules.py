"""The rules that bind applications, judged on observations made by hand."""

from typing import Any

import pytest

from bridgecheck.conformance._player import Exchange, Instance, parse
from bridgecheck.conformance.compare.application_rules import ApplicationRules, violations

from .observations import HASH, call, fnv, received, send

EXCHANGES = b"""bridgecheck-exchange 1

exchange short
send
> GET / HTTP/1.1
> Host: test
>
end next

exchange long
send
> GET /somewhere HTTP/1.1
> Host: test
>
end next
"""
SHORT, LONG = parse(EXCHANGES, "made.exchange")
ASKED = received(b"", type="http.request", body=b"", more_body=False)


def start(status: Any = 200, headers: Any = ()) -> list[dict[str, Any]]:
    return send(b"", type="http.response.start", status=status, headers=headers)


def content(value: Any, total: int) -> list[dict[str, Any]]:
    return [
        {"kind": "send", "event": {"type": "http.response.body", "body": value}, "total": total, "hash": HASH},
        {"kind": "sent", "result": None},
    ]


def long(size: int, kind: type = bytes) -> dict[str, Any]:
    edge = b"x" * 4096 if kind is bytes else "x" * 4096
    return {"length": size, "hash": fnv(b""), "first": edge, "last": edge}


def rules(*events: Any, **changes: Any) -> list[str]:
    flat = [item for event in events for item in (event if isinstance(event, list) else [event])]
    return [violation.rule for violation in violations(call(events=flat, **changes))]


def test_an_app_that_keeps_the_rules_has_none() -> None:
    assert violations(call()) == []


def test_a_long_body_counts_with_its_length() -> None:
    length = [(b"content-length", b"9000")]
    assert rules(ASKED, start(200, length), content(long(9000), 9000)) == []
    assert rules(ASKED, start(200, length), content(long(9001), 9001)) == ["HTTP-BODY-12"]
    assert rules(ASKED, start(), content(long(9000, str), 0)) == ["HTTP-BODY-03"]


def test_types_are_those_that_the_app_gave() -> None:
    assert rules(ASKED, start(Instance("http.HTTPStatus", 200)), content(b"", 0)) == []
    assert rules(ASKED, start(True), content(b"", 0)) == ["HTTP-START-05"]
    assert rules(ASKED, start(), content(Instance("bytearray", b"x"), 1)) == ["HTTP-BODY-03"]
    assert rules(ASKED, start(), content(Instance("memoryview", long(9000)), 9000)) == ["HTTP-BODY-03"]
    assert rules(ASKED, start(), content(Instance("app.Octets", b"x"), 1)) == ["GEN-SCOPE-09"]
    assert rules(ASKED, start(), content(Instance("app.Octets", long(9000)), 9000)) == ["GEN-SCOPE-09"]
    assert rules(ASKED, start(200, Instance("generator")), content(b"", 0)) == []
    assert rules(ASKED, start(200, Instance("app.Headers", [(b"X", b"y")])), content(b"", 0)) == ["HTTP-START-10"]


def test_what_was_cut_is_not_judged() -> None:
    cut = Instance("(cut)")
    assert rules(ASKED, start(cut, cut), content(cut, 0)) == []
    assert violations(call(scope=cut)) == []


def test_the_end_is_judged_where_there_is_one() -> None:
    assert rules(ASKED, start()) == ["HTTP-START-02"]
    assert rules(ASKED, start(), end="still running") == []
    assert rules(ASKED, end="raised", raised={"type": "ValueError", "message": None}) == ["HTTP-ERR-03"]
    assert rules(ASKED, start(), content(b"", 0), result=1) == ["GEN-APP-08"]


def test_what_send_and_receive_raised_is_told() -> None:
    gone = received(b"", type="http.disconnect")
    refused = {"kind": "send raised", "raised": {"type": "app.Lost", "message": "gone"}}
    other = {"type": "LookupError", "message": "another"}
    assert rules(gone, start()[0], refused, end="raised", raised=other) == ["HTTP-DISC-04"]
    assert rules(gone, start()[0], refused, end="raised", raised=refused["raised"]) == []
    cancelled = {"kind": "receive raised", "raised": {"type": "asyncio.exceptions.CancelledError", "message": ""}}
    assert rules(ASKED, cancelled, gone) == ["GEN-RECV-04"]


def broken(path: str) -> dict[str, Any]:
    return call(scope=call()["scope"] | {"path": path}, events=[ASKED, *start("200"), *content(b"", 0)])


def play(*seen: tuple[Exchange, list[dict[str, Any]], list[dict[str, Any]]]) -> list[Any]:
    collected = ApplicationRules()
    for exchange, reference, twin in seen:
        collected.see((exchange,), [reference, twin])
    return collected.breaches()


def test_one_thing_is_told_once_with_its_routes_and_the_shortest_exchange() -> None:
    (breach,) = play((LONG, [broken("/somewhere")] * 2, [broken("/somewhere")]), (SHORT, [broken("/")], [broken("/")]))
    assert (breach.rule, breach.level, breach.routes) == ("HTTP-START-05", "must", {"GET /", "GET /somewhere"})
    assert breach.session == (SHORT,) and breach.exchanges == ["long", "short"]
    assert breach.detail == "'200', str (event 2, http.response.start)"


def test_what_only_the_reference_or_only_its_twin_shows_is_chance() -> None:
    assert play((SHORT, [broken("/")], [call()])) == play((SHORT, [call()], [broken("/")])) == []


def test_without_a_twin_the_reference_is_believed() -> None:
    collected = ApplicationRules()
    collected.see((SHORT,), [[broken("/")]])
    assert len(collected.breaches()) == 1


def test_the_heaviest_come_first() -> None:
    late = call(events=[*call()["events"], *content(b"", 5)])
    open_end = call(events=[ASKED, *start(), *send(b"x", type="http.response.body", body=b"x", more_body=True)])
    found = play((SHORT, [late, open_end, broken("/")], [late, open_end, broken("/")]))
    assert [breach.level for breach in found] == ["must", "should", "reliance"]
    assert len({breach.name for breach in found}) == 3


@pytest.mark.parametrize("protocol, route", [("lifespan", "lifespan"), ("websocket", "websocket /ws")])
def test_a_call_without_a_method_is_named_for_its_protocol(protocol: str, route: str) -> None:
    scope = {"type": protocol, "asgi": {"version": "3.0"}} | ({"path": "/ws"} if protocol == "websocket" else {})
    silent = call(scope=scope, events=[])
    (breach,) = play((SHORT, [silent], [silent]))
    assert breach.routes == {route}
