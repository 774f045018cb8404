"""A FastAPI app with what uses a server's finer points: middleware of tasks, streams, files, background work, uploads, a WebSocket."""

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import BackgroundTasks, Depends, FastAPI, File, Form, HTTPException, Request, UploadFile, WebSocket
from fastapi.responses import FileResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware

notes: list[str] = []


@contextlib.asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "file.txt"
        file.write_bytes(b"line of a file\n" * 20000)
        yield {"file": file}


class Header(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: Any) -> Response:
        response = await call_next(request)
        response.headers["x-middleware"] = request.method
        return response


app = FastAPI(lifespan=lifespan)
app.add_middleware(GZipMiddleware, minimum_size=1000)
app.add_middleware(Header)


@app.get("/json/{number}")
async def json_(number: int, query: str | None = None) -> dict[str, Any]:
    return {"number": number, "query": query}


@app.get("/thread")
def thread() -> str:
    return "in a thread"


@app.get("/missing")
async def missing() -> None:
    raise HTTPException(404, "nothing here", headers={"X-Reason": "none"})


@app.get("/broken")
async def broken() -> None:
    raise ValueError("broken")


@app.get("/redirect")
async def redirect() -> Response:
    return RedirectResponse("/json/1")


@app.get("/stream")
async def stream(pieces: int = 5) -> Response:
    async def content() -> AsyncIterator[bytes]:
        for i in range(pieces):
            yield b"piece %d\n" % i
            await asyncio.sleep(0)

    return StreamingResponse(content(), media_type="text/plain")


@app.get("/stream-in-thread")
def stream_in_thread() -> Response:
    return StreamingResponse((b"piece %d\n" % i for i in range(20)), media_type="text/plain")


@app.get("/events")
async def events(request: Request) -> Response:
    """Server-sent events until the client leaves."""

    async def content() -> AsyncIterator[str]:
        try:
            for i in range(10_000):
                yield f"data: {i}\n\n"
                await asyncio.sleep(0.01)
        finally:
            notes.append("events over")

    return StreamingResponse(content(), media_type="text/event-stream")


@app.get("/file")
@app.head("/file")
async def file(request: Request) -> Response:
    return FileResponse(request.state.file, media_type="text/plain", headers={"etag": '"fixed"', "last-modified": "never"})


@app.post("/background")
async def background(tasks: BackgroundTasks) -> str:
    async def work() -> None:
        await asyncio.sleep(0.05)
        notes.append("background done")

    tasks.add_task(work)
    tasks.add_task(notes.append, "in a thread")
    return "accepted"


@app.post("/upload")
async def upload(file: Annotated[UploadFile, File()], name: Annotated[str, Form()]) -> dict[str, Any]:
    content = await file.read()
    return {"name": name, "file": file.filename, "size": len(content), "type": file.content_type}


@app.post("/echo")
async def echo(request: Request) -> Response:
    return Response(await request.body(), media_type="application/octet-stream")


@app.put("/body")
async def body(content: dict[str, Any]) -> dict[str, Any]:
    return content


async def slow_dependency() -> AsyncIterator[str]:
    try:
        yield "dependency"
    finally:
        notes.append("dependency over")


@app.get("/dependency")
async def dependency(value: Annotated[str, Depends(slow_dependency)]) -> str:
    return value


@app.websocket("/socket")
async def socket(connection: WebSocket) -> None:
    await connection.accept()


@app.get("/notes")
async def notes_() -> Response:
    return PlainTextResponse(json.dumps(notes))


plain = FastAPI()  # without middleware, which hides a client that leaves


@plain.get("/plain/disconnected")
async def disconnected(request: Request) -> str:
    while not await request.is_disconnected():
        await asyncio.sleep(0.01)
    notes.append("disconnected")
    return "for nobody"


async def both(scope: Any, receive: Any, send: Any) -> None:
    chosen = plain if scope.get("path", "").startswith("/plain/") else app
    await chosen(scope, receive, send)
