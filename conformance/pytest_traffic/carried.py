"""One run of the tests in which their clients go over sockets to a server: what happened in it, into the journal.

Knows pytest's hooks and the carrier's parts. Knows nothing of other runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .. import adapters
from ..adapters import Start
from ..errors import BridgecheckError
from ..targets.server import parse_server
from .carrier import Hosts
from .identity import identities
from .journal import Journal
from .outcome import Outcome
from .rerouting import reroute


def long_options(given: str) -> tuple[adapters.Adapter, list[str]]:
    """The adapter of SERVER, and the options as it takes them. Raises UsageError of pytest's."""
    try:
        server = parse_server(given)
    except BridgecheckError as error:
        raise pytest.UsageError(str(error)) from None
    adapter = adapters.load(server.name)
    if not adapter.embeds:
        able = ", ".join(name for name in adapters.names() if adapters.load(name).embeds)
        raise pytest.UsageError(
            f"{given}: serves no app that a test made, in the test's own event loop; servers that can be used here: {able}"
        )
    return adapter, Start("", "", "", 0, "", server.options).long_options()


class Carried:
    def __init__(self, config: pytest.Config) -> None:
        adapter, options = long_options(config.getoption("bridgecheck_run"))
        self._journal = Journal(Path(config.getoption("bridgecheck_journal")))
        self._portal = reroute(Hosts(adapter, options, self._journal))
        self._outcome = Outcome()
        self._identities: dict[str, str] = {}
        only = config.getoption("bridgecheck_only")
        self._only = set(Path(only).read_text("utf-8").split("\n")) if only else None

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        self._identities = identities(items)
        if self._only is not None:
            left = [item for item in items if self._identities[item.nodeid] not in self._only]
            config.hook.pytest_deselected(items=left)
            items[:] = [item for item in items if self._identities[item.nodeid] in self._only]

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._outcome = Outcome()
        self._journal.begin(self._identities[item.nodeid])
        result = yield
        self._portal.end_of_test()
        self._journal.test.outcome, self._journal.test.message = self._outcome.word, self._outcome.message
        self._journal.end()
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._outcome.add(report)

    def pytest_unconfigure(self) -> None:
        self._portal.close()
        self._journal.close()
