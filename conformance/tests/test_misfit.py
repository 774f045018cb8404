"""What is said of traffic that does not fit: which statuses, and which values nothing gave."""

from bridgecheck.conformance._player import Exchange, parse
from bridgecheck.conformance.compare.fact import Facts
from bridgecheck.conformance.compare.misfit import NAMED, fits, misfits

FILE = """bridgecheck-exchange 1
session s
exchange login
status: 200
send
> GET /login HTTP/1.1
>
wait response
save b from body between "" ""
save a from body between "a" "b"
save c from body between "c" ""
end next
exchange use
status: 201
send
> GET /${a}/\\${c}/${b} HTTP/1.1
> Content-Length: ${7+c+a}
>
wait response
end next
exchange again
send
> GET / HTTP/1.1
>
wait response
save a from body between "" ""
save b from body between "" ""
end next
exchange more
status: 200 200
send
> GET /${a}${b} HTTP/1.1
>
wait response
end next
"""
LOGIN, USE, AGAIN, MORE = parse(FILE.encode(), "a")


def facts(*statuses: int, failed: int = 0) -> Facts:
    found: Facts = {(f"response {number}", "response.status"): status for number, status in enumerate(statuses)}
    return found | ({(f"line {failed}", "script[nothing to save]"): 1} if failed else {})


def line_of(exchange: Exchange, text: str) -> int:
    return exchange.line + exchange.text.decode().split("\n").index(text)


def test_what_fits() -> None:
    assert fits(LOGIN, facts(200)) and fits(MORE, facts(200, 200)) and fits(AGAIN, facts(500))
    assert not fits(LOGIN, facts(201)) and not fits(MORE, facts(200)) and not fits(LOGIN, facts())
    assert misfits([[(LOGIN, facts(200)), (USE, None)]]) == []


def test_statuses_are_named() -> None:
    assert misfits([[(LOGIN, facts(401)), (USE, facts())], [(MORE, facts(200, 500))]]) == [
        "login: 200 recorded, 401 now",
        "use: 201 recorded, no answer now",
        "more: 200 200 recorded, 200 500 now",
    ]


def test_a_value_that_was_not_given_is_named_where_it_is_taken() -> None:
    failed = line_of(LOGIN, 'save a from body between "a" "b"')
    played = [(LOGIN, facts(200, failed=failed)), (USE, facts(404)), (AGAIN, facts(200)), (MORE, facts(404))]
    assert misfits([played]) == [
        "use: 201 recorded, 404 now; takes a, which the answer to login did not give",
        "more: 200 200 recorded, 404 now",  # it was given again
    ]
    failed = line_of(LOGIN, 'save c from body between "c" ""')
    assert misfits([[(LOGIN, facts(200, failed=failed)), (USE, facts(404))]]) == [
        "use: 201 recorded, 404 now; takes c, which the answer to login did not give"
    ]
    assert misfits([[(LOGIN, facts(200, failed=failed))], [(USE, facts(404))]]) == ["use: 201 recorded, 404 now"]


def test_a_stand_in_that_was_sent_is_named() -> None:
    text = FILE.replace("/login HTTP", "/login?a=scrubbed-password-2-a1b2c3&b=scrubbed-token-a1b2c3&c=scrubbed-x-d1e2f3 HTTP")
    login = parse(text.encode(), "a")[0]
    line = "login: 200 recorded, 401 now; sends scrubbed-password-2-a1b2c3, scrubbed-token-a1b2c3 and 1 more for what was scrubbed"
    assert misfits([[(login, facts(401))]]) == [line]


def test_a_few_are_enough() -> None:
    lines = misfits([[(LOGIN, facts(401))] * (NAMED + 2)])
    assert lines == ["login: 200 recorded, 401 now"] * NAMED + ["and 2 more"]
