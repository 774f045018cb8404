"""The search for the smallest exchange: what it keeps, what it refuses, and what bounds it. Plays are made up; the gate's own are in
test_minimise_gate.py."""

from collections.abc import Callable, Sequence

import pytest

from bridgecheck.conformance._player import Exchange, parse
from bridgecheck.conformance.compare.bucket import Bucket, buckets
from bridgecheck.conformance.compare.demand import Demand
from bridgecheck.conformance.compare.fact import Address, Facts, facts_of
from bridgecheck.conformance.compare.judge import Play, judge
from bridgecheck.conformance.compare.verdict import CANDIDATE
from bridgecheck.conformance.minimise.search import PLAYS, REPLAYS, ROUND_WAITING, WIDTH, Session, minimise
from bridgecheck.conformance.taps.tap import MAGIC

from .observations import call, observation, response

FIELDS = "".join(f"> X-{number}: {number}\n" for number in range(8))
TEXT = f"""exchange big
origin: curl
send
> GET /first HTTP/1.1
> Host: a
>
wait response
send
> POST /items?a=1&b=2 HTTP/1.1
> Host: a
{FIELDS}> Content-Length: 10
>
+ 0123456789
wait response
end next
"""


def facts(status: int = 200, fields: Sequence[tuple[bytes, bytes]] = (), calls: bool = True, end: str = "open") -> Facts:
    return facts_of(observation([response(status, fields=list(fields))], [call()] if calls else [], end=end), Address("127.0.0.1", 1))


def same(left: Facts) -> Play:
    return Play(left, left, left)


def differs(kept: bool) -> Play:
    """The candidate adds a field, where it does."""
    return Play(facts(), facts(), facts(fields=[(b"x-own", b"1")] if kept else ()))


def sent(exchange: Exchange) -> bytes:
    return b"".join(data for _, _, data in exchange.steps)


def found(text: str, play: Play) -> Bucket:
    session = tuple(parse(MAGIC + text.encode(), "test"))
    (bucket,) = [b for b in buckets([(session, "recorded", judge([play] * 4, Demand.of(session[-1].meta)))]) if "x-own" in b.title]
    return bucket


class Plays:
    """What each session shows, and how often it was asked."""

    def __init__(self, shows: Callable[[Session], Play | None]) -> None:
        self.shows = shows
        self.rounds: list[int] = []
        self.searched: list[list[Session]] = []  # the rounds of the search, without its replays

    def __call__(self, sessions: Sequence[Session], fresh: bool) -> list[Play | None]:
        self.rounds.append(len(sessions))
        self.searched += [] if fresh else [list(sessions)]
        return [self.shows(session) for session in sessions]


def shrunk(text: str, shows: Callable[[Session], Play | None], play: Play | None = None) -> tuple[Bucket, Plays, list[str]]:
    bucket, plays, told = found(text, play or differs(True)), Plays(shows), []
    minimise([bucket], plays, told.append)
    return bucket, plays, told


def test_what_the_finding_needs_is_left_and_nothing_else() -> None:
    bucket, _, told = shrunk(TEXT, lambda session: differs(b"X-5: 5" in sent(session[-1]) and b"b=2" in sent(session[-1])))
    (exchange,) = bucket.shortest.session
    assert sent(exchange) == b"POST /items?b=2 HTTP/1.1\r\nHost: a\r\nX-5: 5\r\n\r\n"
    assert [kind for _, kind, _ in exchange.steps] == ["send"]
    assert exchange.meta == {"origin": "minimised from big (curl)"}
    assert exchange.name == "big" and bucket.exchanges == ["big"] and told == []


def test_the_same_plays_lead_to_the_same_exchange() -> None:
    one, two = (shrunk(TEXT, lambda session: differs(len(sent(session[-1])) % 3 != 1)) for _ in range(2))
    assert one[0].shortest.exchange.text == two[0].shortest.exchange.text
    assert one[1].rounds == two[1].rounds


def test_what_does_not_show_alone_what_it_showed_stays_as_it_is() -> None:
    bucket, plays, _ = shrunk(TEXT, lambda session: differs(False))
    assert bucket.smallest is None and plays.rounds == [1]


def test_what_was_not_played_is_not_taken() -> None:
    bucket, _, _ = shrunk(
        TEXT, lambda session: differs(True) if b"0123456789" in sent(session[-1]) and b"first" in sent(session[-1]) else None
    )
    data = sent(bucket.shortest.exchange)
    assert b"Content-Length: 10\r\n\r\n0123456789" in data and b"X-" not in data and b"/first" in data


def test_a_request_does_not_become_another_one() -> None:
    """Another status on the reference, none of the app's calls, another end: the finding is there, but it is not the same exchange."""

    def shows(session: Session) -> Play:
        data, own = sent(session[-1]), [(b"x-own", b"1")]
        status = 200 if b"Content-Length" in data else 422
        called = b"X-2" in data
        end = "open" if b"?a=1&b=2" in data else "closed"
        return Play(*(facts(status, fields, called, end) for fields in ((), (), own)))

    bucket, _, _ = shrunk(TEXT, shows)
    assert sent(bucket.shortest.exchange).startswith(b"POST /items?a=1&b=2 HTTP/1.1\r\nHost: a\r\nX-2: 2\r\nContent-Length: ")


def test_another_finding_beside_it_is_not_taken() -> None:
    def shows(session: Session) -> Play:
        more = [] if b"X-7" in sent(session[-1]) else [(b"x-more", b"1")]
        return Play(facts(), facts(), facts(fields=[(b"x-own", b"1"), *more]))

    bucket, _, _ = shrunk(TEXT, shows)
    assert b"X-7: 7" in sent(bucket.shortest.exchange) and b"X-6" not in sent(bucket.shortest.exchange)


def test_a_verdict_is_kept() -> None:
    """Without X-3 the reference would be as wrong as the candidate, which has no verdict."""
    text = TEXT.replace("origin: curl", "rules: FR-HDR-02\nmust: response.field[x-own] missing")

    def shows(session: Session) -> Play:
        right = facts() if b"X-3" in sent(session[-1]) else facts(fields=[(b"x-own", b"2")])
        return Play(right, right, facts(fields=[(b"x-own", b"1")]))

    play = Play(facts(), facts(), facts(fields=[(b"x-own", b"1")]))
    bucket, _, _ = shrunk(text, shows, play)
    assert bucket.verdict == CANDIDATE
    exchange = bucket.shortest.exchange
    assert b"X-3: 3" in sent(exchange) and b"X-4" not in sent(exchange)
    assert exchange.meta["must"] == "response.field[x-own] missing" and exchange.meta["rules"] == "FR-HDR-02"


def test_what_does_not_come_back_in_every_replay_is_not_handed_out() -> None:
    seen: list[Session] = []

    def shows(session: Session) -> Play:
        derived = session[-1].meta["origin"].startswith("minimised")
        seen.extend([session] * derived)
        return differs(not derived or len(seen) != 2)

    bucket, _, _ = shrunk(TEXT, shows)
    assert len(seen) == REPLAYS and bucket.smallest is None
    assert bucket.shortest.exchange.meta == {"origin": "curl"}


def test_what_has_another_character_in_its_replays_is_not_handed_out_either() -> None:
    def shows(session: Session) -> Play:
        status = 500 if session[-1].meta["origin"].startswith("minimised") else 200
        return Play(facts(status), facts(status), facts(status, fields=[(b"x-own", b"1")]))

    assert shrunk(TEXT, shows)[0].smallest is None


def test_the_search_is_bounded_in_plays() -> None:
    text = TEXT.replace("+ 0123456789", "+ " + "0123456789" * 40).replace("Length: 10", "Length: 400")
    bucket, plays = found(text, differs(True)), Plays(lambda session: differs(sent(session[-1]).count(b"9") >= 17))
    assert minimise([bucket], plays, lambda line: None, 20) == {bucket.name: 20}
    assert 20 < sum(plays.rounds) < 20 * WIDTH and max(plays.rounds) == WIDTH
    assert bucket.smallest is not None


def test_when_time_is_over_it_is_said_and_what_was_found_is_kept() -> None:
    bucket, told = found(TEXT, differs(True)), []
    minimise([bucket], Plays(lambda session: differs(True)), told.append, seconds=-1)
    assert bucket.smallest is None
    assert told == ["minimising stopped after -1 s: 1 exchanges may be larger than they need be"]


def test_buckets_that_begin_with_one_exchange_share_its_plays() -> None:
    one, two, plays = found(TEXT, differs(True)), found(TEXT, differs(True)), Plays(lambda session: differs(True))
    minimise([one, two], plays, lambda line: None)
    alone = Plays(lambda session: differs(True))
    minimise([found(TEXT, differs(True))], alone, lambda line: None)
    assert plays.rounds == alone.rounds and one.shortest.exchange.text == two.shortest.exchange.text


def test_what_was_played_for_one_bucket_is_not_played_again_for_another() -> None:
    """One needs what is asked first as long as fields are there, the other does not: they come to the same, but not in the same round."""

    def shows(session: Session) -> Play:
        data = sent(session[-1])
        own = [(b"x-own", b"1")] if b"POST" in data and (b"/first" in data or b"X-" not in data) else []
        two = [(b"x-two", b"1")] if b"POST" in data else []
        return Play(facts(), facts(), facts(fields=[*own, *two]))

    both = judge([Play(facts(), facts(), facts(fields=[(b"x-own", b"1"), (b"x-two", b"1")]))] * 4)
    found = buckets([(tuple(parse(MAGIC + TEXT.encode(), "test")), "recorded", both)])
    together, apart = Plays(shows), [Plays(shows) for _ in found]
    minimise(found, together, lambda line: None)
    smallest = [bucket.shortest.exchange.text for bucket in found]
    for bucket, plays in zip(found, apart, strict=True):
        bucket.smallest = None
        minimise([bucket], plays, lambda line: None)
    asked = [tuple(exchange.text for exchange in session) for sessions in together.searched for session in sessions]
    assert len(found) == 2 and smallest == [bucket.shortest.exchange.text for bucket in found]
    assert len(asked) == len(set(asked)) < sum(len(sessions) for plays in apart for sessions in plays.searched)


def test_what_is_found_one_by_one_is_tried_together() -> None:
    """Every other field is needed. Those between them go in one play, not in four."""
    text = TEXT.replace("?a=1&b=2", "")
    bucket, plays, _ = shrunk(text, lambda session: differs(all(b"X-%d" % number in sent(session[-1]) for number in (0, 2, 4, 6))))
    assert sent(bucket.shortest.exchange) == b"POST /items HTTP/1.1\r\nHost: a\r\nX-0: 0\r\nX-2: 2\r\nX-4: 4\r\nX-6: 6\r\n\r\n"
    assert len(plays.searched) <= 8


def test_exchanges_that_wait_do_not_hold_up_the_others_and_have_few_rounds() -> None:
    slow, quick = found(TEXT.replace("end next", "end open 50ms"), differs(True)), found(TEXT, differs(True))
    plays = Plays(lambda session: differs(b"X-5" in sent(session[-1]) and b"9" in sent(session[-1])))
    minimise([slow, quick], plays, lambda line: None)
    first, *later = [sum(b"end open" in session[-1].text for session in sessions) for sessions in plays.searched]
    assert WIDTH < first < len(plays.searched[0])  # with its first candidates, and beside the other
    rounds = [count for count in later if count]
    assert later == [0] * (len(later) - len(rounds)) + rounds and len(later) > len(rounds) + 2
    assert len(rounds) < PLAYS / ROUND_WAITING
    assert len(sent(slow.shortest.exchange)) < len(sent(slow.found.exchange)) / 2


@pytest.mark.parametrize("begin", [1, 2])
def test_what_turns_out_to_wait_comes_last_too(begin: int) -> None:
    """Nothing in it says so, but there is no answer: to it, or once something was left out."""
    mute, quick = found(TEXT.replace("big", "mute"), differs(True)), found(TEXT, differs(True))

    def shows(session: Session) -> Play:
        waits = session[-1].name == "mute" and (begin == 1 or len(session[-1].text) < len(mute.found.exchange.text) - 20)
        return Play(*(facts(fields=own, end="silent" if waits else "open") for own in ([], [], [(b"x-own", b"1")])))

    plays = Plays(shows)
    minimise([mute, quick], plays, lambda line: None)
    names = [{session[-1].name for session in sessions} for sessions in plays.searched]
    assert names[:begin] == [{"mute", "big"}] * begin and {"mute"} in names[begin:]
    assert names[begin:] == sorted(names[begin:], key=lambda named: "mute" in named) and {"mute", "big"} not in names[begin:]


def test_what_comes_and_goes_and_what_has_its_own_start_is_left_alone() -> None:
    session = tuple(parse(MAGIC + TEXT.encode(), "test"))
    lives = tuple(parse(MAGIC + b"exchange x\nprocess start\nprocess exit\nend close\n", "test"))
    sometimes = buckets([(session, "recorded", judge([differs(True), *[same(facts())] * 3]))])
    own_start = buckets([(lives, "recorded", judge([differs(True)] * 4))])
    plays = Plays(lambda session: differs(True))
    assert minimise([*sometimes, *own_start], plays, lambda line: None) == {}
    assert plays.rounds == []
