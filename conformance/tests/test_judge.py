"""Confirmation: what is noise, what is steady, what is intermittent."""

from typing import Any

import pytest

from bridgecheck.conformance.compare.demand import Demand
from bridgecheck.conformance.compare.difference import Difference
from bridgecheck.conformance.compare.fact import Address, Facts, facts_of
from bridgecheck.conformance.compare.judge import Play, judge, suspects
from bridgecheck.conformance.compare.verdict import REFERENCE, UNDEFINED

from .observations import call, changed, observation, response, rich

HERE = Address("127.0.0.1", 1000)


def causes(found: list[Difference]) -> list[str]:
    return [d.path for d in found if d.because is None]


def facts(value: dict[str, Any]) -> Facts:
    return facts_of(value, HERE)


def status(code: int) -> Facts:
    return facts(observation([response(code)]))


def clock(text: str) -> Facts:
    body = f'{{"at": "{text}", "kind": "order"}}'.encode()
    return facts(observation([response(body=body, fields=[(b"content-type", b"application/json")])], []))


SAME = Play(status(200), status(200), status(200))


def test_the_same_is_no_suspect() -> None:
    assert not suspects(SAME)
    assert judge([SAME]).differences == []


def test_what_comes_back_in_every_replay_is_confirmed() -> None:
    play = Play(status(200), status(200), status(404))
    assert suspects(play)
    finding = judge([play] * 4)
    assert causes(finding.confirmed) == ["response.status"]
    assert not finding.intermittent


def test_what_only_sometimes_comes_back_is_intermittent_and_not_dropped() -> None:
    finding = judge([Play(status(200), status(200), status(404)), SAME, SAME, SAME])
    assert not finding.confirmed
    assert causes(finding.intermittent) == ["response.status"]


def test_what_shows_only_in_a_replay_is_not_dropped_either() -> None:
    finding = judge([Play(status(200), status(200), status(404)), Play(status(200), status(200), facts(observation(end="closed")))])
    assert {d.path for d in finding.intermittent} >= {"response.status", "end"}


def test_where_reference_and_twin_differ_nothing_is_judged() -> None:
    play = Play(clock("10:00:00"), clock("10:00:01"), clock("10:00:02"))
    assert not suspects(play)
    assert judge([play]).noise == {("main response 1 at $.at", "response.body.$.at")}


def test_a_clock_does_not_cover_the_rest_of_its_body() -> None:
    candidate = facts(observation([response(body=b'{"at": "x", "kind": "cart"}', fields=[(b"content-type", b"application/json")])], []))
    finding = judge([Play(clock("10:00:00"), clock("10:00:01"), candidate)] * 4)
    assert [d.path for d in finding.confirmed] == ["response.body.$.kind"]


def test_a_reference_that_moves_between_replays_is_noise_though_its_twin_moves_with_it() -> None:
    first = Play(clock("10:00:00"), clock("10:00:00"), clock("10:00:01"))
    assert suspects(first)
    finding = judge([first, Play(clock("10:00:05"), clock("10:00:05"), clock("10:00:05"))])
    assert finding.differences == []


def test_without_a_twin_replays_of_the_reference_show_noise() -> None:
    first = Play(clock("10:00:00"), None, clock("10:00:01"))
    assert judge([first, Play(clock("10:00:05"), None, clock("10:00:06"))]).differences == []


def dated(date: bytes) -> Facts:
    return facts(observation([response(fields=[(b"date", date)])], []))


NOW, NEXT, LATER = (b"Tue, 24 Nov 2026 %s GMT" % time for time in (b"02:08:02", b"02:08:03", b"02:10:00"))


def test_a_quirk_is_no_suspect() -> None:
    assert not suspects(Play(dated(NOW), dated(NOW), dated(NEXT)))


@pytest.mark.parametrize(
    "wrong", [b"Tue, 24 Nov 2026 02:08:02 UTC", b"Tue, 24 Nov 2026 01:08:02 GMT", b"Tue, 99 Nov 2026 02:08:02 GMT", b"", b"1"]
)
def test_a_wrong_date_is_no_quirk_and_is_not_taken_for_noise_between_plays(wrong: bytes) -> None:
    plays = [Play(dated(NOW), dated(NEXT), dated(wrong)), Play(dated(LATER), dated(LATER), dated(wrong))]
    finding = judge(plays)
    assert [(d.path, d.kind, d.severity) for d in finding.confirmed] == [("response.field[date]", "time", "rule")]
    assert finding.noise == set()


def test_one_more_date_or_product_is_no_quirk() -> None:
    twice = facts(observation([response(fields=[(b"date", NOW), (b"date", NOW)])], []))
    assert [d.kind for d in judge([Play(dated(NOW), dated(NOW), twice)] * 2).confirmed if d.path == "response.field[date]"] == ["count"]


def test_a_consequence_stands_for_itself_when_its_cause_is_noise() -> None:
    def handed(version: str, body: bytes) -> Facts:
        return facts(observation([response(body=body)], [changed(call(body=body), ("scope", "http_version"), version)]))

    play = Play(handed("1.1", b"a"), handed("1.0", b"a"), handed("1", b"b"))
    finding = judge([play] * 4)
    assert "send.body" in {d.path for d in finding.confirmed if d.because is None}


def test_a_value_that_moves_excuses_no_other_type() -> None:
    def stamped(value: object) -> Facts:
        return facts(observation(calls=[changed(call(), ("scope", "state"), {"started": value})]))

    finding = judge([Play(stamped(1), stamped(2), stamped("3"))] * 4)
    assert [(d.path, d.kind) for d in finding.confirmed] == [("scope.state.started", "int→str")]
    assert judge([Play(stamped(1), stamped(2), stamped(3))] * 4).differences == []


def test_our_own_port_is_no_noise_and_its_type_is_compared() -> None:
    def seen(client: object, port: int) -> Facts:
        return facts(observation(calls=[changed(call(), ("scope", "client"), ("127.0.0.1", client))], client_port=port))

    plays = [Play(seen(port, port), seen(port, port), seen(str(port), port)) for port in (20000, 20001, 20002, 20003)]
    finding = judge(plays)
    assert finding.noise == set()
    assert [(d.path, d.kind) for d in finding.confirmed] == [("scope.client[1]", "int→str")]


def test_an_excused_value_is_no_noise() -> None:
    assert judge([Play(dated(NOW), dated(NEXT), dated(NOW)), Play(dated(LATER), dated(LATER), dated(LATER))]).noise == set()


def identified(sent: bytes, came: bytes) -> Facts:
    """A response whose x-id the app makes up, as it came over the wire."""
    return facts(observation([response(fields=[(b"x-id", came)])], [call(headers=[(b"x-id", sent)])]))


def test_noise_excuses_a_value_and_not_what_the_server_does_to_it() -> None:
    moved = Play(identified(b"a", b"a"), identified(b"b", b"b"), identified(b"c", b"c"))
    assert judge([moved] * 2).differences == []
    cut = Play(identified(b"aa", b"aa"), identified(b"bb", b"bb"), identified(b"cc", b"c"))
    assert causes(judge([cut] * 2).confirmed) == ["response.altered[field[x-id]]"]
    lost = facts(observation([response(fields=[])], [call(headers=[(b"x-id", b"c")])]))
    assert causes(judge([Play(identified(b"a", b"a"), identified(b"b", b"b"), lost)] * 2).confirmed) == ["response.field[x-id]"]


def test_noise_excuses_only_the_kind_of_change_that_was_seen() -> None:
    def ended(end: str) -> Facts:
        return facts(observation(end=end))

    assert judge([Play(ended("open"), ended("closed"), ended("closed"))] * 2).differences == []
    assert judge([Play(ended("closed"), ended("open"), ended("open"))] * 2).differences == []
    assert causes(judge([Play(ended("open"), ended("closed"), ended("silent"))] * 2).confirmed) == ["end"]


def page(text: str, media_type: bytes = b"application/json") -> Facts:
    return facts(observation([response(body=text.encode(), fields=[(b"content-type", media_type)])], []))


@pytest.mark.parametrize(
    ("reference", "twin", "candidate", "expected"),
    [
        ('{"at": 1, "a": 1}', '{"at": 2, "a": 1}', '{"a": 1, "at": 3}', [("response.body", "layout")]),
        ('{"at": 1, "a": 1}', '{"at": 2, "a": 1}', '{"at": 3,"a": 1}', [("response.body", "layout")]),
        ('{"a": 1, "b": 2}', '{"b": 2, "a": 1}', '{"a": 1, "b": 3}', [("response.body.$.b", "value")]),
        ('{"a": 1, "b": 2}', '{"b": 2, "a": 1}', '{"a": 1,"b": 2}', []),
        ('{"at": 1}', '{"at": 2}', '{"at": "3"}', [("response.body.$.at", "int→str")]),
        ('{"at": 1}', '{"at": null}', '{"at": 3}', []),
        ('{"at": 1}', '{"at": null}', "{}", [("response.body.$.at", "missing")]),
        ('{"m": {"at": 1}}', '{"m": {"at": 2}}', "{}", [("response.body.$.m", "missing")]),
        ('{"at": 1}', '{"at": 2}', "", [("response.body", "value")]),
        ('{"at": 1}', '{"at": 2}', '{"at": 3', [("response.body", "value")]),
        ('{"x": {"a1b2-": 1}}', '{"x": {"c3d4-": 1}}', '{"x": {"e5f6-": 1}}', []),
        ('{"x": {"a1b2-": 1}}', '{"x": {"c3d4-": 1}}', '{"x": {}}', [("response.body.$.x.*", "count")]),
        (
            '{"x": {"a1b2-": 1}}',
            '{"x": {"c3d4-": 1}}',
            '{"x": {"name": 1}}',
            [("response.body.$.x.name", "added"), ("response.body.$.x.*", "count")],
        ),
        ("[1, 2]", "[1, 2, 3]", "[1, 2, 3, 4]", []),
        ("[1, 2]", "[1, 2, 3]", "[2, 2]", [("response.body.$[*]", "value")]),
        ("<a>", "<b>", "<c>", []),
    ],
)
def test_noise_in_a_body_covers_what_moved_and_no_more(reference: str, twin: str, candidate: str, expected: list[tuple[str, str]]) -> None:
    media_type = b"text/html" if reference[0] == "<" else b"application/json"
    play = Play(*(page(text, media_type) for text in (reference, twin, candidate)))
    assert [(d.path, d.kind) for d in judge([play] * 2).confirmed] == expected


def test_a_part_that_comes_and_goes_excuses_nothing_in_it() -> None:
    gone = facts(observation([], []))
    finding = judge([Play(status(200), gone, status(404))] * 2)
    assert "response.status" in causes(finding.confirmed)
    assert judge([Play(status(200), gone, gone)] * 2).differences == []


def handed(version: str, body: bytes, scheme: str = "http") -> Facts:
    """An app that answers by what it was handed."""
    scope = call()["scope"] | {"http_version": version, "scheme": scheme}
    return facts(observation([response(body=body)], [call(body=body, scope=scope)]))


def test_a_steady_consequence_of_a_cause_that_is_not_steady_stands_for_itself() -> None:
    plain = handed("1.1", b"a")
    finding = judge([Play(plain, plain, handed("1", b"b")), Play(plain, plain, handed("1.1", b"b"))])
    assert causes(finding.confirmed) == ["send.body"]
    assert [(d.path, d.because and d.because.path) for d in finding.confirmed] == [("send.body", None), ("response.body", "send.body")]
    assert causes(finding.intermittent) == ["scope.http_version"]
    finding = judge([Play(plain, plain, handed("1", b"b")), Play(plain, plain, handed("1.1", b"b", "https"))])
    assert causes(finding.confirmed) == ["send.body", "response.body"]
    assert causes(finding.intermittent) == ["scope.http_version", "scope.scheme"]


def test_a_consequence_that_comes_and_goes_with_its_cause_stays_one() -> None:
    plain = handed("1.1", b"a")
    finding = judge([Play(plain, plain, handed("1", b"b")), Play(plain, plain, plain)])
    assert causes(finding.intermittent) == ["scope.http_version"]
    assert {d.path for d in finding.intermittent} == {"scope.http_version", "send.body", "response.body"}


def test_what_the_reference_has_only_sometimes_may_be_there_or_not() -> None:
    with_field, without = facts(observation([response(fields=[(b"x-a", b"1")])], [])), facts(observation([response(fields=[])], []))
    assert judge([Play(with_field, with_field, with_field), Play(without, without, with_field)]).differences == []
    assert judge([Play(without, without, without), Play(with_field, with_field, without)]).differences == []
    open_, closed = facts(observation(end="open")), facts(observation(end="closed"))
    assert judge([Play(open_, open_, open_), Play(closed, closed, open_)]).differences == []


def test_one_play_confirms_nothing() -> None:
    finding = judge([Play(status(200), status(200), status(404))])
    assert finding.confirmed == []
    assert causes(finding.intermittent) == ["response.status"]


def test_findings_are_in_the_same_order_every_time() -> None:
    play = Play(RICH, RICH, facts(observation([response(404)], [])))
    once, again = judge([play] * 2), judge([play] * 2)
    assert [d.key for d in once.differences] == [d.key for d in again.differences]
    assert [d.key for d in once.confirmed] == sorted(
        (d.key for d in once.confirmed), key=lambda key: (not key[1].startswith("request"), key[:2])
    )


RICH = facts(rich())


GONE = Demand.of({"rules": "FR-TGT-01", "must": "response.status = 404; end = open"})


def directed(found: list[Difference]) -> list[tuple[str, str]]:
    return [(d.path, d.verdict) for d in found if d.because is None]


def test_a_reference_that_is_wrong_in_every_play_is_told_so_and_confirmed() -> None:
    play = Play(status(200), status(200), status(404))
    assert suspects(play, GONE)
    assert directed(judge([play] * 4, GONE).confirmed) == [("response.status", REFERENCE)]
    assert directed(judge([play] * 4).confirmed) == [("response.status", UNDEFINED)]


def test_what_is_not_right_in_every_play_is_not_excused_in_any() -> None:
    right, closed = status(404), facts(observation([response(404)], end="closed"))
    finding = judge([Play(status(200), status(200), side) for side in (right, right, closed, right)], GONE)
    assert directed(finding.confirmed) == [("response.status", UNDEFINED)]
    assert directed(finding.intermittent) == [("end", UNDEFINED)]
