"""Items: what the shop sells."""

import sqlite3
from typing import Annotated, Literal

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response, status
from fastapi.responses import RedirectResponse
from pydantic import BaseModel, Field

from .accounts import staff_only
from .state import Connection

router = APIRouter(tags=["items"])

Tag = Annotated[str, Field(pattern=r"^[a-z][a-z-]{0,29}$")]
# SQLite's integers have 64 bits; a larger id would be an error of its own.
ItemId = Annotated[int, Path(ge=1, le=2**63 - 1)]
Price = Annotated[int, Field(ge=0, le=10_000_000, description="in cents")]
Stock = Annotated[int, Field(ge=0, le=1_000_000)]


class NewItem(BaseModel):
    name: str = Field(min_length=1, max_length=80)
    description: str | None = Field(default=None, max_length=2000)
    price: Price
    stock: Stock = 0
    tags: list[Tag] = Field(default=[], max_length=10)


class ItemChange(BaseModel):
    price: Price | None = None
    stock: Stock | None = None


class Item(NewItem):
    id: int


class ItemPage(BaseModel):
    total: int
    items: list[Item]


class ItemQuery(BaseModel):
    limit: int = Field(default=10, ge=1, le=100)
    offset: int = Field(default=0, ge=0, le=1_000_000)
    search: str | None = Field(default=None, max_length=80)
    sort: Literal["id", "name", "price", "-price", "stock", "-stock"] = "id"
    tag: list[str] = Field(default=[], max_length=10)


ORDER_BY = {
    "id": "id",
    "name": "name, id",
    "price": "price, id",
    "-price": "price DESC, id",
    "stock": "stock, id",
    "-stock": "stock DESC, id",
}


def read_item(connection: sqlite3.Connection, row: sqlite3.Row) -> Item:
    tags = connection.execute("SELECT tag FROM tags WHERE item_id = ? ORDER BY tag", (row["id"],))
    return Item(**row, tags=[tag for (tag,) in tags])


def find_item(connection: sqlite3.Connection, item_id: int) -> Item:
    row = connection.execute("SELECT * FROM items WHERE id = ?", (item_id,)).fetchone()
    if row is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"no item {item_id}")
    return read_item(connection, row)


@router.get("/items")
def list_items(query: Annotated[ItemQuery, Query()], connection: Connection, response: Response) -> ItemPage:
    """Those that have all the tags asked for and the search text in their name or description."""
    conditions, values = ["TRUE"], []
    for tag in query.tag:
        conditions.append("EXISTS (SELECT 1 FROM tags WHERE item_id = items.id AND tag = ?)")
        values.append(tag)
    if query.search:
        conditions.append("(instr(lower(name), lower(?)) OR instr(lower(description), lower(?)))")
        values += [query.search, query.search]
    where = " AND ".join(conditions)
    (total,) = connection.execute(f"SELECT count(*) FROM items WHERE {where}", values).fetchone()
    rows = connection.execute(
        f"SELECT * FROM items WHERE {where} ORDER BY {ORDER_BY[query.sort]} LIMIT ? OFFSET ?",
        [*values, query.limit, query.offset],
    )
    response.headers["X-Total-Count"] = str(total)
    return ItemPage(total=total, items=[read_item(connection, row) for row in rows.fetchall()])


@router.post("/items", status_code=status.HTTP_201_CREATED, dependencies=[staff_only])
def create_item(new: NewItem, connection: Connection, request: Request, response: Response) -> Item:
    try:
        cursor = connection.execute(
            "INSERT INTO items (name, description, price, stock) VALUES (?, ?, ?, ?)",
            (new.name, new.description, new.price, new.stock),
        )
    except sqlite3.IntegrityError:
        raise HTTPException(status.HTTP_409_CONFLICT, f"there is a {new.name} already") from None
    connection.executemany("INSERT OR IGNORE INTO tags VALUES (?, ?)", [(cursor.lastrowid, tag) for tag in new.tags])
    item = find_item(connection, cursor.lastrowid)
    response.headers["Location"] = request.app.url_path_for("get_item", item_id=item.id)
    return item


@router.get("/items/{item_id}")
def get_item(item_id: ItemId, connection: Connection) -> Item:
    return find_item(connection, item_id)


@router.patch("/items/{item_id}", dependencies=[staff_only])
def change_item(item_id: ItemId, change: ItemChange, connection: Connection) -> Item:
    connection.execute(
        "UPDATE items SET price = coalesce(?, price), stock = coalesce(?, stock) WHERE id = ?",
        (change.price, change.stock, item_id),
    )
    return find_item(connection, item_id)


@router.delete("/items/{item_id}", status_code=status.HTTP_204_NO_CONTENT, dependencies=[staff_only])
def delete_item(item_id: ItemId, connection: Connection) -> None:
    find_item(connection, item_id)
    connection.execute("DELETE FROM items WHERE id = ?", (item_id,))


@router.get("/catalogue/{item_id}", response_class=RedirectResponse, status_code=status.HTTP_308_PERMANENT_REDIRECT)
def get_item_by_old_address(item_id: ItemId, request: Request) -> str:
    """Where items were before; printed links still lead here."""
    return request.app.url_path_for("get_item", item_id=item_id)
