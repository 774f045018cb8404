"""A FastAPI app with routes of every kind, one of them added when it starts."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, FastAPI, WebSocket
from starlette.responses import PlainTextResponse
from starlette.routing import Route


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async def late(request: Any) -> PlainTextResponse:
        return PlainTextResponse("late")

    app.router.routes.append(Route("/late", late))
    yield


app = FastAPI(openapi_url=None, lifespan=lifespan)
router = APIRouter(prefix="/items")


@router.get("/{number}")
async def item(number: int) -> int:
    return number


@router.post("")
async def make() -> None: ...


@app.get("/hello")
async def hello() -> str:
    return "hello"


@app.websocket("/talk")
async def talk(websocket: WebSocket) -> None:
    await websocket.accept()
    await websocket.close()


app.include_router(router)
inside = FastAPI(openapi_url=None)
inside.get("/there")(hello)
app.mount("/inside", inside)
