"""The staff's page: what runs out, and what came by the contact form. Opened with the browser's own login window."""

from html import escape
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, status
from fastapi.responses import HTMLResponse
from fastapi.security import HTTPBasic, HTTPBasicCredentials

from .passwords import check_password
from .state import Connection

router = APIRouter(prefix="/admin", tags=["admin"])
basic = HTTPBasic(realm="shop")

LOW = 5


def get_name(credentials: Annotated[HTTPBasicCredentials, Depends(basic)], connection: Connection) -> str:
    row = connection.execute("SELECT password, staff FROM accounts WHERE name = ?", (credentials.username,)).fetchone()
    if row is None or not check_password(credentials.username, credentials.password, row["password"]):
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "wrong name or password", {"WWW-Authenticate": 'Basic realm="shop"'})
    if not row["staff"]:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "for staff only")
    return credentials.username


@router.get("", response_class=HTMLResponse)
def show_admin(name: Annotated[str, Depends(get_name)], connection: Connection) -> HTMLResponse:
    low = connection.execute("SELECT name, stock FROM items WHERE stock <= ? ORDER BY name", (LOW,))
    messages = connection.execute("SELECT name, message FROM messages ORDER BY id")
    rows = "".join(f"<tr><td>{escape(item)}<td>{stock}\n" for item, stock in low)
    said = "".join(f"<dt>{escape(who)}<dd>{escape(message)}\n" for who, message in messages)
    page = f"<!doctype html><title>Admin</title><p>{escape(name)}\n<table>{rows}</table>\n<dl>{said}</dl>\n"
    return HTMLResponse(page, headers={"Cache-Control": "no-store"})
