"""Confirmation: what is noise, what is steady, what is intermittent."""

from typing import Any

from bridgecheck.conformance.fact import Address, Facts, facts_of
from bridgecheck.conformance.judge import Play, judge, suspects

from .observations import call, changed, observation, response

HERE = Address("127.0.0.1", 1000)


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
    assert [d.path for d in finding.confirmed] == ["response.status"]
    assert not finding.intermittent


def test_what_only_sometimes_comes_back_is_intermittent_and_not_dropped() -> None:
    finding = judge([Play(status(200), status(200), status(404)), SAME, SAME, SAME])
    assert not finding.confirmed
    assert [d.path for d in finding.intermittent] == ["response.status"]


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


def test_a_quirk_is_no_suspect() -> None:
    def dated(second: bytes) -> Facts:
        return facts(observation([response(fields=[(b"date", second)])], []))

    assert not suspects(Play(dated(b"1"), dated(b"1"), dated(b"2")))


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
    def dated(second: bytes) -> Facts:
        return facts(observation([response(fields=[(b"date", second)])], []))

    assert judge([Play(dated(b"1"), dated(b"2"), dated(b"3")), Play(dated(b"4"), dated(b"4"), dated(b"4"))]).noise == set()
