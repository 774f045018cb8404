"""What it costs to play recorded traffic: the player's CPU for a request, next to httpx's for the same one.

    .venv/bin/python ci/bench_replay.py [--pairs 5] [--json FILE]

The demo's traffic, as far as httpx can send it: exchanges of one whole request over HTTP/1.1. By turns, in pairs, the player plays it as
the gate does, exchange by exchange to three uvicorns with the shop, and httpx sends it to a fourth. An exchange has a connection of its
own at each target, and so has a request of httpx; what httpx needs with one connection kept for all is shown beside it. Counted is the
CPU of this process alone, which is the player's or httpx's; the player reads the app's trace for it, too. On both sides every answer must
have the same status and length. Exits 1 when the player costs more than it may, 2 when nothing could be measured.
"""

import argparse
import re
import ssl
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import h11
import httpx
from bench_bridge import Ratio, Run, Unmeasured, conclude, summary
from bench_gate import TRAFFIC, own_cpu
from measured import running

from bridgecheck.conformance._player import Exchange, Player
from bridgecheck.conformance.errors import BridgecheckError
from bridgecheck.conformance.taps import tap
from bridgecheck.conformance.targets.server import parse_server
from bridgecheck.conformance.targets.stage import Stage
from bridgecheck.conformance.targets.target import App, Target

REQUIRED = 5.0  # httpx's cost of a request as a multiple of the player's
SHOP = "bridgecheck.demo.shop:app"
SIDES = ("player", "httpx", "httpx, kept")
TARGETS = 3  # as the gate has them: reference, twin and candidate
VALUES = re.compile(rb"^(save|frame|pause) |\$\{", re.MULTILINE)

Answer = tuple[int, int]  # status and length of the content as it came


@dataclass(frozen=True)
class Request:
    """What httpx is to send: the bytes of an exchange, taken apart."""

    method: str
    target: str
    fields: list[tuple[bytes, bytes]]
    content: bytes


def request_of(exchange: Exchange) -> Request | None:
    """None where httpx has no way to send the same: more than one request, HTTP/1.0, values, what waits for an interim response. None also
    where the shop breaks, since uvicorn then ends the connection without a word, and a client that keeps it runs into that; and for the
    outbox, where the work in the background is over before the player goes on, and may not be when httpx does; and for orders, whose time
    has a digit less now and then."""
    sends = [data for _, kind, data in exchange.steps if kind.startswith("send")]
    if len(sends) != 1 or len(exchange.requests) != 1 or VALUES.search(exchange.text) or exchange.meta["status"] == "500":
        return None
    if exchange.requests[0][1].startswith((b"/outbox", b"/orders")):
        return None
    reader = h11.Connection(h11.SERVER)
    reader.receive_data(sends[0])
    try:
        head, content = reader.next_event(), b""
        while isinstance(event := reader.next_event(), h11.Data):
            content += event.data
    except h11.RemoteProtocolError:
        return None
    if not isinstance(head, h11.Request) or head.http_version != b"1.1" or not isinstance(event, h11.EndOfMessage):
        return None
    if {b"upgrade", b"expect"} & {name for name, _ in head.headers}:
        return None
    return Request(head.method.decode(), head.target.decode(), head.headers.raw_items(), content)


def play(player: Player, exchanges: Sequence[Exchange]) -> list[list[Answer]]:
    """Each on its own, one by one, to all targets; the answers by target."""
    answers: list[list[Answer]] = [[] for _ in range(TARGETS)]
    for [observations] in player.play([[exchange] for exchange in exchanges], jobs=1):
        if observations is None:
            raise Unmeasured("a target is gone")
        for observation, own in zip(observations, answers, strict=True):
            responses = observation["connections"][0]["responses"]
            own.append((responses[0]["status"], responses[0]["body"]["length"]) if responses else (0, 0))
    return answers


def send(base: str, requests: Sequence[Request], kept: bool, context: ssl.SSLContext) -> list[Answer]:
    """The context is given, since making one costs more than twenty requests, and the environment is not read."""
    limits = httpx.Limits(max_keepalive_connections=1 if kept else 0)
    with httpx.Client(trust_env=False, verify=context, limits=limits) as client:
        answers = []
        for request in requests:
            made = httpx.Request(request.method, base + request.target, headers=request.fields, content=request.content)
            answer = client.send(made)
            answers.append((answer.status_code, answer.num_bytes_downloaded))
        return answers


def measured(work: Callable[[], list[list[Answer]]], requests: int) -> tuple[Run, list[list[Answer]]]:
    cpu, begin = own_cpu(), time.monotonic()
    answers = work()
    return Run(requests, time.monotonic() - begin, own_cpu() - cpu), answers


def check_answers(exchanges: Sequence[Exchange], answers: Sequence[Sequence[Answer]]) -> None:
    """Every server has had the same requests, so they answer alike."""
    for exchange, *given in zip(exchanges, *answers, strict=True):
        if len(set(given)) > 1 or given[0][0] == 0:
            raise Unmeasured(f"{exchange.session} {exchange.name} was answered differently (status, length): {given}")


def measure(pairs: int) -> tuple[dict[str, list[Run]], int, int]:
    """The runs by side, and how many exchanges were played of how many there are."""
    every = [exchange for session in tap.recorded([TRAFFIC]).sessions for exchange in session]
    both = [(exchange, request) for exchange in every if (request := request_of(exchange))]
    exchanges, requests = [exchange for exchange, _ in both], [request for _, request in both]
    app = App(SHOP, environment={"SHOP_DATABASE": "{workdir}/shop.sqlite"})
    stage = Stage([Target(f"uvicorn {n}", parse_server("uvicorn"), app, python=sys.executable) for n in range(TARGETS)], patience=10.0)
    runs: dict[str, list[Run]] = {side: [] for side in SIDES}
    context = ssl.create_default_context()
    with ExitStack() as stack:
        stack.enter_context(stage.running())
        bases = []
        for _ in SIDES[1:]:
            server = stack.enter_context(running("uvicorn", SHOP, environment={"SHOP_DATABASE": "{folder}/shop.sqlite"}))
            bases.append("http://{}:{}".format(*server.address))
        player = stage.player
        assert player is not None
        for number in range(pairs + 1):
            turns = (
                (lambda: play(player, exchanges), TARGETS),
                (lambda: [send(bases[0], requests, False, context)], 1),
                (lambda: [send(bases[1], requests, True, context)], 1),
            )
            given: list[list[Answer]] = []
            for side, (work, count) in zip(SIDES, turns, strict=True):
                run, answers = measured(work, count * len(exchanges))
                given += answers
                if number:  # the first is to warm up
                    runs[side].append(run)
            check_answers(exchanges, given)
    return runs, len(exchanges), len(every)


def report(runs: dict[str, list[Run]], played: int, every: int) -> dict[str, object]:
    player, own, kept = (runs[side] for side in SIDES)
    ratio, beside = Ratio.of(own, player), Ratio.of(kept, player)
    met = ratio.median >= REQUIRED
    print(f"replay: {played} of the demo's {every} exchanges, {len(player)} pairs")
    for side in SIDES:
        print(f"  {side:11}  {summary(runs[side])['cpu_microseconds_per_request']:7.1f} µs CPU per request")
    print(f"  with one connection kept for all, httpx costs {beside.median:.2f} times the player ({beside.least:.2f} to {beside.most:.2f})")
    print(
        f"  with one for each request, as exchanges have, {ratio.median:.2f} times ({ratio.least:.2f} to {ratio.most:.2f}), "
        f"required {REQUIRED:.2f}: {'met' if met else 'MISSED'}",
        flush=True,
    )
    figures = {side: summary(runs[side]) for side in SIDES}
    return {**figures, "ratio": round(ratio.median, 3), "kept": round(beside.median, 3), "required": REQUIRED, "met": met}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures there too")
    options = parser.parse_args()
    return conclude(lambda: report(*measure(options.pairs)), options.json, BridgecheckError, httpx.HTTPError)


if __name__ == "__main__":
    sys.exit(main())
