"""For those who run the shop: is it there, and what does it look like when it breaks?"""

from fastapi import APIRouter
from pydantic import BaseModel

from .state import Connection, Currency

router = APIRouter(tags=["operations"])


class Health(BaseModel):
    status: str
    currency: str


@router.get("/health")
def check_health(connection: Connection, currency: Currency) -> Health:
    connection.execute("SELECT 1 FROM items LIMIT 1")
    return Health(status="ok", currency=currency)


@router.get("/error")
def break_down() -> None:
    """Raises, so that alarms and error pages can be tried out."""
    raise RuntimeError("the till is broken")
