"""The run that the user sees: the tests as they are, then the same tests in processes of their own, under reference, twin and candidate.

Each process is a pytest with the user's own arguments, so what the tests keep in modules and session fixtures begins anew for each. Knows
how a process is started, watched and ended; what is in its journal is for comparison.py, what is shown for summary.py.
"""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from .carried import long_options
from .comparison import Round, Run, suspects, verdict
from .guarded import Guarded
from .identity import identities
from .journal import Test, read
from .outcome import Outcome
from .recording import Recorded, save
from .summary import lines

REPLAYS = 2
_RESTARTS = 3
_POLL = 0.1
_RAN = (0, 1)  # pytest's exit codes for tests that ran


class RunFailed(Exception):
    """A run that says nothing: its last lines."""


class Comparing:
    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._reference: str = config.getoption("bridgecheck_reference")
        self._candidate: str = config.getoption("bridgecheck_candidate")
        self._patience: float = config.getoption("bridgecheck_patience")
        for given in (self._reference, self._candidate):
            long_options(given)
        if getattr(config.option, "numprocesses", None):
            raise pytest.UsageError("--bridgecheck-candidate: the tests are run one after another; leave out -n")
        self._environment = dict(os.environ)  # before the tests put anything into it
        self._outcomes: dict[str, Outcome] = {}
        self._identities: dict[str, str] = {}
        self._lines: list[str] = []
        self._folder = Path()

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        self._identities = identities(items)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._outcomes.setdefault(report.nodeid, Outcome()).add(report)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if exitstatus not in _RAN or self._config.option.collectonly:
            return
        passed = [name for name, outcome in self._outcomes.items() if outcome.word == "passed"]
        others = len(self._outcomes) - len(passed)
        try:
            with tempfile.TemporaryDirectory(prefix="bridgecheck-") as folder:
                self._folder = Path(folder)
                rounds = self._rounds(passed)
        except RunFailed as error:
            self._lines = ["no verdict:", *str(error).splitlines()]
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
            return
        found = verdict(rounds)
        recorded = self._record(rounds[0].reference)
        verbose = self._config.option.verbose > 0
        self._lines = list(lines(found, self._reference, self._candidate, others, recorded, verbose=verbose))
        if not found.same and exitstatus == 0:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _rounds(self, tests: Sequence[str]) -> list[Round]:
        first = self._round(tests, twin=True)
        again = suspects(first)
        return [first, *(self._round(again, twin=False) for _ in range(REPLAYS if again else 0))]

    def _round(self, tests: Sequence[str], *, twin: bool) -> Round:
        reference = self._run(self._reference, tests)
        return Round(reference, self._run(self._reference, tests) if twin else None, self._run(self._candidate, tests))

    def _run(self, server: str, tests: Sequence[str]) -> Run:
        """All these tests under one server; a process that died in one of them is followed by another for those that are left."""
        found: Run = {}
        for _ in range(_RESTARTS + 1):
            left = [test for test in tests if test not in found]
            if not left:
                break
            self._tell(f"bridgecheck: {len(left)} tests under {server}")
            code, said, came = self._process(server, left)
            found |= came
            died = next((test for test in came.values() if not test.outcome), None)
            if died is not None:
                died.outcome, died.message = "died", _fate(code)
            elif code not in _RAN:
                raise RunFailed(f"the tests under {server} did not run, {_fate(code)}:\n{said}")
            else:
                break
        return found | {test: Test(test, "not run") for test in tests if test not in found}

    def _process(self, server: str, tests: Sequence[str]) -> tuple[int, str, Run]:
        with tempfile.TemporaryDirectory(dir=self._folder) as folder:
            journal, only, output = (Path(folder) / name for name in ("journal", "only", "output"))
            names = {self._identities[name]: name for name in tests}
            only.write_text("\n".join(names), "utf-8")
            journal.touch()
            command = [sys.executable, "-m", "pytest", *map(str, self._config.invocation_params.args), *self._own(Path(folder))]
            # With "=", or pytest takes a file that is there for one of tests, and looks for its root from there.
            command += [f"--bridgecheck-run={server}", f"--bridgecheck-journal={journal}", f"--bridgecheck-only={only}"]
            where = self._config.invocation_params.dir
            with output.open("wb") as out, Guarded(command, self._environment, where, out.fileno()) as process:
                self._watch(process, journal)
            said = output.read_text("utf-8", "replace").splitlines()
            came = {names[test.name]: replace(test, name=names[test.name]) for test in read(journal).values()}
            assert process.code is not None
            return process.code, "\n".join(said[-20:]), came

    def _own(self, folder: Path) -> list[str]:
        """What the user's run writes elsewhere is not written over by these."""
        own = [f"--rootdir={self._config.rootpath}", "--maxfail=0"]
        if self._config.pluginmanager.hasplugin("cacheprovider"):
            own.append(f"--override-ini=cache_dir={folder / 'cache'}")
        if getattr(self._config.option, "xmlpath", None):
            own.append(f"--junit-xml={folder / 'junit.xml'}")
        if self._config.pluginmanager.hasplugin("_cov"):
            own.append("--no-cov")
        return own

    def _watch(self, process: Guarded, journal: Path) -> None:
        """Until it ends, or its journal has not grown for as long as a test may take."""
        size, since = -1, time.monotonic()
        while not process.ended(_POLL):
            if journal.stat().st_size != size:
                size, since = journal.stat().st_size, time.monotonic()
            if time.monotonic() - since > self._patience:
                return

    def _record(self, run: Run) -> Recorded | None:
        path = self._config.getoption("bridgecheck_record")
        if not path:
            return None
        good: list[Test] = [test for test in run.values() if test.outcome == "passed"]
        return save(self._config.invocation_params.dir / path, good, fresh=self._config.getoption("bridgecheck_state") == "fresh")

    def _tell(self, line: str) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and self._config.option.verbose >= 0:
            reporter.ensure_newline()
            reporter.write_line(line)

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if self._lines:
            terminalreporter.section("bridgecheck")
            for line in self._lines:
                terminalreporter.write_line(line)


def _fate(code: int) -> str:
    if code == -signal.SIGKILL:
        return "it was killed, or took longer than --bridgecheck-patience"
    return f"its process ended with signal {-code}" if code < 0 else f"its process ended with exit code {code}"
