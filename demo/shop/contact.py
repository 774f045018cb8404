"""The contact form: a page without a script, safe from forged requests by a token that stands in the form and in a cookie."""

import hmac
import secrets
from string import Template
from typing import Annotated

from fastapi import APIRouter, Cookie, Form, HTTPException, Query, status
from fastapi.responses import HTMLResponse, RedirectResponse

from .pages import FOLDER
from .state import Connection, Signing

router = APIRouter(prefix="/contact", include_in_schema=False)


@router.get("", response_class=HTMLResponse)
def show_form(signer: Signing, sent: Annotated[bool, Query()] = False) -> HTMLResponse:
    token = signer.sign("csrf", secrets.token_hex(8))
    thanks = "Thank you, we shall write back." if sent else ""
    page = Template((FOLDER / "contact.html").read_text("utf-8")).substitute(token=token, thanks=thanks)
    response = HTMLResponse(page, headers={"Cache-Control": "no-store"})
    response.set_cookie("csrf", token, path="/contact", httponly=True, samesite="strict")
    return response


@router.post("")
def send_form(
    token: Annotated[str, Form(max_length=100)],
    name: Annotated[str, Form(min_length=1, max_length=80)],
    message: Annotated[str, Form(min_length=1, max_length=2000)],
    connection: Connection,
    signer: Signing,
    csrf: Annotated[str, Cookie()] = "",
) -> RedirectResponse:
    if signer.verify("csrf", token) is None or not hmac.compare_digest(token.encode(), csrf.encode()):
        raise HTTPException(status.HTTP_403_FORBIDDEN, "this form is not ours, or too old")
    connection.execute("INSERT INTO messages (name, message) VALUES (?, ?)", (name, message))
    response = RedirectResponse("/contact?sent=true", status.HTTP_303_SEE_OTHER)
    response.delete_cookie("csrf", path="/contact")
    return response
