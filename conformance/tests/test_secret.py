"""Where secrets stand in requests, what stands for them afterwards, and which answers give them again."""

from datetime import UTC, datetime

import pytest

from bridgecheck.conformance.har import Entry
from bridgecheck.conformance.secret import Parts, Rewritten, Save, Secrets

LONG = "s3cret-value-0001"
OTHER = "an0ther-value-002"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-DEF_123"


def asks(
    target: str = "/", *fields: tuple[str, str], content: bytes = b"", kind: str = "", method: str = "GET", answer: str = "", answered=()
) -> Entry:
    given = [*fields, ("Content-Type", kind)] if kind else [*fields]
    return Entry("entry 1", datetime.now(UTC), "", method, "shop.test", target, given, content, 200, list(answered), answer)


def shown(parts: Parts) -> str:
    return "".join(part.decode("utf-8", "surrogateescape") if isinstance(part, bytes) else f"${{{part}}}" for part in parts)


def rewritten(*entries: Entry, environment: dict[str, str] | None = None, **options) -> tuple[Secrets, list[Rewritten]]:
    secrets = Secrets(environment=environment, **options)
    secrets.look_through(entries)
    return secrets, [secrets.rewrite(entry) for entry in entries]


def fields(request: Rewritten) -> list[tuple[str, str]]:
    return [(name, shown(parts)) for name, parts in request.fields]


@pytest.mark.parametrize(
    ("given", "left"),
    [
        (("Authorization", f"Bearer {LONG}"), "Bearer scrubbed-bearer"),
        (("authorization", LONG), "scrubbed-authorization"),
        (("Proxy-Authorization", f"Basic {LONG}"), "Basic scrubbed-basic"),
        (("Cookie", f"theme=dark; session={LONG}"), "theme=scrubbed-cookie-theme; session=scrubbed-cookie-session"),
        (("Cookie", "alone"), "alone"),
        (("X-API-Key", "k"), "scrubbed-x-api-key"),
        (("X-Any", f"see {JWT}"), "see scrubbed-x-any"),
        (("Referer", "http://shop.test/?token=t&a=b"), "http://shop.test/?token=scrubbed-token&a=b"),
        (("Accept", "*/*"), "*/*"),
    ],
)
def test_fields(given: tuple[str, str], left: str) -> None:
    _, [request] = rewritten(asks("/", given))
    assert fields(request) == [(given[0], left)]


@pytest.mark.parametrize(
    ("target", "left"),
    [
        ("/a?access_token=x%2Fy&b=c", "/a?access_token=scrubbed-access-token&b=c"),
        ("/a?api-key=&b", "/a?api-key=&b"),
        ("/a?author=me&pinned=1&tag=x", "/a?author=me&pinned=1&tag=x"),
        ("/a?pin=1234", "/a?pin=scrubbed-pin"),
        (f"/reset/{JWT}/now", "/reset/scrubbed-jwt/now"),
        (f"/a?x={JWT}", "/a?x=scrubbed-x"),
    ],
)
def test_targets(target: str, left: str) -> None:
    _, [request] = rewritten(asks(target))
    assert shown(request.target) == left


FORM, JSON, PARTS = "application/x-www-form-urlencoded", "application/problem+json; charset=utf-8", "multipart/form-data; boundary=b"


@pytest.mark.parametrize(
    ("kind", "content", "left"),
    [
        (FORM, "username=ada&password=a%26b&n=1", "username=ada&password=scrubbed-password&n=1"),
        (
            JSON,
            '{"user": "a", "Password" : "b\\"c\\u00e4", "n": [{"clientSecret":"x"}]}',
            '{"user": "a", "Password" : "scrubbed-password", "n": [{"clientSecret":"scrubbed-clientsecret"}]}',
        ),
        (JSON, '{"otp": 123456, "amount": 123456}', '{"otp": 1, "amount": 123456}'),
        (JSON, '{"token": null, "tokens": ["a"]}', '{"token": null, "tokens": ["a"]}'),
        (
            PARTS,
            '--b\r\nContent-Disposition: form-data; name="password"\r\n\r\nxyz\r\n--b\r\n'
            'Content-Disposition: form-data; name="token"; filename="t"\r\n\r\nfile\r\n--b--\r\n',
            '--b\r\nContent-Disposition: form-data; name="password"\r\n\r\nscrubbed-password\r\n--b\r\n'
            'Content-Disposition: form-data; name="token"; filename="t"\r\n\r\nfile\r\n--b--\r\n',
        ),
        ("text/plain", "password=plain", "password=plain"),
    ],
)
def test_contents(kind: str, content: str, left: str) -> None:
    _, [request] = rewritten(asks("/", content=content.encode(), kind=kind))
    assert shown(request.content) == left


def test_octets_that_are_no_text_stay() -> None:
    octets = bytes(range(256))
    _, [request] = rewritten(asks("/", content=octets, kind="application/json"))
    assert request.content == [octets]


def test_the_same_secret_has_the_same_name_and_is_one_everywhere() -> None:
    _, requests = rewritten(
        asks("/", ("Authorization", f"Bearer {LONG}")),
        asks(f"/x/{LONG}?y={LONG}", ("X-Copy", f"[{LONG}]"), content=f"<{LONG}>".encode(), kind="text/xml"),
        asks("/", ("Authorization", f"Bearer {OTHER}")),
    )
    assert shown(requests[1].target) == "/x/scrubbed-bearer?y=scrubbed-bearer"
    assert fields(requests[1])[0] == ("X-Copy", "[scrubbed-bearer]")
    assert shown(requests[1].content) == "<scrubbed-bearer>"
    assert fields(requests[2]) == [("Authorization", "Bearer scrubbed-bearer-2")]
    assert LONG not in repr(requests)


def test_a_short_secret_is_one_only_where_its_name_says_so() -> None:
    _, requests = rewritten(asks("/?password=12", ("X-Number", "12")))
    assert fields(requests[0]) == [("X-Number", "12")]


def test_names_stay_the_same_in_the_next_file() -> None:
    names: dict[str, str] = {}
    rewritten(asks(f"/?token={LONG}"), names=names)
    _, [request] = rewritten(asks(f"/?token={OTHER}&token={LONG}"), names=names)
    assert shown(request.target) == "/?token=scrubbed-token-2&token=scrubbed-token"


def test_the_environment_gives_secrets_as_their_place_writes_them() -> None:
    environment = {"BRIDGECHECK_SECRET_PASSWORD": 'a&"ä'}
    form = asks("/", content=b"password=guess", kind=FORM)
    secrets, [request] = rewritten(form, environment=environment)
    assert shown(request.content) == "password=a%26%22%C3%A4"
    assert [secret.variable for secret in secrets.found.values()] == ["BRIDGECHECK_SECRET_PASSWORD"]
    _, [request] = rewritten(asks("/", content=b'{"password":"guess"}', kind=JSON), environment=environment)
    assert shown(request.content) == '{"password":"a&\\"\\u00e4"}'


def test_names_can_be_added_and_taken_away() -> None:
    entry = asks("/?color=red&token=t", ("Cookie", "theme=dark; id=1"), ("X-Own", "own"))
    _, [request] = rewritten(entry, extra=["Color", "x-own"], kept=["TOKEN", "theme"])
    assert shown(request.target) == "/?color=scrubbed-color&token=t"
    assert fields(request) == [("Cookie", "theme=dark; id=scrubbed-cookie-id"), ("X-Own", "scrubbed-x-own")]


USE = asks("/me", ("Authorization", f"Bearer {LONG}"))


@pytest.mark.parametrize(
    ("answered", "answer", "save"),
    [
        ([], f'{{"token_type":"bearer","access_token":"{LONG}"}}', Save("bearer", "", '"access_token":"', '"')),
        ([], f'<input name="t" value="{LONG}">', Save("bearer", "", 'value="', '"')),
        ([], f"other x={LONG}\nx={LONG}", Save("bearer", "", "other x=", "\n")),
        ([], LONG, Save("bearer", "", "", "")),
        ([("Location", f"/done?key={LONG}&a=b")], "", Save("bearer", "location", "key=", "&")),
        ([("X-A", "value"), ("x-a", f"v={LONG}")], "", Save("bearer", "x-a", "v=", "")),
        ([], "nothing", None),
    ],
)
def test_an_answer_gives_it_again(answered: list[tuple[str, str]], answer: str, save: Save | None) -> None:
    secrets, requests = rewritten(asks("/login", answered=answered, answer=answer), USE)
    assert secrets.saves == ({0: [save]} if save else {})
    assert fields(requests[1]) == [("Authorization", "Bearer ${bearer}" if save else "Bearer scrubbed-bearer")]
    assert requests[1].givers == ({0} if save else frozenset())


@pytest.mark.parametrize(
    ("lines", "save"),
    [
        (["sid=7; Path=/"], Save("cookie-sid", "set-cookie", "sid=", ";")),
        (["sid=7"], Save("cookie-sid", "set-cookie", "sid=", "")),
        (["a=1", "sid=7; Secure"], Save("cookie-sid", "set-cookie", "sid=", ";")),
        (["oldsid=8;", "sid=7;"], None),  # where a player would look, another one stands
        (["sid=77;"], None),
    ],
)
def test_a_cookie_comes_from_where_it_was_set(lines: list[str], save: Save | None) -> None:
    secrets, _ = rewritten(asks("/", answered=[("Set-Cookie", line) for line in lines]), asks("/", ("Cookie", "sid=7")))
    assert secrets.saves == ({0: [save]} if save else {})


def test_the_last_answer_before_gives_it_and_none_behind() -> None:
    login = asks("/login", answer=f'{{"t":"{LONG}"}}')
    secrets, _ = rewritten(login, login, USE, login)
    assert list(secrets.saves) == [1]
    secrets, _ = rewritten(USE, login)
    assert secrets.saves == {}


def test_what_it_looks_for_holds_no_other_secret() -> None:
    answer = f"{OTHER}{LONG}"
    secrets, _ = rewritten(asks(f"/?token={OTHER}", answer=answer), USE)
    assert OTHER not in repr(secrets.saves)


def test_a_saved_secret_that_is_written_in_another_way_is_not_taken() -> None:
    """The value would stand there as the answer has it."""
    _, requests = rewritten(asks("/", answer='{"t":"a/b/c/d/e"}'), asks("/?token=a%2Fb%2Fc%2Fd%2Fe"))
    assert shown(requests[1].target) == "/?token=scrubbed-token"


def test_a_saved_secret_stands_in_a_content() -> None:
    _, requests = rewritten(asks("/", answer=f'{{"t":"{LONG}"}}'), asks("/", content=f"token={LONG}".encode(), kind=FORM))
    assert requests[1].content == [b"token=", "token"]
