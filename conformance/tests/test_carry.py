"""Which values of a recording are carried, kind by kind, and which are not: by recordings of a few lines."""

import gzip
import json
from collections.abc import Sequence
from typing import Any

import pytest

from bridgecheck.conformance._player import parse
from bridgecheck.conformance._recording import pieces
from bridgecheck.conformance.taps import tap
from bridgecheck.conformance.taps.carry import looks_random
from bridgecheck.conformance.taps.giver import quoted
from bridgecheck.conformance.taps.recorded import carried

UUID = "f47ac10b-58cc-4372-a567-0e02b2c3d479"
TOKEN = "a8Fk20xQ9zLmP31v"

Talk = tuple[bytes, bytes]


def request(method: str, target: str, body: bytes = b"", **fields: str) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: a", *(f"{name.replace('_', '-')}: {value}" for name, value in fields.items())]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def answer(body: bytes = b"", status: int = 200, **fields: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", *(f"{name.replace('_', '-')}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode() + body


def give(data: Any, **fields: str) -> bytes:
    return answer(json.dumps(data).encode(), content_type="application/json", **fields)


def recording(*talks: Talk, sessions: Sequence[str] = (), cut: int = 0) -> bytes:
    """An exchange for each; `cut`: where a request is sent in two pieces."""
    lines = ["bridgecheck-exchange 1"]
    for number, (asked, answered) in enumerate(talks):
        session = sessions[number] if sessions else "one"
        if number == 0 or (sessions and sessions[number - 1] != session):
            lines += [f"session {session}", "origin: recorded"]
        lines += [f"exchange x{'' if sessions else number}", "status: 200"]
        for piece in (asked[:cut], asked[cut:]) if cut else (asked,):
            lines += ["send", pieces([piece]).rstrip("\n")]
        lines += ["wait response", "answered", pieces([answered]).rstrip("\n"), "end next"]
    return ("\n".join(lines) + "\n").encode()


def carry(*talks: Talk, **options: Any) -> tuple[str, list[str]]:
    """The text of the exchanges then, and what is told."""
    sessions, told = carried(tap.sessions(parse(recording(*talks, **options), "recording")))
    return "\n\n".join(exchange.text.decode() for session in sessions for exchange in session), told


GIVEN = [
    (
        "a cookie, however short",
        (request("GET", "/"), answer(set_cookie="size=3; Path=/")),
        request("GET", "/", cookie="a=b; size=3"),
        'save size from field set-cookie between "size=" ";"',
        "cookie: a=b; size=${size}",
    ),
    (
        "a bearer's token",
        (request("POST", "/login"), give({"access_token": TOKEN})),
        request("GET", "/", authorization=f"Bearer {TOKEN}"),
        'save bearer from body between "\\"access_token\\": \\"" "\\"" decode json',
        "authorization: Bearer ${bearer}",
    ),
    (
        "a token in a page, for a form",
        (request("GET", "/"), answer(f'<input name=csrf value="{TOKEN}">'.encode())),
        request("POST", "/", f"csrf={TOKEN}&a=1".encode(), content_type="application/x-www-form-urlencoded"),
        'save csrf from body between "value=\\"" "\\"" decode html encode percent',
        "+ csrf=${csrf}&a=1",
    ),
    (
        "a token in a field, for a field",
        (request("GET", "/"), answer(x_csrf=TOKEN)),
        request("POST", "/", x_csrf_token=TOKEN),
        'save x-csrf-token from field x-csrf between "" ""',
        "x-csrf-token: ${x-csrf-token}",
    ),
    (
        "a UUID in a path",
        (request("GET", "/list"), give([{"key": UUID}])),
        request("GET", f"/items/{UUID}?a=b"),
        'save item-id from body between "\\"key\\": \\"" "\\"" decode json',
        "> GET /items/${item-id}?a=b HTTP/1.1",
    ),
    (
        "a cursor in a query",
        (request("GET", "/list"), give({"next": TOKEN})),
        request("GET", f"/list?after={TOKEN}"),
        'save after from body between "\\"next\\": \\"" "\\"" decode json encode percent',
        "> GET /list?after=${after} HTTP/1.1",
    ),
    (
        "an ETag, however short",
        (request("GET", "/a"), answer(etag='"1"')),
        request("GET", "/a", if_none_match='"1"'),
        'save etag from field etag between "" ""',
        "if-none-match: ${etag}",
    ),
    (
        "one of several ETags",
        (request("GET", "/a"), answer(etag='W/"1"')),
        request("PUT", "/a", if_match='"0", W/"1"'),
        'save etag from field etag between "" ""',
        'if-match: "0", ${etag}',
    ),
    (
        "a date",
        (request("GET", "/a"), answer(last_modified="Tue, 01 Jan 2030 00:00:00 GMT")),
        request("GET", "/a", if_modified_since="Tue, 01 Jan 2030 00:00:00 GMT"),
        'save last-modified from field last-modified between "" ""',
        "if-modified-since: ${last-modified}",
    ),
    (
        "where something is",
        (request("POST", "/orders"), answer(status=303, location="http://a/orders/7")),
        request("GET", "/orders/7/lines"),
        'save order-id from field location between "orders/" ""',
        "> GET /orders/${order-id}/lines HTTP/1.1",
    ),
    (
        "an id in a path",
        (
            request("POST", "/categories/"),
            give(
                {"id": 9, "name": "x"},
            ),
        ),
        request("GET", "/categories/9"),
        'save category-id from body between "\\"id\\": " ","',
        "> GET /categories/${category-id} HTTP/1.1",
    ),
    (
        "an id by its name",
        (request("POST", "/carts"), give({"id": 9})),
        request("POST", "/x", b'{"cart_id": 9, "n": 9}', content_type="application/json"),
        'save cart-id from body between "\\"id\\": " "}"',
        '+ {"cart_id": ${cart-id}, "n": 9}',
    ),
    (
        "an id by the same name",
        (request("POST", "/x"), give({"cartId": "9"})),
        request("POST", "/x", b"cartId=9&b=9", content_type="application/x-www-form-urlencoded"),
        'save cartid from body between "\\"cartId\\": \\"" "\\""',
        "+ cartId=${cartid}&b=9",
    ),
    (
        "a value in a part of a form",
        (request("GET", "/"), give({"t": TOKEN})),
        request(
            "POST",
            "/",
            f'--b\r\nContent-Disposition: form-data; name="t"\r\n\r\n{TOKEN}\r\n--b--\r\n'.encode(),
            content_type="multipart/form-data; boundary=b",
        ),
        'save t from body between "\\"t\\": \\"" "\\"" decode json',
        "> ${t}",
    ),
]

# The value is BASE64, written in another way here than there.
BASE64 = "q+aB1/cD2fGh7Kl9=="
FORM = {"content_type": "application/x-www-form-urlencoded"}
CODED = [
    (
        "from a page to a form",
        answer(b'<input name=csrf value="q&#43;aB1&#x2F;cD2fGh7Kl9&#x3D;=">', content_type="text/html"),
        request("POST", "/", b"csrf=q%2BaB1%2FcD2fGh7Kl9%3D%3D&a=1", **FORM),
        'save csrf from body between "value=\\"" "\\"" decode html encode percent',
        "+ csrf=${csrf}&a=1",
    ),
    (
        "from a page that need not escape it to a form in small letters",
        answer(f'<input name=csrf value="{BASE64}">'.encode(), content_type="text/html"),
        request("POST", "/", b"csrf=q%2baB1%2fcD2fGh7Kl9%3d%3d&a=1", **FORM),
        'save csrf from body between "value=\\"" "\\"" decode html encode percent',
        "+ csrf=${csrf}&a=1",
    ),
    (
        "from a script in a page",
        answer(b'<script>x = {"csrf":"q\\u002baB1\\/cD2fGh7Kl9\\u003D\\u003d"}', content_type="text/html"),
        request("POST", "/", x_csrf=BASE64),
        'save x-csrf from body between "\\"csrf\\":\\"" "\\"" decode json',
        "x-csrf: ${x-csrf}",
    ),
    (
        "from JSON to JSON",
        answer(b'{"t": "q\\u002baB1\\/cD2fGh7Kl9=="}', content_type="application/json"),
        request("POST", "/", f'{{"t": "{BASE64}"}}'.encode(), content_type="application/json"),
        'save t from body between "\\"t\\": \\"" "\\""',
        '+ {"t": "${t}"}',
    ),
    (
        "from JSON to a path",
        give({"key": BASE64}),
        request("GET", "/files/q+aB1%2FcD2fGh7Kl9=="),
        'save file-id from body between "\\"key\\": \\"" "\\"" decode json encode percent',
        "> GET /files/${file-id} HTTP/1.1",
    ),
    (
        "from a cookie to a field, as scripts do",
        answer(set_cookie="XSRF-TOKEN=q%2BaB1%2FcD2fGh7Kl9%3D%3D; Path=/"),
        request("POST", "/", x_xsrf_token=BASE64),
        'save x-xsrf-token from field set-cookie between "XSRF-TOKEN=" ";" decode percent',
        "x-xsrf-token: ${x-xsrf-token}",
    ),
    (
        "from JSON to a cookie",
        give({"t": BASE64}),
        request("GET", "/", cookie="a=b; t=q%2BaB1%2FcD2fGh7Kl9%3D%3D"),
        'save t from body between "\\"t\\": \\"" "\\"" decode json encode percent',
        "cookie: a=b; t=${t}",
    ),
    (
        "from a link in a page",
        answer(b'<a href="/x?t=q%2BaB1%2FcD2fGh7Kl9%3D%3D&amp;a=b">', content_type="text/html"),
        request("GET", "/x?t=q%2BaB1%2FcD2fGh7Kl9%3D%3D&a=b"),
        'save t from body between "x?t=" "&"',
        "> GET /x?t=${t}&a=b HTTP/1.1",
    ),
    (
        "from a link in JSON to a field",
        give({"next": "http://a/?after=q%2BaB1%2FcD2fGh7Kl9%3D%3D"}),
        request("GET", "/", x_after=BASE64),
        'save x-after from body between "after=" "\\"" decode percent',
        "x-after: ${x-after}",
    ),
    (
        "from where something is",
        answer(status=303, location="/done?code=q%2BaB1%2FcD2fGh7Kl9%3D%3D"),
        request("GET", "/done?code=q%2BaB1%2FcD2fGh7Kl9%3D%3D"),
        'save code from field location between "code=" ""',
        "> GET /done?code=${code} HTTP/1.1",
    ),
]


@pytest.mark.parametrize(("given", "asked", "save", "taken"), [row[1:] for row in CODED], ids=[row[0] for row in CODED])
def test_a_value_is_carried_from_one_coding_to_another(given: bytes, asked: bytes, save: str, taken: str) -> None:
    text, told = carry((request("GET", "/"), given), (asked, answer()))
    assert save in text.split("\n"), text
    assert any(taken in line for line in text.split("\n")), text
    assert len(told) == 1


def test_one_value_in_two_codings_is_one_with_two_names() -> None:
    page = (request("GET", "/"), answer(f'<input name=csrf value="{BASE64}">'.encode(), content_type="text/html"))
    asked = request("POST", "/", b"csrf=q%2BaB1%2FcD2fGh7Kl9%3D%3D", x_csrf=BASE64, **FORM)
    text, told = carry(page, (asked, answer()), (asked, answer()))
    assert told == ["x-csrf from the content of GET / → 2 requests"]
    assert 'save x-csrf from body between "value=\\"" "\\"" decode html\n' in text
    assert 'save x-csrf.2 from body between "value=\\"" "\\"" decode html encode percent\n' in text
    assert (
        "x-csrf: ${x-csrf}\n> content-type: application/x-www-form-urlencoded\n> Content-Length: ${5+x-csrf.2}\n>\n+ csrf=${x-csrf.2}"
        in text
    )


GIVEN += [
    (
        "a UUID in a file's name",
        (request("GET", "/list"), give([{"key": UUID}])),
        request("GET", f"/files/report-{UUID}.pdf"),
        'save file-id from body between "\\"key\\": \\"" "\\"" decode json',
        "> GET /files/report-${file-id}.pdf HTTP/1.1",
    ),
    (
        "one of several in a parameter",
        (request("GET", "/list"), give([{"key": TOKEN}])),
        request("GET", f"/list?keys=first%2C{TOKEN}%2Clast"),
        'save keys from body between "\\"key\\": \\"" "\\"" decode json encode percent',
        "> GET /list?keys=first%2C${keys}%2Clast HTTP/1.1",
    ),
    (
        "a token beside its scheme's words",
        (request("POST", "/login"), give({"t": TOKEN})),
        request("GET", "/", authorization=f'Token token="{TOKEN}"'),
        'save token from body between "\\"t\\": \\"" "\\"" decode json',
        'authorization: Token token="${token}"',
    ),
]


@pytest.mark.parametrize(("first", "asked", "save", "taken"), [row[1:] for row in GIVEN], ids=[row[0] for row in GIVEN])
def test_what_an_answer_gave_is_carried(first: Talk, asked: bytes, save: str, taken: str) -> None:
    text, told = carry(first, (asked, answer()))
    assert save in text.split("\n")
    assert any(taken in line for line in text.split("\n")), text
    assert len(told) == 1
    assert "answered" not in text


NOT_GIVEN = [
    ("a number", (request("GET", "/"), give({"page": 1, "id": 1})), request("GET", "/items/1?page=1")),
    (
        "how all of a kind begin",
        (request("GET", "/"), give({"t": "eyJhbGciOiJIUzI1NiJ9.e30.a-b_c1D2e3"})),
        request("GET", "/", authorization="Bearer eyJhbGciOiJIUzI1NiJ9.e31.f4G5h6-i_j"),
    ),
    ("a part of a longer coded value", (request("GET", "/"), give({"t": f"x{BASE64}"})), request("GET", f"/?t={BASE64}")),
    (
        "what the client said first in another coding",
        (request("GET", f"/?t={BASE64}"), give({"t": BASE64})),
        request("GET", "/", x_t=BASE64),
    ),
    ("a coded moment", (request("GET", "/"), give({"at": "2030-01-01T00:00:00Z"})), request("GET", "/?at=2030-01-01T00%3A00%3A00Z")),
    (
        "a word",
        (request("GET", "/"), give({"done": "true", "kind": "electronics"})),
        request("GET", "/electronics?done=true&kind=electronics"),
    ),
    ("a date in a query", (request("GET", "/"), give({"day": "2030-01-01"})), request("GET", "/?day=2030-01-01")),
    ("a moment", (request("GET", "/"), give({"at": "2030-01-01T00:00:00Z"})), request("GET", "/?at=2030-01-01T00:00:00Z")),
    ("an id that was read, not made", (request("GET", "/items"), give({"id": 9})), request("GET", "/items/9")),
    ("an id elsewhere", (request("POST", "/items"), give({"id": 9})), request("GET", "/carts/9?quantity=9")),
    ("an id of what failed", (request("POST", "/items"), answer(b'{"id": 9}', status=422)), request("GET", "/items/9")),
    (
        "what the client said first",
        (request("POST", "/", f'{{"key": "{TOKEN}"}}'.encode(), content_type="application/json"), give({"key": TOKEN})),
        request("GET", f"/{TOKEN}"),
    ),
    ("a cookie of the client's own", (request("GET", "/", cookie="a=b"), answer(set_cookie="a=b")), request("GET", "/", cookie="a=b")),
    ("a cookie of another name", (request("GET", "/"), answer(set_cookie="a=b")), request("GET", "/", cookie="c=b")),
    ("a short ETag of something else", (request("GET", "/a"), answer(etag='"1"')), request("GET", "/b", if_none_match='"1"')),
    ("a part of a longer word", (request("GET", "/"), give({"key": f"{TOKEN}x"})), request("GET", f"/{TOKEN}")),
    (
        "a part of a longer value",
        (request("GET", "/"), give({"key": f"{TOKEN}-party"})),
        request("GET", f"/{TOKEN}-part"),
    ),
    ("where a word is", (request("POST", "/login"), answer(status=303, location="/welcome")), request("GET", "/welcome")),
    ("what comes later", (request("GET", f"/{TOKEN}"), give({"key": TOKEN})), request("GET", "/")),
    (
        "the agent's name",
        (request("GET", "/"), give({"you": "Agent/a8Fk20xQ9zLmP31v"})),
        request("GET", "/", user_agent="Agent/a8Fk20xQ9zLmP31v"),
    ),
]


@pytest.mark.parametrize(("first", "asked"), [row[1:] for row in NOT_GIVEN], ids=[row[0] for row in NOT_GIVEN])
def test_what_is_no_such_value_stays(first: Talk, asked: bytes) -> None:
    text, told = carry(first, (asked, answer()))
    assert told == []
    assert "${" not in text
    assert "\nsave " not in text


@pytest.mark.parametrize(
    "value",
    [
        UUID,
        TOKEN,
        "grace.6f7ed6ee8e0a03f9da97f44d2289f701",
        "123456789012",
        "eyJhbGciOiJIUzI1NiJ9.e30.a-b_c1D2e3",
        "qWeRTyUIopASdfGHjKLz-C",
        "scrubbed-bearer-e4n7c2",
    ],
)
def test_random(value: str) -> None:
    assert looks_random(value)


@pytest.mark.parametrize(
    "value",
    [
        "",
        "1",
        "true",
        "password",
        "electronics",
        "blue-shirt-42",
        "12345678",
        "v1.2.3-beta4",
        "10.0.0.1",
        "two words 1a2b3c",
        "getElementsByTagNameAndClass",
        "aBcDeFGH",
    ],
)
def test_not_random(value: str) -> None:
    assert not looks_random(value)


def test_a_length_follows_the_value() -> None:
    text, _ = carry(
        (request("POST", "/carts"), give({"id": 9})),
        (request("POST", "/x", b'{"cart_id": 9, "again": {"cart_id": 9}}', content_type="application/json"), answer()),
    )
    assert "> Content-Length: ${37+cart-id+cart-id}" in text


def test_the_size_of_a_chunk_follows_too() -> None:
    value = "a8Fk20xQ9zLm"
    head = b"POST /x HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = head + b'5\r\n{"a":\r\nF\r\n"%s"}\r\n0\r\n\r\n' % value.encode()
    text, _ = carry((request("GET", "/"), give({"t": value})), (body, answer()))
    assert '\n> 5\n> {"a":\n> ${0x3+value}\n> "${value}"}\n> 0\n' in text, text


def test_a_value_cut_by_the_end_of_a_send_goes_with_its_beginning() -> None:
    first = (request("GET", "/"), give({"t": TOKEN}))
    asked = request("GET", f"/{TOKEN}/end")
    text, told = carry(first, (asked, answer()), cut=asked.index(TOKEN.encode()) + 4)
    sends = text[text.index("exchange x1") :]
    assert "send\n+ GET /${its-id}\nsend\n> /end HTTP/1.1\n" in sends
    assert len(told) == 1


def test_sessions_that_share_a_value_are_one_with_all_between() -> None:
    first = (request("GET", "/"), answer(set_cookie=f"id={TOKEN}"))
    taken = (request("GET", "/", cookie=f"id={TOKEN}"), answer())
    other = (request("GET", "/"), answer())
    data = recording(other, first, other, taken, other, sessions=["a", "b", "c", "d", "e"])
    sessions, _ = carried(tap.sessions(parse(data, "recording")))
    assert [[exchange.name for exchange in session] for session in sessions] == [["x"], ["x", "x.2", "x.3"], ["x"]]
    assert [session[0].session for session in sessions] == ["a", "b", "e"]
    assert sessions[1][2].meta == {"origin": "recorded", "status": "200"}


def test_two_clients_keep_their_own() -> None:
    values = ["a8Fk20xQ9zLmP31v", "b7Gj31yR8wKnO42u"]
    given = [(request("GET", "/"), answer(set_cookie=f"id={value}")) for value in values]
    taken = [(request("GET", "/", cookie=f"id={value}"), answer()) for value in values]
    text, told = carry(*given, *taken)
    assert text.index("cookie: id=${id}\n") < text.index("cookie: id=${id.2}\n")
    assert told == ["id from Set-Cookie of GET / (2 values) → 2 requests"]


def test_a_jar_holds_what_was_set_last() -> None:
    """A cookie that is set again, to the same, is taken from there: another key or clock may make it another one."""
    first = (request("GET", "/"), answer(set_cookie="id=5"))
    again = (request("GET", "/", cookie="id=5"), answer(set_cookie="id=5"))
    text, _ = carry(first, again, again)
    assert text.count("save id from field set-cookie") == 2


def test_a_packed_answer_is_asked_for_unpacked() -> None:
    packed = answer(gzip.compress(json.dumps({"t": TOKEN}).encode()), content_type="application/json", content_encoding="gzip")
    text, told = carry((request("GET", "/", accept_encoding="gzip, br"), packed), (request("GET", f"/?t={TOKEN}"), answer()))
    assert "accept-encoding: identity" in text
    assert len(told) == 1
    field = (request("GET", "/", accept_encoding="gzip"), answer(b"", content_encoding="gzip", x_t=TOKEN))
    assert "accept-encoding: gzip" in carry(field, (request("GET", f"/?t={TOKEN}"), answer()))[0]


@pytest.mark.parametrize("coding", ["gzip", "br"])
def test_an_answer_that_is_kept_unpacked_is_read_and_asked_for_so(coding: str) -> None:
    """As HAR has it."""
    plain = answer(json.dumps({"t": f"ä{TOKEN}"[1:]}).encode(), content_type="application/json", content_encoding=coding)
    text, told = carry((request("GET", "/", accept_encoding="gzip, br"), plain), (request("GET", f"/?t={TOKEN}"), answer()))
    assert "accept-encoding: identity" in text
    assert len(told) == 1
    octets = answer(b"\x1b\xff" + TOKEN.encode(), content_type="text/plain", content_encoding=coding)
    assert carry((request("GET", "/"), octets), (request("GET", f"/?t={TOKEN}"), answer()))[1] == []


def test_a_beginning_that_another_value_has_too_hides_none() -> None:
    """Which word of a value is rare, its words alone do not tell."""
    other = (request("GET", "/"), give({"key": "prefix-a1b2c3d4"}))
    given = (request("GET", "/?key=prefix-1"), give({"key": "prefix-z9y8x7w6"}))
    text, told = carry(other, given, (request("GET", "/?key=prefix-z9y8x7w6"), answer()))
    assert told == ["key from the content of GET / → 1 request"]
    assert "/?key=${key}" in text


def test_what_is_written_by_hand_is_left_alone() -> None:
    data = recording((request("GET", "/"), answer(set_cookie=f"id={TOKEN}")), (request("GET", "/", cookie=f"id={TOKEN}"), answer()))
    data = data.replace(b"exchange x1", b"exchange x1\norigin: by hand").replace(
        b"end next\nexchange x1", b'save id from body between "" ""\nend next\nexchange x1'
    )
    data = data.replace(f"id={TOKEN}\n>\nwait".encode(), b"id=${id}\n>\nwait")
    sessions, told = carried(tap.sessions(parse(data, "recording")))
    assert told == []
    assert sessions[0][1].text.count(b"${id}") == 1


def test_pipelined_requests_take_nothing_from_each_other() -> None:
    lines = [
        "bridgecheck-exchange 1",
        "session s",
        "exchange x",
        "send",
        pieces([request("GET", "/") + request("GET", f"/{TOKEN}")]).rstrip("\n"),
    ]
    for given in (give({"t": TOKEN}), answer()):
        lines += ["wait response", "answered", pieces([given]).rstrip("\n")]
    sessions, told = carried(tap.sessions(parse(("\n".join([*lines, "end next"]) + "\n").encode(), "recording")))
    assert told == []
    assert b"${" not in sessions[0][0].text


def talk(*steps: str, protocol: str = "", first: str = TOKEN) -> tuple[str, list[str]]:
    """What becomes of a WebSocket's exchange behind an answer that gave a cookie, and what is carried."""
    gave = (request("GET", "/"), answer(set_cookie=f"id={first}"))
    fields = {"sec_websocket_protocol": protocol} if protocol else {}
    handshake = request("GET", "/chat", upgrade="websocket", **fields)
    data = recording(gave, (handshake, b"HTTP/1.1 101 Switching Protocols\r\n\r\n")).removesuffix(b"end next\n").decode()
    text = "\n".join((data.rstrip("\n"), *steps, "wait frame", 'frame close 1000 "bye"', "end close\n"))
    sessions, told = carried(tap.sessions(parse(text.encode(), "recording")))
    return sessions[-1][-1].text.decode(), told


FROM_COOKIE = "from Set-Cookie of GET /"


def test_a_websocket_is_asked_for_with_what_was_given() -> None:
    text, told = talk("frame text hello", protocol=f"chat, bearer.{TOKEN}")
    assert told == [f"sec-websocket-protocol {FROM_COOKIE} → 1 request"]
    assert "> sec-websocket-protocol: chat, bearer.${sec-websocket-protocol}\n" in text
    assert 'frame text hello\nwait frame\nframe close 1000 "bye"\nend close' in text


@pytest.mark.parametrize(
    ("said", "pieces_", "name"),
    [
        (f'{{"type": "auth", "token": "{TOKEN}"}}', '+ {"type": "auth", "token": "${token}"}', "token"),
        (
            f'{{"payload":{{"Authorization":"Bearer {TOKEN}"}}}}',
            '+ {"payload":{"Authorization":"Bearer ${authorization}"}}',
            "Authorization",
        ),
        (f"auth {TOKEN} please", "+ auth ${message} please", "message"),
        (TOKEN, "+ ${message}", "message"),
    ],
)
def test_a_text_over_a_websocket_says_what_was_given(said: str, pieces_: str, name: str) -> None:
    text, told = talk(f"frame text {quoted(said)}")
    assert told == [f"{name} {FROM_COOKIE} → 1 message"]
    assert f"\nframe text\n{pieces_}\nwait frame\n" in text


def test_a_jwt_behind_its_scheme_is_one_value() -> None:
    jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.a8Fk20xQ9zLmP31v"
    text, _ = talk(f"frame text {quoted(json.dumps({'Authorization': f'Bearer {jwt}'}))}", first=jwt)
    assert '\n+ {"Authorization": "Bearer ${authorization}"}\n' in text


@pytest.mark.parametrize("step", ["frame text more {}", "frame text rsv1 {}", "frame binary {}", "frame text unmasked {}", "frame ping {}"])
def test_other_frames_stay(step: str) -> None:
    text, told = talk(step.format(quoted(TOKEN)))
    assert told == [] and "${" not in text


def test_what_a_client_said_over_a_websocket_first_is_its_own() -> None:
    chat = (request("GET", "/chat", upgrade="websocket"), b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
    data = recording(chat, (request("GET", "/"), give({"t": TOKEN})), (request("GET", f"/{TOKEN}"), answer()))
    text = data.replace(b"end next", b'frame text "%s"\nend next' % TOKEN.encode(), 1)
    sessions, told = carried(tap.sessions(parse(text, "recording")))
    assert told == [] and len(sessions[0]) == 3
