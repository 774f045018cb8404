"""The validator on whole apps: the small apps of the cases that break rules on purpose, and the demo shop through its own tests."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bridgecheck.spec.apps import echo, probe
from bridgecheck.spec.validator import MUST, validator

from .validated import CONNECT, GONE, HTTP, LIFESPAN, REQUEST, SHUTDOWN, STARTUP, WEBSOCKET, serve

ROOT = Path(__file__).parents[2]

BREAKS: dict[str, set[str]] = {  # what each small app breaks; the others break nothing
    "body-after-end": {"HTTP-BODY-09"},
    "body-as-bytearray": {"HTTP-BODY-03"},
    "body-as-text": {"HTTP-BODY-03"},
    "body-before-start": {"HTTP-START-01"},
    "content-length-not-a-number": {"HTTP-START-26"},
    "content-length-twice": {"HTTP-START-26"},
    "content-length-twice-alike": {"HTTP-START-26"},
    "content-longer-than-length": {"HTTP-BODY-12"},
    "content-shorter-than-length": {"HTTP-BODY-12"},
    "fields-as-text": {"HTTP-START-11"},
    "interim-as-final": {"HTTP-START-24"},
    "line-break-in-value": {"HTTP-HDR-04"},
    "listen-after-disconnect": {"HTTP-DISC-06"},
    "listen-while-answering": {"HTTP-EXC-01"},  # it answers on although its listener has been told that the client is gone
    "no-content-with-body": {"HTTP-START-27", "HTTP-BODY-13"},
    "no-content-with-length": {"HTTP-START-27"},
    "no-content-with-transfer-encoding": {"HTTP-START-27"},
    "not-modified-with-body": {"HTTP-BODY-13"},
    "pseudo-field": {"HTTP-START-12"},
    "raise-after-response": {"HTTP-ERR-02"},
    "raise-before-start": {"HTTP-ERR-03"},
    "return-a-value": {"GEN-APP-08"},
    "return-after-start": {"HTTP-START-02"},
    "return-mid-body": {"HTTP-BODY-10"},
    "return-without-sending": {"HTTP-BODY-10"},
    "send-after-disconnect": {"HTTP-EXC-01"},
    "start-twice": {"HTTP-START-01"},
    "start-without-status": {"HTTP-START-05"},
    "status-99": {"HTTP-START-24"},
    "status-999": {"HTTP-START-24"},
    "status-as-text": {"HTTP-START-05"},
    "trailers-without-offer": {"GEN-EXT-04", "EXT-TRAIL-02"},
    "unknown-event": {"GEN-EVENT-05"},
}


@pytest.mark.parametrize("name", probe.APPS)
def test_a_small_app_is_named_for_the_rule_that_it_breaks(name: str) -> None:
    app = validator(probe.app, on_violation="collect")
    then = GONE if "listen" in name or "disconnect" in name else None
    try:
        serve(app, {**HTTP, "headers": [(b"probe", name.encode())]}, [REQUEST, then])
    except Exception as error:
        assert name.startswith("raise"), error
    assert {violation.rule for violation in app.violations} == BREAKS.get(name, set())


def test_every_app_in_the_table_is_there() -> None:
    assert BREAKS.keys() <= probe.APPS.keys()


def test_the_probes_lifespan_breaks_nothing() -> None:
    app = validator(probe.app)
    serve(app, LIFESPAN, [STARTUP, SHUTDOWN])
    assert app.violations == []


def test_the_bare_echo_app_closes_a_websocket_before_it_hears_of_it() -> None:
    app = validator(echo.app)
    serve(app, HTTP, [REQUEST])
    serve(app, WEBSOCKET, [CONNECT])
    assert [violation.rule for violation in app.violations] == ["GEN-APP-07"]


PLUGIN = """
import atexit, collections
import bridgecheck.demo.shop as shop
from bridgecheck.spec.validator import validator

shop.app = wrapped = validator(shop.app, on_violation="collect")

def pytest_sessionfinish():
    for (rule, level), count in sorted(collections.Counter((v.rule, v.level) for v in wrapped.violations).items()):
        print("\\nviolation", rule, level, count)
"""


@pytest.mark.slow
def test_the_shop_breaks_no_rule_in_its_own_tests(tmp_path: Path) -> None:
    (tmp_path / "validated_shop.py").write_text(PLUGIN)
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "validated_shop", "-p", "no:cacheprovider", "demo/tests"]
    run = subprocess.run(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stdout[-3000:]
    found = [line.split()[1:3] for line in run.stdout.splitlines() if line.startswith("violation")]
    assert found == [["HTTP-ERR-02", "reliance"]]  # its route that fails: Starlette sends the 500, then lets the exception go on
    assert MUST not in {level for _, level in found}


def test_a_request_costs_little_more_under_the_validator() -> None:
    """Generously bounded: it is a tool for tests. What it costs is measured in docs/validator.md."""

    async def measure(app: Any, count: int) -> float:
        async def receive() -> Any:
            return REQUEST

        async def send(event: Any) -> None: ...

        loop = asyncio.get_running_loop()
        begin = loop.time()
        for _ in range(count):
            await app(dict(HTTP), receive, send)
        return (loop.time() - begin) / count

    assert asyncio.run(measure(validator(echo.app), 500)) < 0.002
