"""Where secrets stand in requests, what stands for them afterwards, and which answers give them again."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bridgecheck.conformance.taps.har import Entry, Message
from bridgecheck.conformance.taps.secret import Secrets

LONG = "s3cret-value-0001"
OTHER = "an0ther-value-002"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc-DEF_123"


def asks(
    target: str = "/", *fields: tuple[str, str], content: bytes = b"", kind: str = "", method: str = "GET", answer: str = "", answered=()
) -> Entry:
    given = [*fields, ("Content-Type", kind)] if kind else [*fields]
    return Entry("entry 1", datetime.now(UTC), "", method, "shop.test", target, given, content, 200, list(answered), answer)


def shown(text: str | bytes) -> str:
    """Without the mark that each stand-in has behind its name."""
    text = text.decode("utf-8", "surrogateescape") if isinstance(text, bytes) else text
    return re.sub("(scrubbed-[a-z0-9-]*?)-(?:[a-p][0-9]){3}", r"\1", text)


def scrubbed(*entries: Entry, environment: dict[str, str] | None = None, **options) -> tuple[Secrets, list[Entry]]:
    secrets = Secrets(**options)
    found = secrets.scrubbed(entries)
    secrets.give(environment or {}, found, ())
    return secrets, secrets.scrubbed(entries)


def fields(entry: Entry) -> list[tuple[str, str]]:
    return [(name, shown(value)) for name, value in entry.fields]


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
    _, [request] = scrubbed(asks("/", given))
    assert fields(request) == [(given[0], left)]


@pytest.mark.parametrize(
    ("target", "left"),
    [
        ("/a?access_token=x%2Fy&b=c", "/a?access_token=scrubbed-access-token%2F&b=c"),
        ("/a?api-key=&b", "/a?api-key=&b"),
        ("/a?author=me&pinned=1&tag=x", "/a?author=me&pinned=1&tag=x"),
        ("/a?pin=1234", "/a?pin=scrubbed-pin"),
        (f"/reset/{JWT}/now", "/reset/scrubbed-jwt/now"),
        (f"/a?x={JWT}", "/a?x=scrubbed-x"),
    ],
)
def test_targets(target: str, left: str) -> None:
    _, [request] = scrubbed(asks(target))
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
    _, [request] = scrubbed(asks("/", content=content.encode(), kind=kind))
    assert shown(request.content) == left


def test_octets_that_are_no_text_stay() -> None:
    octets = bytes(range(256))
    _, [request] = scrubbed(asks("/", content=octets, kind="application/json"))
    assert request.content == octets


def test_the_same_secret_has_the_same_name_and_is_one_everywhere() -> None:
    _, requests = scrubbed(
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
    _, requests = scrubbed(asks("/?password=12", ("X-Number", "12")))
    assert fields(requests[0]) == [("X-Number", "12")]


def test_names_stay_the_same_in_the_next_file() -> None:
    names: dict[str, str] = {}
    scrubbed(asks(f"/?token={LONG}"), names=names)
    _, [request] = scrubbed(asks(f"/?token={OTHER}&token={LONG}"), names=names)
    assert shown(request.target) == "/?token=scrubbed-token-2&token=scrubbed-token"


def test_the_environment_gives_secrets_as_their_place_writes_them() -> None:
    environment = {"BRIDGECHECK_SECRET_PASSWORD": 'a&"ä'}
    form = asks("/", content=b"password=guess", kind=FORM)
    secrets, [request] = scrubbed(form, environment=environment)
    assert shown(request.content) == "password=a%26%22%C3%A4"
    assert [secret.variable for secret in secrets.found.values()] == ["BRIDGECHECK_SECRET_PASSWORD"]
    _, [request] = scrubbed(asks("/", content=b'{"password":"guess"}', kind=JSON), environment=environment)
    assert shown(request.content) == '{"password":"a&\\"\\u00e4"}'


def test_names_can_be_added_and_taken_away() -> None:
    entry = asks("/?color=red&token=t", ("Cookie", "theme=dark; id=1"), ("X-Own", "own"))
    _, [request] = scrubbed(entry, extra=["Color", "x-own"], kept=["TOKEN", "theme"])
    assert shown(request.target) == "/?color=scrubbed-color&token=t"
    assert fields(request) == [("Cookie", "theme=dark; id=scrubbed-cookie-id"), ("X-Own", "scrubbed-x-own")]


HTML = "text/html; charset=utf-8"


@pytest.mark.parametrize(
    ("kind", "content", "left"),
    [
        (JSON, f'{{"access_token":"{LONG}","expires_in":60}}', '{"access_token":"scrubbed-access-token","expires_in":60}'),
        (JSON, '{"pin": 1234, "n": [{"clientSecret":"x"}]}', '{"pin": 1, "n": [{"clientSecret":"scrubbed-clientsecret"}]}'),
        (JSON, f'["{JWT}"]', '["scrubbed-jwt"]'),
        (JSON, '{"token": "\\q", "password": "abc"}', '{"token": "\\q", "password": "scrubbed-password"}'),
        (HTML, f'<input type=hidden value="{LONG}" name="csrf">', '<input type=hidden value="scrubbed-csrf" name="csrf">'),
        (HTML, "<META name='csrf' content='a'><meta name=b>", "<META name='csrf' content='scrubbed-csrf'><meta name=b>"),
        (HTML, '<script>state = {"apiKey": "abc"}</script>', '<script>state = {"apiKey": "scrubbed-apikey"}</script>'),
        ("text/plain", f"see {JWT}.", "see scrubbed-jwt."),
    ],
)  # fmt: skip
def test_answers(kind: str, content: str, left: str) -> None:
    _, [entry] = scrubbed(asks(answer=content, answered=[("Content-Type", kind)]))
    assert shown(entry.answer) == left


@pytest.mark.parametrize(
    ("given", "left"),
    [
        (("Set-Cookie", f"session={LONG}; Path=/"), "session=scrubbed-cookie-session; Path=/"),
        (("set-cookie", "sid=7"), "sid=scrubbed-cookie-sid"),
        (("Location", f"https://a.test/done?token={LONG}&b=c#id_token=x"), "https://a.test/done?token=scrubbed-token&b=c#id_token=scrubbed-id-token"),
        (("X-CSRF-Token", "t"), "scrubbed-x-csrf-token"),
        (("ETag", '"1"'), '"1"'),
    ],
)  # fmt: skip
def test_fields_of_answers(given: tuple[str, str], left: str) -> None:
    _, [entry] = scrubbed(asks(answered=[given]))
    assert [shown(value) for _, value in entry.answered] == [left]


def test_what_an_answer_gave_is_the_same_in_the_request() -> None:
    login = asks("/login", answer=f'{{"t":"{LONG}"}}', answered=[("Set-Cookie", "sid=7")])
    _, [login, used] = scrubbed(login, asks("/me", ("Authorization", f"Bearer {LONG}"), ("Cookie", "sid=7")))
    [(_, bearer), (_, cookie)] = used.fields
    assert login.answer == f'{{"t":"{bearer.removeprefix("Bearer ")}"}}'
    assert login.answered == [("Set-Cookie", cookie)]


def test_a_stand_in_is_written_as_the_secret_was() -> None:
    """So that what has to be coded is still to be seen."""
    value = "aB1+cD2/eF3="
    page = asks("/", answer=f"<b>{value.replace('=', '&#x3D;')}</b>", answered=[("Set-Cookie", "t=aB1%2bcD2%2feF3%3d")])
    answer = asks("/", answer=value.replace("/", "\\/"))
    form = asks("/", content=b"token=aB1%2BcD2%2FeF3%3D", kind=FORM)
    _, [page, answer, form] = scrubbed(page, answer, form)
    mark = page.answer.removeprefix("<b>scrubbed-token-").partition("+")[0]
    assert re.fullmatch("(?:[a-p][0-9]){3}", mark)
    assert page.answer == f"<b>scrubbed-token-{mark}+/&#x3D;</b>"
    assert page.answered == [("Set-Cookie", f"t=scrubbed-token-{mark}%2b%2f%3d")]
    assert answer.answer == f"scrubbed-token-{mark}+\\/="
    assert form.content == f"token=scrubbed-token-{mark}%2B%2F%3D".encode()


def test_an_answer_that_shows_a_secret_in_some_other_way_is_not_kept() -> None:
    shown_as = "".join(f"&#{ord(character):05};" for character in LONG)  # letters, too
    _, entries = scrubbed(asks(f"/?token={LONG}"), asks(answer=f"<p>{shown_as}"), asks(answer="<p>a &amp; b"))
    assert [entry.answer for entry in entries] == ["", "", "<p>a &amp; b"]


def test_what_is_carried_is_not_missing_and_not_given() -> None:
    entry = asks(f"/?token={LONG}&password={OTHER}")
    secrets = Secrets()
    [left] = secrets.scrubbed([entry])
    token = left.target.partition("token=")[2].partition("&")[0]
    environment = {"BRIDGECHECK_SECRET_TOKEN": "mine"}
    assert [secret.name for secret in secrets.give(environment, [left], {token})] == ["password"]
    assert shown(secrets.scrubbed([entry])[0].target) == "/?token=scrubbed-token&password=scrubbed-password"
    assert [secret.name for secret in secrets.give(environment, [left], ())] == ["password"]
    assert shown(secrets.scrubbed([entry])[0].target) == "/?token=mine&password=scrubbed-password"


def test_messages_of_a_websocket() -> None:
    first = asks("/", ("Authorization", f"Bearer {LONG}"))
    data = [f'{{"password": "{OTHER}", "say": "{LONG}"}}'.encode(), b"\0\xff", b""]
    talk = replace(asks("/chat"), messages=[Message(bool(said), True, said) for said in data])
    secrets = Secrets()
    left = secrets.scrubbed([first, talk])
    messages = [message.data for message in left[1].messages or []]
    assert [shown(messages[0]), *messages[1:]] == ['{"password": "scrubbed-password", "say": "scrubbed-bearer"}', *data[1:]]
    bearer = left[0].fields[0][1].partition(" ")[2]
    assert [secret.name for secret in secrets.give({}, left, {bearer})] == ["password"]
    assert [secret.name for secret in secrets.give({"BRIDGECHECK_SECRET_PASSWORD": 'my "own"'}, left, ())] == ["bearer"]
    [_, talk] = secrets.scrubbed([first, talk])
    assert shown([message.data for message in talk.messages or []][0]) == '{"password": "my \\"own\\"", "say": "scrubbed-bearer"}'


def test_a_secret_of_an_answer_alone_is_not_missing() -> None:
    secrets, _ = scrubbed(asks(answer='{"token": "abc"}'))
    assert [secret.name for secret in secrets.found.values()] == ["token"]
    assert secrets.give({}, secrets.scrubbed([asks()]), ()) == []
