"""Which cases are shown to turn red: each is played to a server that does it right, and to the same server made wrong in one named way.

The server that does it right stands behind the same means, which changes nothing there: so it is the mutation that turns the case red.

Owns which server stands in for which case. Prints nothing; gives a Proof for each case.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .. import adapters
from ..application import App
from ..errors import NotReady
from ..server import Server, parse_server
from ..stage import Stage
from ..suite import CRASH, FAIL, PASS, Judged, judged
from ..tap import Session
from ..target import Target
from .mutation import MUTATIONS, SAME_BYTES, SAME_EVENTS, mutation_of, same

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
            for means in (SAME_EVENTS, SAME_BYTES):
                names = [name for name, proof in proofs.items() if proof.mutation and not proof.server and same(proof.mutation) == means]
                for name, case in self._play(wrong(base, means), names).items():
                    if case.status == PASS:
                        proofs[name].server = base
        pairs = sorted({(proof.server, proof.mutation) for proof in proofs.values() if proof.server})
        for done, (base, mutation) in enumerate(pairs):
            self.tick(done, len(pairs), mutation)
            names = [name for name, proof in proofs.items() if (proof.server, proof.mutation) == (base, mutation)]
            try:
                for name, case in self._play(wrong(base, mutation), names).items():
                    proofs[name].seen = case
            except NotReady:
                pass
        return proofs

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
    words = ("{python}", "-m", f"{__package__}.wrong", mutation, base, "{app}", "{host}", "{port}", "{workdir}")
    return Server(f"{mutation} {base}", adapters.TEMPLATE, template=words)
