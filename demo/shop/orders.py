"""Orders: a cart that was paid for. Numbered per customer, from 1."""

import sqlite3
from datetime import UTC, datetime

from fastapi import APIRouter, HTTPException, Response, status
from pydantic import BaseModel

from .accounts import Customer
from .cart import Line, Quantities, read_cart, set_cookies
from .state import Connection, Currency, Signing

router = APIRouter(prefix="/orders", tags=["orders"])


class Order(BaseModel):
    number: int
    total: int
    created_at: datetime
    lines: list[Line]


def read_order(connection: sqlite3.Connection, row: sqlite3.Row) -> Order:
    lines = connection.execute(
        "SELECT item_id, name, price, quantity FROM order_lines WHERE customer = ? AND number = ? ORDER BY rowid",
        (row["customer"], row["number"]),
    )
    return Order(number=row["number"], total=row["total"], created_at=row["created_at"], lines=[Line(**line) for line in lines])


@router.post("", status_code=status.HTTP_201_CREATED)
def place_order(
    customer: Customer, quantities: Quantities, connection: Connection, currency: Currency, signer: Signing, response: Response
) -> Order:
    if not quantities:
        raise HTTPException(status.HTTP_400_BAD_REQUEST, "the cart is empty")
    # The first statement writes, so that two orders at once wait for each other and do not take the same number.
    for item_id, quantity in quantities.items():
        if not connection.execute("UPDATE items SET stock = stock - ? WHERE id = ? AND stock >= ?", (quantity, item_id, quantity)).rowcount:
            connection.rollback()
            raise HTTPException(status.HTTP_409_CONFLICT, f"not enough of item {item_id}")
    cart = read_cart(connection, quantities, currency)
    (number,) = connection.execute("SELECT coalesce(max(number), 0) + 1 FROM orders WHERE customer = ?", (customer.name,)).fetchone()
    row = connection.execute(
        "INSERT INTO orders VALUES (?, ?, ?, ?) RETURNING *",
        (customer.name, number, cart.total, datetime.now(UTC).isoformat(timespec="microseconds")),
    ).fetchone()
    connection.executemany(
        "INSERT INTO order_lines VALUES (?, ?, ?, ?, ?, ?)",
        [(customer.name, number, line.item_id, line.name, line.price, line.quantity) for line in cart.lines],
    )
    set_cookies(response, signer, {})
    response.headers["Location"] = f"/orders/{number}"
    return read_order(connection, row)


@router.get("")
def list_orders(customer: Customer, connection: Connection) -> list[Order]:
    rows = connection.execute("SELECT * FROM orders WHERE customer = ? ORDER BY number", (customer.name,))
    return [read_order(connection, row) for row in rows.fetchall()]


@router.get("/{number}")
def get_order(number: int, customer: Customer, connection: Connection) -> Order:
    row = connection.execute("SELECT * FROM orders WHERE customer = ? AND number = ?", (customer.name, number)).fetchone()
    if row is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"you have no order {number}")
    return read_order(connection, row)
