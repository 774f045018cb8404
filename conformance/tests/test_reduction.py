"""What can be left out of an exchange: each kind, and that the rest is framed as before."""

from collections.abc import Callable

import pytest

from bridgecheck.conformance._player import Exchange, parse
from bridgecheck.conformance.minimise.framing import messages
from bridgecheck.conformance.minimise.reduction import KINDS, START, reductions, together
from bridgecheck.conformance.minimise.script import Opaque, exchanges, scripts, size
from bridgecheck.conformance.taps.tap import MAGIC

SAVE = 'save v from body between "" ""'
HEAD = "exchange one\nrules: FR-LEN-07\nmust: response.status = 200\n"
REQUEST = HEAD + "send\n> GET /a?x=1&y=2&z=3 HTTP/1.1\n> Host: a\n> X-Long: 0123456789abcdefghij\n>\nwait response\nend next\n"
POST = HEAD + "send\n> POST / HTTP/1.1\n> Host: a\n> Content-Length: 8\n>\n+ abcdefgh\nend next\n"
CHUNKED = HEAD + "send\n> POST / HTTP/1.1\n> Transfer-Encoding: chunked\n>\n> 4\n> abcd\n> 3;x=y\n> efg\n> 0\n> X-Trailer: 1\n>\nend next\n"


def session(text: str) -> list[Exchange]:
    return parse(MAGIC + text.encode(), "test")


def sent(given: tuple[Exchange, ...] | list[Exchange]) -> bytes:
    return b"".join(data for exchange in given for _, kind, data in exchange.steps if kind.startswith("send"))


def smallest(text: str, kind: str, keep: Callable[[bytes], bool]) -> tuple[Exchange, ...]:
    """What reductions of one kind lead to, while what is sent is kept so."""
    given = session(text)
    state, whole, cursor = scripts(given), tuple(given), START
    while True:
        for at, taken in reductions(state, cursor):
            smaller = exchanges(taken, given[0].session)
            if KINDS[at[0]].name == kind and smaller is not None and size(smaller) < size(whole) and keep(sent(smaller)):
                state, whole, cursor = taken, smaller, at
                break
        else:
            return whole


def leads(text: str, kind: str) -> list[tuple[Exchange, ...]]:
    """What each reduction of one kind leads to, where that is an exchange."""
    found = [exchanges(taken, "") for (number, _, _), taken in reductions(scripts(session(text))) if KINDS[number].name == kind]
    return [taken for taken in found if taken is not None]


def test_taken_apart_and_put_together_it_is_the_same() -> None:
    text = (
        'exchange x\n# a remark\norigin: hand\nsend split 3\n> A ${v} \\x00\\\\\\$\\"\\xff\n+ tail\\x20\n* 70000 \\x41\\r\nend open 50ms\n'
    )
    frame = "\nframe text rsv1\n+ ${v}\\xff\n* 2 a\nframe close 1000 x"
    given = session("session s\nneeds: websocket\n\nexchange w\nsend\n> GET / HTTP/1.1\n>\n" + SAVE + frame + "\nend next\n" + text)
    again = exchanges(scripts(given), "s")
    assert again is not None
    assert [(e.name, e.meta, e.sends, [step[1:] for step in e.steps]) for e in again] == [
        (e.name, e.meta, e.sends, [step[1:] for step in e.steps]) for e in given
    ]
    assert again[1].meta == {"origin": "hand", "needs": "websocket"}


def test_what_was_answered_when_it_was_recorded_is_left_out() -> None:
    answered = "answered\n> HTTP/1.1 200\n> Server: a\n>\n+ {}\n"
    recorded = REQUEST.replace("wait response\n", f"wait response\n{answered}{SAVE}\n")
    (exchange,) = exchanges(scripts(session(recorded)), "") or ()
    assert [kind for _, kind, _ in exchange.steps] == ["send", "wait response", "save v"]
    assert sent([exchange]) == sent(session(REQUEST)) and b"Server" not in exchange.text


def test_reductions_are_made_together_and_lead_on_from_the_last() -> None:
    """Parameters y and z, and two runs of the field's value; its other runs are then where the first of these was."""
    taken = scripts(session(REQUEST))
    names = [kind.name for kind in KINDS]
    parameters, values = names.index("parameters"), names.index("values")
    cursor, both = together(taken, [(parameters, 1, 1), (parameters, 1, 2), (values, 4, 0), (values, 1, 2), (values, 2, 8)])
    (exchange,) = exchanges(both, "") or ()
    assert sent([exchange]) == b"GET /a?x=1 HTTP/1.1\r\nHost: a\r\nX-Long: 89abcdef\r\n\r\n"
    assert cursor == (values, 2, 4)


def test_what_cannot_be_cut_into_is_refused() -> None:
    with pytest.raises(Opaque):
        scripts(session("exchange x\nsend\n+ \\xff\\x00\\xfe\\x01\nend next\n"))
    with pytest.raises(Opaque):
        scripts(session("exchange x\nprocess start\nprocess exit\nend close\n"))


def test_exchanges_that_come_before_are_left_out_but_never_the_last() -> None:
    text = "session s\n" + "".join(f"\nexchange {name}\nsend\n> GET /{name} HTTP/1.1\n>\nend next\n" for name in "abcd")
    assert [e.name for e in smallest(text, "exchanges", lambda data: b"/b" in data)] == ["b", "d"]


def test_an_exchange_whose_value_is_used_stays() -> None:
    text = (
        "session s\n\nexchange a\nsend\n> GET / HTTP/1.1\n>\n"
        + SAVE
        + "\nend next\n\nexchange b\nsend\n> GET /${v} HTTP/1.1\n>\nend next\n"
    )
    assert [e.name for e in smallest(text, "exchanges", lambda data: True)] == ["a", "b"]


def test_steps() -> None:
    text = HEAD + "send\n> GET / HTTP/1.1\n>\nwait response\npause 50ms\nsend\n> GET /b HTTP/1.1\n>\nwait response\nend next\n"
    (only,) = smallest(text, "steps", lambda data: b"/b" in data)
    assert [kind for _, kind, _ in only.steps] == ["send"]
    assert only.meta == {"rules": "FR-LEN-07", "must": "response.status = 200"}


def test_a_wait_stays_while_something_is_sent_behind_it() -> None:
    """Else it is chance what the server has done by then."""
    text = HEAD + "send\n> POST / HTTP/1.1\n> Content-Length: 2\n>\nwait response\npause 50ms\nsend\n+ ab\nwait closed\nend close\n"
    (only,) = smallest(text, "steps", lambda data: data.endswith(b"ab") and b"POST" in data)
    assert [kind for _, kind, _ in only.steps] == ["send", "wait response", "pause 50ms", "send"]


@pytest.mark.parametrize("does", ["half-close", "close", "reset"])
def test_a_wait_stays_while_the_client_leaves_behind_it(does: str) -> None:
    text = HEAD + f"send\n> GET / HTTP/1.1\n> Host: a\n>\nwait head\n{does}\npause 20ms\nend close\n"
    left = [[kind for _, kind, _ in taken[0].steps] for taken in leads(text, "steps")]
    assert left == [["send", "wait head", "pause 20ms"], ["send", "wait head", does]]


def test_a_wait_stays_between_two_frames_but_not_before_the_first() -> None:
    """Which waits for its WebSocket anyway."""
    text = HEAD + 'send\n> GET / HTTP/1.1\n> Host: a\n>\nwait response\nframe text "a"\nwait message\nframe text "b"\nend next\n'
    (only,) = smallest(text, "steps", lambda data: True)
    assert [kind for _, kind, _ in only.steps] == ["send"]
    left = [[kind for _, kind, _ in taken[0].steps] for taken in leads(text, "steps")]
    assert ["send", 'frame text "a"', "wait message", 'frame text "b"'] in left
    assert not any('frame text "a"' in kinds and 'frame text "b"' in kinds and "wait message" not in kinds for kinds in left)


def test_pipelined_requests() -> None:
    text = HEAD + "send\n" + "".join(f"> GET /{name} HTTP/1.1\n> Host: a\n>\n" for name in "abc") + "end next\n"
    assert sent(smallest(text, "requests", lambda data: b"/b" in data)) == b"GET /b HTTP/1.1\r\nHost: a\r\n\r\n"


def test_fields_but_the_one_that_frames_and_the_only_host() -> None:
    twice = REQUEST.replace("> Host: a\n", "> Host: a\n> Host: b\n")
    assert sent(smallest(twice, "fields", lambda data: True)).count(b"Host") == 1
    (only,) = smallest(POST, "fields", lambda data: True)
    assert sent([only]) == b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nabcdefgh"
    (only,) = smallest(REQUEST, "fields", lambda data: b"X-Long" in data)
    assert sent([only]) == b"GET /a?x=1&y=2&z=3 HTTP/1.1\r\nHost: a\r\nX-Long: 0123456789abcdefghij\r\n\r\n"


@pytest.mark.parametrize(("kept", "target"), [(b"x=1", b"/a?x=1"), (b"y=2", b"/a?y=2"), (b"z=3", b"/a?z=3"), (b"", b"/a")])
def test_parameters(kept: bytes, target: bytes) -> None:
    assert sent(smallest(REQUEST, "parameters", lambda data: kept in data)).startswith(b"GET " + target + b" HTTP/1.1\r\n")


def test_a_value_is_cut_to_what_counts() -> None:
    assert b"X-Long: 0123456fghij\r\n" not in sent(session(REQUEST))
    (only,) = smallest(REQUEST, "values", lambda data: b"ef" in data)
    value = sent([only]).partition(b"X-Long: ")[2].partition(b"\r\n")[0]
    assert b"ef" in value and len(value) <= 16


def test_content_with_its_length_kept_true() -> None:
    assert sent(smallest(POST, "content", lambda data: b"d" in data.partition(b"\r\n\r\n")[2])) == (
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nd"
    )


def test_a_length_that_was_a_lie_stays_one() -> None:
    text = POST.replace("Length: 8", "Length: 9")
    assert b"Content-Length: 9\r\n\r\nd" in sent(smallest(text, "content", lambda data: b"d" in data.partition(b"\r\n\r\n")[2]))


def test_content_over_several_sends_has_its_length_kept_true() -> None:
    text = HEAD + "send\n> POST / HTTP/1.1\n> Content-Length: 8\n>\n+ abcd\nwait call\nsend\n+ efgh\nend next\n"
    (only,) = smallest(text, "content", lambda data: {*b"dg"} <= {*data.partition(b"\r\n\r\n")[2]})
    assert [data for _, _, data in only.steps] == [b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nd", b"", b"g"]


def test_a_body_goes_with_what_frames_it() -> None:
    assert sent(smallest(POST, "bodies", lambda data: True)) == b"POST / HTTP/1.1\r\nHost: a\r\n\r\n"
    assert sent(smallest(CHUNKED, "bodies", lambda data: True)) == b"POST / HTTP/1.1\r\n\r\n"


def test_chunks_stay_well_formed() -> None:
    data = sent(smallest(CHUNKED, "content", lambda data: b"f" in data.partition(b"\r\n\r\n")[2]))
    assert data == b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nf\r\n0\r\nX-Trailer: 1\r\n\r\n"


def test_of_chunks_that_are_all_gone_the_last_one_is_no_content() -> None:
    """Cut into, it would leave a request that does not end, for which a server waits."""
    empty = CHUNKED.replace("> 4\n> abcd\n> 3;x=y\n> efg\n", "")
    assert sent(smallest(empty, "content", lambda data: True)) == sent(session(empty))


def test_chunks_that_are_not_well_formed_are_any_bytes() -> None:
    (message,) = messages(b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcd\r\n0\r\n\r\n")
    assert message.chunks == [] and message.body[1] - message.body[0] == len(b"5\r\nabcd\r\n0\r\n\r\n")


def test_sends_are_joined_and_no_longer_split() -> None:
    text = HEAD + "send split 3\n> GET / HTTP/1.1\nsend\n> Host: a\n>\nend next\n"
    (only,) = smallest(text, "splits", lambda data: True)
    assert [(kind, data) for _, kind, data in only.steps] == [("send", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")]


def test_repetitions_are_halved_with_the_length_kept_true() -> None:
    text = HEAD + "send\n> POST / HTTP/1.1\n> Content-Length: 2002\n>\n+ x\n* 1000 ab\n+ y\nend next\n"
    assert sent(smallest(text, "repeats", lambda data: len(data) > 200)).endswith(b"Content-Length: 252\r\n\r\nx" + b"ab" * 125 + b"y")


def test_a_length_that_depends_on_a_value_is_left_alone() -> None:
    text = (
        "session s\n\nexchange a\nsend\n> GET / HTTP/1.1\n>\n" + SAVE + "\nend next\n\n"
        "exchange b\nsend\n> POST / HTTP/1.1\n> Content-Length: 6\n>\n+ ab${v}cd\nend next\n"
    )
    assert b"+ ${v}\n" in smallest(text, "content", lambda data: True)[1].text
    assert b"Content-Length: 6" in smallest(text, "content", lambda data: True)[1].text


def test_frames_say_less() -> None:
    text = HEAD + 'send\n> GET / HTTP/1.1\n> Upgrade: websocket\n>\nframe text more "hello there"\nend next\n'
    assert b'frame text more "h"\n' in smallest(text, "payloads", lambda data: True)[0].text


def test_derived_names_its_origin_and_drops_recorded_statuses() -> None:
    (script,) = scripts(session("exchange one\norigin: curl 7.88\nstatus: 200 200\nmust: end = open\nsend\n+ a\nend next\n"))
    assert script.derived().head == b"exchange one\nmust: end = open\norigin: minimised from one (curl 7.88)\n"
