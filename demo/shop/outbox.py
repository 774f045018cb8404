"""The outbox: mail that is written after the answer has gone, and can be read here. Numbered per customer, from 1."""

from typing import Literal

from fastapi import APIRouter, BackgroundTasks, HTTPException, Response, status
from fastapi.requests import HTTPConnection
from pydantic import BaseModel

from .accounts import Customer
from .database import Database
from .orders import Order, get_order
from .state import Connection, Currency

router = APIRouter(tags=["outbox"])


class Letter(BaseModel):
    number: int
    state: Literal["queued", "sent"]
    subject: str
    text: str


def send_receipt(database: Database, customer: str, number: int, order: Order, currency: str) -> None:
    """The work in the background. A real shop would hand the text to its mail server here."""
    lines = [f"{line.quantity:3} x {line.name:30} {line.price * line.quantity / 100:10.2f}" for line in order.lines]
    text = "\n".join([f"Dear {customer},", "", *lines, "", f"Total: {order.total / 100:.2f} {currency}"])
    with database.connect() as connection:
        connection.execute("UPDATE outbox SET state = 'sent', text = ? WHERE customer = ? AND number = ?", (text, customer, number))


@router.post("/orders/{order_number}/receipt", status_code=status.HTTP_202_ACCEPTED)
def ask_for_receipt(
    order_number: int,
    customer: Customer,
    connection: Connection,
    currency: Currency,
    request: HTTPConnection,
    background: BackgroundTasks,
    response: Response,
) -> Letter:
    order = get_order(order_number, customer, connection)
    row = connection.execute(
        "INSERT INTO outbox SELECT ?, count(*) + 1, 'queued', ?, '' FROM outbox WHERE customer = ? RETURNING number, state, subject, text",
        (customer.name, f"Your order {order_number}", customer.name),
    ).fetchone()
    background.add_task(send_receipt, request.state.database, customer.name, row["number"], order, currency)
    response.headers["Location"] = f"/outbox/{row['number']}"
    return Letter(**row)


@router.get("/outbox")
def list_letters(customer: Customer, connection: Connection) -> list[Letter]:
    rows = connection.execute("SELECT number, state, subject, text FROM outbox WHERE customer = ? ORDER BY number", (customer.name,))
    return [Letter(**row) for row in rows]


@router.get("/outbox/{number}")
def get_letter(number: int, customer: Customer, connection: Connection) -> Letter:
    row = connection.execute(
        "SELECT number, state, subject, text FROM outbox WHERE customer = ? AND number = ?", (customer.name, number)
    ).fetchone()
    if row is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, f"you have no letter {number}")
    return Letter(**row)
