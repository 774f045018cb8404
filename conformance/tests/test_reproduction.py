"""Findings that are played again and again: what is counted, and what is said of what does not come back. Plays are made up, but in the
last one."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from bridgecheck.conformance._player import Exchange, parse
from bridgecheck.conformance.compare.bucket import Bucket, Reproduced, Sighting, buckets
from bridgecheck.conformance.compare.difference import Difference
from bridgecheck.conformance.compare.fact import Address, Facts, facts_of
from bridgecheck.conformance.compare.judge import Finding, Play, judge
from bridgecheck.conformance.gate import Gate, Outcome
from bridgecheck.conformance.minimise.search import PLAYS, Session
from bridgecheck.conformance.program.gate import gate as command
from bridgecheck.conformance.reproduction import STARTS, Stagehand, Times, reproduce
from bridgecheck.conformance.taps.tap import MAGIC

from .observations import call, observation, response
from .test_gate import PADDED, STRIPPING, _report, gate

SIGNAL = """exchange signal
process start
send
> GET /longer HTTP/1.1
> Host: a
>
wait response
process signal SIGINT
process exit
end close
"""
DIED = Difference("candidate", "died", "running→died", "running", "exit code 1")


def facts(**fields: str) -> Facts:
    named = [(f"x-{name}".encode(), value.encode()) for name, value in fields.items()]
    return facts_of(observation([response(fields=named)], [call()]), Address("127.0.0.1", 1))


SAME, OWN = Play(facts(), facts(), facts()), Play(facts(), facts(), facts(own="1"))
BOTH = Play(facts(), facts(), facts(own="1", two="2"))
MOVED = Play(facts(own="2"), facts(own="3"), facts(own="1"))  # the reference itself moves there


def session(name: str) -> Session:
    return tuple(parse(MAGIC + f"exchange {name}\nsend\n> GET / HTTP/1.1\n> Host: a\n>\nend next\n".encode(), "test"))


def found(name: str, play: Play = OWN) -> list[Bucket]:
    return buckets([(session(name), "recorded", judge([play] * 4))])


class Hand:
    """What each exchange shows, by name and play; and how it was asked."""

    def __init__(self, shows: Callable[[str, int], Play | None], apart: Sequence[str] = (), deaths: int = 0) -> None:
        self.shows = shows
        self.asked: list[list[str]] = []
        self.deadly: list[tuple[str, int]] = []
        self.deaths = deaths
        self.stagehand = Stagehand(self.plays, self.died, lambda session: session[-1].name in apart)

    def plays(self, sessions: Sequence[Session], fresh: bool) -> list[Play | None]:
        assert fresh
        played = []
        for session in sessions:
            number = sum(names.count(session[-1].name) for names in [*self.asked, [one for one, _ in played]])
            played.append((session[-1].name, self.shows(session[-1].name, number)))
        self.asked.append([name for name, _ in played])
        return [play for _, play in played]

    def died(self, session: Session, times: int) -> int:
        self.deadly.append((session[-1].name, times))
        return self.deaths

    def reproduce(self, found: Sequence[Bucket], together: int = 20, apart: int = 0, seconds: float = 60) -> list[str]:
        told: list[str] = []
        reproduce(found, self.stagehand, Times(together, apart), told.append, seconds)
        return told


def test_what_comes_back_each_time_is_steady() -> None:
    hand, (bucket,) = Hand(lambda name, number: OWN), found("one")
    assert hand.reproduce([bucket]) == []
    assert (bucket.reproduced, bucket.steady) == (Reproduced(20, 20), True)
    assert hand.asked == [["one"] * 2] * STARTS


@pytest.mark.parametrize(("other", "came"), [(SAME, 19), (MOVED, 19), (BOTH, 20)])
def test_what_stays_away_once_is_intermittent(other: Play, came: int) -> None:
    hand, (bucket,) = Hand(lambda name, number: other if number == 13 else OWN), found("one")
    hand.reproduce([bucket])
    assert (bucket.reproduced, bucket.steady) == (Reproduced(came, 20), came == 20)


def test_what_was_intermittent_before_stays_so_and_is_counted() -> None:
    (bucket,) = buckets([(session("one"), "recorded", judge([OWN, SAME, OWN, OWN]))])
    Hand(lambda name, number: OWN).reproduce([bucket])
    assert (bucket.reproduced, bucket.steady) == (Reproduced(20, 20), False)


def test_buckets_of_one_exchange_share_its_plays() -> None:
    hand, both = Hand(lambda name, number: BOTH if number < 5 else OWN), found("one", BOTH)
    hand.reproduce(both, 10)
    assert sorted(bucket.reproduced.times for bucket in both if bucket.reproduced) == [5, 10]
    assert sum(map(len, hand.asked)) == 10


def test_what_needs_a_start_of_its_own_is_played_as_often_as_is_said_of_it() -> None:
    hand, one, two = Hand(lambda name, number: OWN, apart=["two"]), found("one"), found("two")
    hand.reproduce([*one, *two], 10, 1)
    assert [bucket.reproduced for bucket in (*one, *two)] == [Reproduced(10, 10), Reproduced(1, 1)]
    (bucket,) = two
    bucket.reproduced = None
    hand.reproduce(two, 10, 0)
    assert bucket.reproduced is None and bucket.steady


def test_what_was_not_played_says_nothing() -> None:
    (bucket,) = found("one")
    Hand(lambda name, number: OWN if number < 3 else None).reproduce([bucket])
    assert bucket.reproduced == Reproduced(3, 3) and bucket.steady
    Hand(lambda name, number: None).reproduce([bucket])
    assert bucket.reproduced is None and bucket.steady


@pytest.mark.parametrize(
    ("small", "large", "kept", "expected"), [(19, 20, "large", 20), (19, 19, "small", 19), (19, 3, "small", 19), (20, 0, "small", 20)]
)
def test_the_exchange_that_was_found_comes_back_where_it_shows_it_more_often(small: int, large: int, kept: str, expected: int) -> None:
    (bucket,) = found("large")
    bucket.smallest = Sighting(bucket.difference, session("small"), "recorded")
    hand = Hand(lambda name, number: OWN if number < {"small": small, "large": large}[name] else SAME)
    hand.reproduce([bucket])
    assert (bucket.shortest.exchange.name, bucket.reproduced) == (kept, Reproduced(expected, 20))
    assert ("large" in hand.asked[-1]) == (small < 20)


@pytest.mark.parametrize("deaths", [4, 3])
def test_an_end_of_a_server_is_looked_for_again_too(deaths: int) -> None:
    (bucket,) = buckets([(session("one"), "recorded", Finding([DIED]))])
    hand = Hand(lambda name, number: OWN, deaths=deaths)
    hand.reproduce([bucket], 10, 4)
    assert (bucket.reproduced, bucket.steady) == (Reproduced(deaths, 4), deaths == 4)
    assert hand.deadly == [("one", 4)] and hand.asked == []


def test_the_lifespan_calls_of_a_stage_are_no_exchange_s() -> None:
    version = Difference("lifespan", "lifespan.scope.asgi.spec_version", "value", "2.0", "2.3")
    own_start: tuple[Exchange, ...] = tuple(parse(MAGIC + SIGNAL.encode(), "test"))
    hand, (bucket,) = Hand(lambda name, number: SAME), buckets([(session("one"), "recorded", Finding([version]))])
    hand.reproduce([bucket])
    assert bucket.reproduced is None and bucket.steady and hand.asked == []
    (bucket,) = buckets([(session("one"), "recorded", Finding([version])), (own_start, "spec", Finding([version]))])
    assert bucket.shortest.session == own_start  # which shows it


def test_when_time_is_over_it_is_said() -> None:
    hand, (bucket,) = Hand(lambda name, number: OWN), found("one")
    assert hand.reproduce([bucket], seconds=-1) == [
        "playing the findings again stopped after -1 s: some were played less often than others"
    ]
    assert hand.asked == [] and bucket.reproduced is None


@pytest.mark.parametrize(
    ("words", "minimise", "times"),
    [
        ([], PLAYS, Times(10, 0)),
        (["--tier", "quick"], PLAYS, Times(10, 0)),
        (["--tier", "deep"], 8 * PLAYS, Times(100, 100)),
        (["--reproduce", "7", "--no-minimise"], 0, Times(7, 7)),
        (["--tier", "deep", "--reproduce", "0"], 8 * PLAYS, Times(0, 0)),
    ],
)
def test_how_often_is_a_question_of_the_tier(
    words: list[str], minimise: int, times: Times, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, Times]] = []

    def run(self: Gate) -> Outcome:
        asked.append((self.plan.minimise, self.plan.reproduce))
        return Outcome([], set(), self.quirks, {}, [], [], [], {}, {}, "rule")

    monkeypatch.setattr(Gate, "run", run)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(command, ["bridgecheck.demo.shop:app", "--taps", "spec", *words], standalone_mode=False)
    assert result.exception is None and asked == [(minimise, times)]


def test_the_gate_says_how_often_a_finding_came_back(tmp_path: Path) -> None:
    (tmp_path / "own.exchange").write_text(PADDED)
    command = ("apps:good", "--candidate", STRIPPING.replace("HOW", "often"), "--twin", "off", "--traffic", "own.exchange")
    done = gate(*command, "--reproduce", "30", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (bucket,) = _report(tmp_path)["buckets"]
    assert (bucket["confirmed"], bucket["intermittent"]) == (False, True)
    assert list(json.loads((tmp_path / "bridgecheck-report" / "run.json").read_text())["reproduced"].values()) == [
        {"plays": 30, "came_back": 20}
    ]
    assert "30 times, and it came back 20" in (tmp_path / "bridgecheck-report" / "report.html").read_text()
