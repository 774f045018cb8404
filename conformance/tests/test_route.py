"""The route table: rows, counts, and who answered."""

from collections.abc import Sequence

from bridgecheck.conformance._player import Exchange, parse
from bridgecheck.conformance.compare.fact import Facts
from bridgecheck.conformance.route import Route, RouteTable
from bridgecheck.conformance.taps.tap import of_routes
from bridgecheck.conformance.targets.route_list import ListedRoute, listed

TARGETS = ("reference", "candidate")
LIST = [
    {"method": "GET", "path": "/items", "pattern": "^/items$"},
    {"method": "GET", "path": "/items/{id}", "pattern": "^/items/(?:[^/]+)$"},
    {"method": "DELETE", "path": "/items/{id}", "pattern": "^/items/(?:[^/]+)$"},
    {"method": "WEBSOCKET", "path": "/live", "pattern": "^/live$"},
    {"method": "GET", "path": "/live", "pattern": "^/live$"},
    {"method": "*", "path": "/static/{path}", "pattern": "^/static(?:/.*)?$"},
]


def own_list() -> list[ListedRoute]:
    return listed(LIST) or []


def exchange(*requests: str, fields: str = "") -> Exchange:
    sends = "".join(f"send\n> {request} HTTP/1.1\n> Host: a\n{fields}>\nwait response\n" for request in requests)
    return parse(f"bridgecheck-exchange 1\n\nexchange one\n{sends}end next\n".encode(), "test")[0]


def facts(*statuses: int, calls: Sequence[str] = (), root: str = "") -> Facts:
    """A call is written as `GET /path`, or `websocket /path`."""
    made: Facts = {("main", "connection"): True}
    for number, call in enumerate(calls, 1):
        place, (method, _, path) = f"main call {number}", call.partition(" ")
        made |= {(place, "call"): True, (place, "scope.path"): path, (place, "scope.root_path"): root}
        made[place, "scope.type"] = "websocket" if method == "websocket" else "http"
        if method != "websocket":
            made[place, "scope.method"] = method
    return made | {(f"main response {number}", "response.status"): status for number, status in enumerate(statuses, 1)}


def seen(played: Exchange, *sides: Facts, own: list[ListedRoute] | None = None, differs: bool = False) -> dict[str, Route]:
    table = RouteTable(own_list() if own is None else own, TARGETS)
    table.see("recorded", played, sides, differs)
    return {row.name: row for row in table.rows() if row.taps}


def test_what_was_never_reached_stands_first_and_the_rest_in_the_apps_order_then_what_was_played_besides() -> None:
    table = RouteTable(own_list(), TARGETS)
    for request in ("GET /b", "GET /a", "GET /static/x.css", "GET /items/3"):
        table.see("recorded", exchange(request), [facts(200, calls=[request])] * 2, False)
    assert [(row.name, row.verdict, row.listed) for row in table.rows()] == [
        ("GET /items", "never reached", True),
        ("DELETE /items/{id}", "never reached", True),
        ("WEBSOCKET /live", "never reached", True),
        ("GET /live", "never reached", True),
        ("GET /items/{id}", "same", True),
        ("* /static/{path}", "same", True),
        ("GET /a", "same", False),
        ("GET /b", "same", False),
    ]


def test_counts_by_tap_statuses_of_the_reference_and_a_difference_that_stays() -> None:
    table = RouteTable(own_list(), TARGETS)
    table.see("recorded", exchange("GET /items/1"), [facts(200, calls=["GET /items/1"]), facts(500, calls=["GET /items/1"])], True)
    table.see("recorded", exchange("GET /items/2"), [facts(404, calls=["GET /items/2"])] * 2, False)
    table.see("routes", exchange("GET /items/%32"), [facts(404, calls=["GET /items/2"])] * 2, False)
    (row,) = [row for row in table.rows() if row.taps]
    assert (row.name, dict(row.taps), row.statuses, row.verdict) == (
        "GET /items/{id}",
        {"recorded": 2, "routes": 1},
        {200, 404},
        "different",
    )


def test_an_app_without_a_list_has_the_paths_that_were_played() -> None:
    rows = seen(exchange("GET /items/1?x=y", "OPTIONS *"), *[facts(200, 200, calls=["GET /items/1", "OPTIONS *"])] * 2, own=[])
    assert [(name, row.listed) for name, row in rows.items()] == [("OPTIONS *", False), ("GET /items/1", False)]


def test_methods_that_the_app_does_not_list_stand_for_themselves_under_the_routes_path() -> None:
    for method in ("HEAD", "OPTIONS", "POST"):
        (row,) = seen(exchange(f"{method} /items/7"), *[facts(405, calls=[f"{method} /items/7"])] * 2).values()
        assert (row.name, row.listed) == (f"{method} /items/{{id}}", False)


def test_a_handshake_is_another_route_than_a_get_of_the_same_path() -> None:
    key = "> Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n"
    assert list(seen(exchange("GET /live", fields=key), *[facts(101, calls=["websocket /live"])] * 2)) == ["WEBSOCKET /live"]
    assert list(seen(exchange("GET /live", fields=key), *[facts(403)] * 2)) == ["WEBSOCKET /live"]  # which the server refused by itself
    assert list(seen(exchange("GET /live"), *[facts(200, calls=["GET /live"])] * 2)) == ["GET /live"]


def test_the_absolute_form_an_encoded_path_and_a_root_path_lead_to_the_same_row() -> None:
    for target in ("http://a/items/7?q", "/%69tems/7", "/items/7"):
        assert list(seen(exchange(f"GET {target}"), facts(400), facts(400))) == ["GET /items/{id}"]
    assert list(seen(exchange("GET /items"), *[facts(200, calls=["GET /api/items"], root="/api")] * 2)) == ["GET /items"]
    assert list(seen(exchange("GET http://a"), facts(400), facts(400))) == ["GET /"]


def test_who_answered_the_app_the_server_by_itself_or_nobody() -> None:
    (row,) = seen(exchange("GET /items"), facts(200, calls=["GET /items"]), facts(200)).values()
    assert row.answered == {"reference": {"app": 1}, "candidate": {"native": 1}}
    (row,) = seen(exchange("GET /items"), facts(), facts(calls=["GET /items"])).values()
    assert row.answered == {"reference": {"nobody": 1}, "candidate": {"app": 1}}


def test_of_several_requests_each_has_its_own_status_and_answer() -> None:
    both = ["GET /items", "GET /items/1"]
    rows = seen(exchange(*both), facts(200, 404, calls=both), facts(200, 404, calls=["GET /items/1"]))
    assert {name: row.statuses for name, row in rows.items()} == {"GET /items": {200}, "GET /items/{id}": {404}}
    assert rows["GET /items"].answered["candidate"] == {"native": 1}
    assert rows["GET /items/{id}"].answered["candidate"] == {"app": 1}
    rows = seen(exchange(*both), facts(200, calls=["GET /items"]), facts(200, calls=["GET /items"]))
    assert rows["GET /items/{id}"].answered == {"reference": {"nobody": 1}, "candidate": {"nobody": 1}}
    rows = seen(exchange(*both), facts(200, 404, calls=both), facts(400))  # one answer for two: which of them it was cannot be told
    assert [row.answered["candidate"] for row in rows.values()] == [{"nobody": 1}, {"native": 1}]
    rows = seen(exchange("GET /items", "GET /items"), facts(200, 200, calls=["GET /items"]), facts(200, 200))
    assert rows["GET /items"].answered == {"reference": {"app": 1, "native": 1}, "candidate": {"native": 2}}


def test_a_value_that_was_saved_on_the_way_leads_to_the_route_that_was_called() -> None:
    # What the player sends holds another value on each target; the exchange itself has a hole there.
    rows = seen(exchange("GET /orders/"), facts(200, calls=["GET /items/1"]), facts(200, calls=["GET /items/2"]))
    assert {name: row.answered for name, row in rows.items()} == {"GET /items/{id}": {"reference": {"app": 1}, "candidate": {"app": 1}}}


def test_an_exchange_without_a_request_counts_for_no_route() -> None:
    empty = parse(b"bridgecheck-exchange 1\n\nexchange one\nconnect main\nend close\n", "test")[0]
    assert seen(empty, facts(), facts()) == {}


def test_the_first_look_asks_get_of_what_needs_no_value() -> None:
    given = [
        *LIST,
        *({"method": method, "path": path, "pattern": "^x$"} for method, path in (("GET", "/a b"), ("GET", "/a-b"), ("POST", "/c"))),
    ]
    made = of_routes(listed([*given, {"method": "GET", "path": "/$x", "pattern": "^y$"}]))
    assert [(item.name, item.requests) for session in made.sessions for item in session] == [
        ("get-items", [(b"GET", b"/items")]),
        ("get-live", [(b"GET", b"/live")]),
        ("get-a-b", [(b"GET", b"/a%20b")]),
        ("get-a-b.2", [(b"GET", b"/a-b")]),
        ("get-x", [(b"GET", b"/%24x")]),
    ]
    assert made.own_app and [item.name for session in of_routes(None).sessions for item in session] == ["get-root"]
    assert of_routes([]).sessions == []
