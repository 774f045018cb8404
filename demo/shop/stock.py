"""Stock: exported and imported as CSV, both as streams, and followed as events."""

import asyncio
import csv
import io
import sqlite3
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request, status
from fastapi.responses import EventSourceResponse, StreamingResponse
from fastapi.sse import ServerSentEvent
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool

from .accounts import staff_only
from .database import Database
from .state import Connection

router = APIRouter(prefix="/stock", tags=["stock"])


class ImportReport(BaseModel):
    size: int
    changed: int
    unknown: int


def write_csv(rows: list[sqlite3.Row]) -> Iterator[str]:
    line = io.StringIO(newline="")
    writer = csv.writer(line)
    writer.writerow(("id", "name", "price", "stock"))
    for row in rows:
        writer.writerow(row)
        yield line.getvalue()
        line.seek(0)
        line.truncate()


@router.get("/export", response_class=StreamingResponse)
def export_stock(connection: Connection, last_id: Annotated[int, Query(ge=1, le=2**63 - 1)] = 2**63 - 1) -> StreamingResponse:
    rows = connection.execute("SELECT id, name, price, stock FROM items WHERE id <= ? ORDER BY id", (last_id,)).fetchall()
    return StreamingResponse(
        write_csv(rows), media_type="text/csv; charset=utf-8", headers={"Content-Disposition": 'attachment; filename="stock.csv"'}
    )


def set_stock(database: Database, counts: dict[int, int]) -> int:
    """How many of these items there were to change."""
    with database.connect() as connection:
        rows = [(count, item_id) for item_id, count in counts.items()]
        return connection.executemany("UPDATE items SET stock = ? WHERE id = ?", rows).rowcount


def read_count(line: bytes) -> tuple[int, int]:
    """`id,count`; what stands behind a second comma is for people."""
    try:
        item_id, count = (int(cell) for cell in line.decode().split(",")[:2])
        if not (1 <= item_id < 2**63 and 0 <= count <= 1_000_000):
            raise ValueError("out of range")
    except ValueError:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, f"not a line of id and count: {line[:40]!r}") from None
    return item_id, count


@router.post("/import", dependencies=[staff_only])
async def import_stock(request: Request) -> ImportReport:
    """Read as it comes, so that a stock list of any length needs the memory of one line. The last count of an item wins."""
    counts: dict[int, int] = {}
    size, rest = 0, b""
    async for piece in request.stream():
        size += len(piece)
        *lines, rest = (rest + piece).split(b"\n")
        counts.update(read_count(line) for line in lines if line.strip())
    if rest.strip():
        counts.update([read_count(rest)])
    changed = await run_in_threadpool(set_stock, request.state.database, counts)
    return ImportReport(size=size, changed=changed, unknown=len(counts) - changed)


@router.get("/events", response_class=EventSourceResponse)
async def follow_stock(
    request: Request, item: Annotated[int, Query(ge=1, le=2**63 - 1)], count: Annotated[int, Query(ge=1, le=20)] = 3
) -> AsyncIterator[ServerSentEvent]:
    """The item's stock COUNT times, every 20 ms. A page that wants more connects again, as EventSource does by itself."""

    def read_stock() -> int | None:
        with request.state.database.connect() as connection:
            row = connection.execute("SELECT stock FROM items WHERE id = ?", (item,)).fetchone()
            return row and row["stock"]

    for number in range(1, count + 1):
        stock = await run_in_threadpool(read_stock)
        yield ServerSentEvent(event="stock", id=str(number), data={"item": item, "stock": stock}, retry=10_000 if number == 1 else None)
        if number < count:
            await asyncio.sleep(0.02)
