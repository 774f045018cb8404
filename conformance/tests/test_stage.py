"""What a stage does when a target dies: name the exchange that kills, play the rest, give up after three."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from bridgecheck.conformance.targets import stage as module
from bridgecheck.conformance.targets.stage import Stage

from .observations import observation


@dataclass
class World:
    """Two targets of which the second dies under exchanges named in `kills`, and a player before them."""

    kills: set[str]
    dead: bool = False
    starts: int = 0
    log: list[str] = field(default_factory=list)
    alone: set[int] = field(default_factory=set)  # of the sessions that were played last


@dataclass
class Named:
    """As much of an exchange as a stage looks at."""

    name: str
    sends: int = 10
    text: bytes = b"exchange a\nsend"
    requests: tuple[tuple[bytes, bytes], ...] = ((b"GET", b"/"),)
    meta: dict[str, str] = field(default_factory=dict)
    steps: tuple[tuple[int, str, bytes], ...] = ((1, "send", b""),)
    process: tuple[tuple[int, str, tuple[str, ...]], ...] = ()
    meta: Mapping[str, str] = field(default_factory=dict)
    alone: bool = False


class FakeTarget:
    host, port = "127.0.0.1", 1

    def __init__(self, world: World, name: str) -> None:
        self.world, self.name = world, name

    def address(self) -> dict[str, Any]:
        return {}

    def died(self) -> str | None:
        return "signal 11" if self.world.dead and self.name == "candidate" else None


class FakePlayer:
    def __init__(self, world: World) -> None:
        self.world = world

    def play(self, sessions: Sequence[Sequence[Named]], *, jobs: int, alone: set[int], progress: Any = None) -> list[list[Any]]:
        results = []
        self.world.alone = alone
        for session in sessions:
            row: list[Any] = []
            for exchange in session:
                if self.world.dead:
                    row.append(
                        (observation(), observation([], [], opened=False)) if jobs == 1 and None not in row and not results else None
                    )
                    continue
                self.world.log.append(exchange.name)
                if exchange.name in self.world.kills:
                    self.world.dead = True
                    row.append((observation(), observation([], [], end="reset")))
                else:
                    row.append((observation(), observation()))
            results.append(row)
        return results

    def unclaimed(self) -> list[list[Any]]:
        return [[], []]

    def close(self) -> None:
        pass


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(set())

    def start_all(targets: Sequence[Any]) -> None:
        world.dead = False
        world.starts += 1

    monkeypatch.setattr(module, "start_all", start_all)
    monkeypatch.setattr(module, "stop_all", lambda targets: None)
    monkeypatch.setattr(module, "Player", lambda targets, patience: FakePlayer(world))
    return world


def play(world: World, names: list[list[str]], jobs: int) -> tuple[Any, dict[str, bool]]:
    sessions = [[Named(name) for name in session] for session in names]
    stage = Stage([FakeTarget(world, "reference"), FakeTarget(world, "candidate")], patience=1)  # type: ignore[list-item]
    with stage.running():
        result = stage.play(sessions, jobs=jobs)  # type: ignore[arg-type]
    played = {
        e.name: f is not None for session, facts in zip(sessions, result.facts, strict=True) for e, f in zip(session, facts, strict=True)
    }
    return result, played


def test_nothing_dies(world: World) -> None:
    result, played = play(world, [["a"], ["b", "c"]], jobs=4)
    assert result.deaths == [] and all(played.values()) and world.starts == 1


@pytest.mark.parametrize("jobs", [1, 4])
def test_the_exchange_that_kills_is_named_and_the_rest_is_played(world: World, jobs: int) -> None:
    world.kills = {"c"}
    result, played = play(world, [["a"], ["b", "c", "d"], ["e"]], jobs)
    assert [(death.target, [e.name for e in death.session], death.story) for death in result.deaths] == [
        ("candidate", ["b", "c"], "signal 11")
    ]
    assert played == {"a": True, "b": True, "c": False, "d": False, "e": True}


def test_the_last_exchange_may_kill_too(world: World) -> None:
    world.kills = {"b"}
    result, played = play(world, [["a"], ["b"]], jobs=1)
    assert [death.session[-1].name for death in result.deaths] == ["b"]
    assert played == {"a": True, "b": False}


def test_two_killers_are_two_deaths(world: World) -> None:
    world.kills = {"a", "c"}
    result, played = play(world, [["a"], ["b"], ["c"], ["d"]], jobs=1)
    assert [death.session[-1].name for death in result.deaths] == ["a", "c"]
    assert played == {"a": False, "b": True, "c": False, "d": True}


def test_after_three_restarts_the_rest_is_left(world: World) -> None:
    world.kills = set("abcdef")
    result, played = play(world, [[name] for name in "abcdefg"], jobs=1)
    assert len(result.deaths) == module.DEATHS_MAX + 1
    assert not any(played.values())
    assert world.starts == module.DEATHS_MAX + 1


def test_a_death_that_does_not_come_back_is_kept_without_a_name(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.kills = {"b"}
    original = FakePlayer.play

    def once(self: FakePlayer, sessions: Any, *, jobs: int, alone: set[int], progress: Any = None) -> Any:
        result = original(self, sessions, jobs=jobs, alone=alone, progress=progress)
        self.world.kills = set()
        return result

    monkeypatch.setattr(FakePlayer, "play", once)
    result, played = play(world, [["a"], ["b"], ["c"]], jobs=4)
    assert [(death.target, death.session) for death in result.deaths] == [("candidate", ())]
    assert all(played.values())


def test_what_may_write_is_played_alone_where_order_counts(world: World) -> None:
    sessions = [
        [Named("read")],
        [Named("read"), Named("write", requests=((b"POST", b"/"),))],
        [Named("look", requests=((b"HEAD", b"/"), (b"OPTIONS", b"*")))],
        [Named("unread", requests=())],
        [Named("talk", text=b"exchange talk\nsend\n> GET / HTTP/1.1\n> Upgrade: websocket\n")],
        [Named("talk", meta={"needs": "websocket"})],
    ]
    for in_order, alone in ((True, {1, 3, 4, 5}), (False, set())):
        with Stage([FakeTarget(world, "reference"), FakeTarget(world, "candidate")], patience=1).running() as stage:  # type: ignore[list-item]
            stage.play(sessions, jobs=4, in_order=in_order)  # type: ignore[arg-type]
        assert world.alone == alone


@pytest.mark.parametrize(("in_order", "log"), [(False, "acbd"), (True, "abcd")])
def test_where_order_is_free_what_is_played_alone_comes_last(world: World, in_order: bool, log: str) -> None:
    sessions = [[Named(name, alone=name in "bd")] for name in "abcd"]
    stage = Stage([FakeTarget(world, "reference"), FakeTarget(world, "candidate")], patience=1)  # type: ignore[list-item]
    with stage.running():
        result = stage.play(sessions, jobs=4, in_order=in_order)  # type: ignore[arg-type]
    assert "".join(world.log) == log and None not in [facts for (facts,) in result.facts]


def test_what_begins_on_fresh_state_has_it(world: World) -> None:
    """Behind all others, and behind what only reads; a start is spared where nothing was written since the last one."""
    fresh, post = {"needs": "fresh"}, ((b"POST", b"/"),)
    sessions = [
        [Named("first", requests=post, meta=fresh)],
        [Named("read", meta=fresh)],
        [Named("second", meta=fresh), Named("second", requests=post, meta=fresh)],
        [Named("look", meta=fresh)],
        [Named("plain")],
    ]
    with Stage([FakeTarget(world, "reference"), FakeTarget(world, "candidate")], patience=1).running() as stage:  # type: ignore[list-item]
        begun = stage.start
        stage.start = lambda: (world.log.append("|"), begun())  # type: ignore[method-assign]
        stage.play([[Named("before", requests=post)]], jobs=4, in_order=True)  # type: ignore[list-item]
        stage.play([[Named("between")]], jobs=4, in_order=True)  # type: ignore[list-item]
        stage.play(sessions, jobs=4, in_order=True)  # type: ignore[arg-type]
    assert " ".join(world.log) == "before between plain | read look first | second second"


def test_who_plays_on_a_start_as_it_is_owns_what_shares_it(world: World) -> None:
    sessions = [[Named(name, requests=((b"POST", b"/"),), meta=meta)] for name, meta in (("a", {"needs": "fresh"}), ("b", {}))]
    with Stage([FakeTarget(world, "reference"), FakeTarget(world, "candidate")], patience=1).running() as stage:  # type: ignore[list-item]
        for _ in range(2):
            stage.play(sessions, jobs=1, as_it_is=True)  # type: ignore[arg-type]
        assert world.starts == 1 and world.log == ["a", "b", "a", "b"]
        stage.play(sessions, jobs=1)  # type: ignore[arg-type]
    assert world.starts == 2


def test_a_death_is_named_at_once_where_all_are_alone(world: World) -> None:
    world.kills = {"b"}
    sessions = [[Named(name, requests=((b"POST", b"/"),))] for name in "abc"]
    with Stage([FakeTarget(world, "reference"), FakeTarget(world, "candidate")], patience=1).running() as stage:  # type: ignore[list-item]
        result = stage.play(sessions, jobs=4, in_order=True)  # type: ignore[arg-type]
    assert [[e.name for e in death.session] for death in result.deaths] == [["b"]]
    assert world.log == ["a", "b", "c"]


def test_where_a_request_is_cut_on_its_way_its_pieces_are_chance(world: World) -> None:
    for sends, text, steps, kept in (
        (10, b"exchange a\nsend\n", 1, True),
        (module.SEGMENT_MAX + 1, b"exchange a\nsend\n", 1, False),
        (10, b"exchange a\nsend split 1\n", 1, False),
        (10, b"exchange a\nsend\n", 2, False),
    ):
        exchange = Named("a", sends, text, steps=((1, "send", b""),) * steps)
        with Stage([FakeTarget(world, "reference"), FakeTarget(world, "candidate")], patience=1).running() as stage:  # type: ignore[list-item]
            facts = stage.play([[exchange]], jobs=1).facts[0][0]  # type: ignore[list-item]
        assert facts is not None
        assert (("main call 1", "receive.pieces") in facts[0]) is kept
        assert ("main call 1", "receive.body") in facts[0]
