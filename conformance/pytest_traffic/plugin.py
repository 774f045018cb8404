"""What pytest loads: the options, and the hooks of the run that compares and of the runs that it compares.

This file is imported by every pytest of an environment that bridgecheck is in, so it imports nothing of bridgecheck until its options are
given.
"""

from __future__ import annotations

import importlib.util

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("bridgecheck", "the tests as traffic, under two servers (docs/test-suite.md)")
    group.addoption("--bridgecheck-candidate", metavar="SERVER", help="Also run the tests over sockets, and compare this server.")
    group.addoption("--bridgecheck-reference", metavar="SERVER", default="uvicorn", help="With this one.  [default: uvicorn]")
    group.addoption("--bridgecheck-record", metavar="PATH", help="Save the traffic as exchanges: to a FILE.exchange, or a folder.")
    group.addoption(
        "--bridgecheck-state",
        choices=("fresh", "shared"),
        default="fresh",
        help="What a recorded test begins with: fresh state, or what those before it left.  [default: fresh]",
    )
    group.addoption("--bridgecheck-patience", metavar="SECONDS", type=float, default=300.0, help="Of one test.  [default: 300]")
    group.addoption("--bridgecheck-run", metavar="SERVER", help="(used by itself) carry the tests to this server")
    group.addoption("--bridgecheck-journal", metavar="FILE", help="(used by itself) where to write what came of it")
    group.addoption("--bridgecheck-only", metavar="FILE", help="(used by itself) the tests to run")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("bridgecheck_run") or config.getoption("bridgecheck_candidate"):
        for package in ("h11", "websockets", "anyio"):
            if importlib.util.find_spec(package) is None:
                raise pytest.UsageError(f"--bridgecheck-candidate needs {package}: pip install 'bridgecheck[pytest]'")
    if config.getoption("bridgecheck_run"):
        from .carried import Carried

        config.pluginmanager.register(Carried(config), "bridgecheck-carried")
    elif config.getoption("bridgecheck_candidate"):
        from .run import Comparing

        config.pluginmanager.register(Comparing(config), "bridgecheck-comparing")
    elif config.getoption("bridgecheck_record"):
        raise pytest.UsageError("--bridgecheck-record needs --bridgecheck-candidate")
