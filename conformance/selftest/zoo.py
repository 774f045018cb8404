"""Which cases are shown to turn red: each is played to a server that does it right, and to the same server made wrong in one named way.

The server that does it right stands behind the same means, which changes nothing there: so it is the mutation that turns the case red.

Owns which server stands in for which case. Prints nothing; gives a Proof for each case.
"""

import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from .. import adapters
from ..adapters.template import OPTIONS
from ..errors import NotReady
from ..suite import CRASH, FAIL, PASS, Judged, judged
from ..taps.tap import Session
from ..targets.application import App
from ..targets.server import Server, parse_server
from ..targets.stage import Stage
from ..targets.target import Target
from .mutation import MUTATIONS, mutation_of, same

SIDE_BY_SIDE = 4  # mutated servers at a time: most of what they do is to wait

Tick = Callable[[int, int, str], None]  # steps done, of how many, what is played now


@dataclass
class Proof:
    """What is known of a case. `server` does it right; `seen` is what it came to under the mutation."""

    mutation: str
    server: str = ""
    seen: Judged | None = None

    @property
    def shown(self) -> bool:
        return self.seen is not None and self.seen.status in (FAIL, CRASH)

    @property
    def why_not(self) -> str:
        if not self.mutation:
            return "no mutation is about it"
        if not self.server:
            return "no server does it right"
        return "the mutated server could not be started" if self.seen is None else f"it came to {self.seen.status}: {self.seen.observed}"


class Zoo:
    """`bases` are servers as they are named on the command line, the first that does a case right stands in for it."""

    def __init__(self, sessions: Sequence[Session], bases: Sequence[str], probe: App, *, patience: float, jobs: int, tick: Tick) -> None:
        self.sessions = {session[-1].name: session for session in sessions if {"must", "should"} & session[-1].meta.keys()}
        self.bases = list(bases)
        self.probe = probe
        self.patience = patience
        self.jobs = jobs
        self.tick = tick

    def run(self) -> dict[str, Proof]:
        """By case. Raises NotReady where a server of `bases` never listens."""
        proofs = {name: Proof(mutation_of(name)) for name in self.sessions}
        for base in self.bases:
            self.tick(0, 0, base)
            for means in sorted({same(proof.mutation) for proof in proofs.values() if proof.mutation}):
                names = [name for name, proof in proofs.items() if proof.mutation and not proof.server and same(proof.mutation) == means]
                for name, case in self._play(wrong(base, means), names).items():
                    if case.status == PASS:
                        proofs[name].server = base
        pairs = sorted({(proof.server, proof.mutation) for proof in proofs.values() if proof.server})
        with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            plays = [pool.submit(self._mutated, proofs, *pair) for pair in pairs]
            for done, (play, (_, mutation)) in enumerate(zip(plays, pairs, strict=True)):
                self.tick(done, len(pairs), mutation)
                for name, case in play.result().items():
                    proofs[name].seen = case
        return proofs

    def _mutated(self, proofs: Mapping[str, Proof], base: str, mutation: str) -> dict[str, Judged]:
        names = [name for name, proof in proofs.items() if (proof.server, proof.mutation) == (base, mutation)]
        try:
            return self._play(wrong(base, mutation), names)
        except NotReady:
            return {}

    def _play(self, server: Server, names: Sequence[str]) -> dict[str, Judged]:
        if not names:
            return {}
        target = Target("selftest", server, self.probe, python=sys.executable)
        sessions = [self.sessions[name] for name in names]
        with Stage([target], patience=self.patience).running() as stage:
            facts = stage.play(sessions, jobs=self.jobs).facts
        return {
            name: Judged(CRASH, "", "the server ended") if played[-1] is None else judged(session[-1], played[-1][0])
            for name, session, played in zip(names, sessions, facts, strict=True)
        }


def wrong(base: str, mutation: str) -> Server:
    """A server with this mutation, by a command line as a user would write it."""
    assert mutation in MUTATIONS and parse_server(base)
    words = ("{python}", "-m", f"{__package__}.wrong", mutation, base, "{app}", "{host}", "{port}", "{workdir}", OPTIONS)
    return Server(f"{mutation} {base}", adapters.TEMPLATE, template=words)
