"""For those who run the shop: what is it, is it there, and what does it look like when it breaks?"""

from fastapi import APIRouter, Request
from pydantic import BaseModel

from .state import Connection, Currency

router = APIRouter(tags=["operations"])


class Health(BaseModel):
    status: str
    currency: str


class About(BaseModel):
    name: str
    currency: str
    languages: list[str]


@router.get("/about")
async def tell_about(request: Request) -> About:
    """Needs nothing that waits, so it runs in the event loop, unlike the routes that ask the database."""
    return About(name="The demo shop", currency=request.state.currency, languages=["en"])


@router.get("/health")
def check_health(connection: Connection, currency: Currency) -> Health:
    connection.execute("SELECT 1 FROM items LIMIT 1")
    return Health(status="ok", currency=currency)


@router.get("/error")
def break_down() -> None:
    """Raises, so that alarms and error pages can be tried out."""
    raise RuntimeError("the till is broken")
