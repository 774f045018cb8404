"""Accounts: logging in and who one is."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Response, status
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm
from pydantic import BaseModel

from .passwords import check_password
from .state import Connection, Signing

router = APIRouter(tags=["accounts"])
bearer = OAuth2PasswordBearer(tokenUrl="login")


class Token(BaseModel):
    access_token: str
    token_type: str


class Account(BaseModel):
    name: str
    staff: bool


@router.post("/login")
def log_in(form: Annotated[OAuth2PasswordRequestForm, Depends()], connection: Connection, signer: Signing, response: Response) -> Token:
    row = connection.execute("SELECT password FROM accounts WHERE name = ?", (form.username,)).fetchone()
    if row is None or not check_password(form.username, form.password, row["password"]):
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "wrong name or password", {"WWW-Authenticate": "Bearer"})
    response.headers["Cache-Control"] = "no-store"
    return Token(access_token=signer.sign("token", form.username), token_type="bearer")


def get_account(token: Annotated[str, Depends(bearer)], connection: Connection, signer: Signing) -> Account:
    name = signer.verify("token", token)
    row = connection.execute("SELECT name, staff FROM accounts WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "not a valid token", {"WWW-Authenticate": 'Bearer error="invalid_token"'})
    return Account(name=row["name"], staff=row["staff"])


def get_staff(account: Annotated[Account, Depends(get_account)]) -> Account:
    if not account.staff:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "for staff only")
    return account


Customer = Annotated[Account, Depends(get_account)]
staff_only = Depends(get_staff)


@router.get("/me")
def who_am_i(customer: Customer) -> Account:
    return customer
