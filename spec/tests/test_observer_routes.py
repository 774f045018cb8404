"""The app's own list of routes, as the observer reads it."""

import sys
from pathlib import Path
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, WebSocket
from starlette.applications import Starlette
from starlette.endpoints import HTTPEndpoint
from starlette.routing import Host, Mount, Route, Router, WebSocketRoute
from starlette.staticfiles import StaticFiles

from bridgecheck.conformance.targets.route_list import listed as read

sys.path.insert(0, str(Path(__file__).parent.parent / "observer"))
from bridgecheck_observer._routes import listed  # noqa: E402


async def endpoint(request: Any) -> Any: ...
async def socket(websocket: WebSocket) -> None: ...


class Endpoint(HTTPEndpoint):
    async def get(self, request: Any) -> Any: ...
    async def delete(self, request: Any) -> Any: ...


class Wrapper:
    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


def names(app: Any) -> list[str]:
    return [item.name for item in read(listed(app)) or []]


def leads(app: Any, path: str) -> list[str]:
    return [item.path for item in read(listed(app)) or [] if item.pattern.match(path)]


def fastapi(**options: Any) -> FastAPI:
    return FastAPI(openapi_url=None, **options)


def test_fastapi_with_routers_in_routers_and_a_websocket() -> None:
    app, outer, inner = fastapi(), APIRouter(prefix="/outer"), APIRouter(prefix="/inner")
    app.get("/")(endpoint)
    inner.api_route("/items/{item_id}", methods=["PUT", "PATCH"])(endpoint)
    inner.websocket("/talk")(socket)
    outer.include_router(inner)
    app.include_router(outer, prefix="/v1")
    assert names(app) == [
        "GET /",
        "PATCH /v1/outer/inner/items/{item_id}",
        "PUT /v1/outer/inner/items/{item_id}",
        "WEBSOCKET /v1/outer/inner/talk",
    ]
    assert leads(app, "/v1/outer/inner/items/7")[0] == "/v1/outer/inner/items/{item_id}"
    assert leads(app, "/v1/outer/inner/items/7/8") == []


def test_what_is_there_for_the_documentation_is_a_route_too() -> None:
    assert names(FastAPI()) == ["GET /openapi.json", "GET /docs", "GET /docs/oauth2-redirect", "GET /redoc"]


def test_mounts_of_an_app_of_routes_and_of_files() -> None:
    inside = fastapi()
    inside.get("/x/{name}")(endpoint)
    app = Starlette(
        routes=[
            Mount("/api", inside),
            Mount("/v{version:int}", routes=[Route("/y", endpoint, methods=["POST"])]),
            Mount("/static", StaticFiles(directory=".")),
            Route("/z/{rest:path}", endpoint),
        ]
    )
    assert names(app) == ["GET /api/x/{name}", "POST /v{version}/y", "* /static/{path}", "GET /z/{rest}"]
    assert leads(app, "/api/x/1") == ["/api/x/{name}"]
    assert leads(app, "/v12/y") == ["/v{version}/y"] and leads(app, "/vx/y") == []
    assert leads(app, "/static/a/b.css") == ["/static/{path}"]
    assert leads(app, "/z/a/b") == ["/z/{rest}"]


def test_an_endpoint_that_is_a_class_has_a_route_for_each_method_and_an_app_as_endpoint_any() -> None:
    app = Starlette(routes=[Route("/class", Endpoint), Route("/app", Wrapper(None)), WebSocketRoute("/ws", socket)])
    assert names(app) == ["GET /class", "DELETE /class", "* /app", "WEBSOCKET /ws"]


def test_routes_of_a_host_stand_under_their_own_paths() -> None:
    app = Starlette(routes=[Host("api.test", Router([Route("/there", endpoint)]))])
    assert names(app) == ["GET /there"]


def test_head_comes_with_get_and_stands_alone_otherwise() -> None:
    app = Starlette(routes=[Route("/a", endpoint, methods=["GET"]), Route("/b", endpoint, methods=["HEAD"])])
    assert names(app) == ["GET /a", "HEAD /b"]


def test_middleware_around_the_app_is_looked_through() -> None:
    app = fastapi()
    app.get("/a")(endpoint)
    assert names(Wrapper(Wrapper(app))) == ["GET /a"]


class Raises:
    @property
    def routes(self) -> Any:
        raise RuntimeError("not now")


class Odd:
    def __init__(self, *routes: Any) -> None:
        self.routes = list(routes)


class OtherRoute:
    """Of a framework that keeps no expression."""

    def __init__(self, path: Any, methods: Any) -> None:
        self.path, self.methods, self.endpoint = path, methods, endpoint


class Deep:
    path = "/d"

    @property
    def routes(self) -> list[Any]:
        return [self]


class Itself:
    @property
    def app(self) -> Any:
        return self


@pytest.mark.parametrize("app", [endpoint, Raises(), object(), Itself(), Odd, None])
def test_where_no_list_is_kept_none_is_told(app: Any) -> None:
    assert listed(app) is None


def test_a_route_of_another_kind_is_read_as_far_as_it_goes_and_breaks_nothing() -> None:
    app = Odd(OtherRoute("/a/{b}/{c:path}", {"GET"}), OtherRoute("/n", 7), OtherRoute(None, None), object(), Raises(), Deep())
    assert names(app) == ["GET /a/{b}/{c:path}"]
    assert leads(app, "/a/1/2/3") == ["/a/{b}/{c:path}"]


def test_an_expression_that_cannot_be_read_here_matches_its_path_alone() -> None:
    (route,) = read([{"method": "GET", "path": "/a", "pattern": "("}]) or []
    assert route.pattern.match("/a") and not route.pattern.match("/a/b")
