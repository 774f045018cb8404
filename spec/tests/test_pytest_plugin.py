"""The fixture `asgi_validator`, in a pytest of its own."""

import os
import subprocess
import sys
from pathlib import Path

HEAD = """
import asyncio

async def call(app):
    async def receive():
        return {"type": "http.request"}
    async def send(event):
        pass
    await app({"type": "http", "method": "GET", "client": None}, receive, send)

def answering(status, more=()):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": status})
        await send({"type": "http.response.body"})
        for event in more:
            await send(event)
    return app
"""
RIGHT = "def test_right(asgi_validator):\n    asyncio.run(call(asgi_validator(answering(200))))\n"
WRONG = 'def test_wrong(asgi_validator):\n    asyncio.run(call(asgi_validator(answering("200"))))\n'
LATE = 'def test_late(asgi_validator):\n    asyncio.run(call(asgi_validator(answering(200, [{"type": "http.response.body"}])%s)))\n'


def run(folder: Path, source: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_app.py").write_text(HEAD + source)
    plugin = [] if _installed() else ["-p", "bridgecheck.spec.pytest_plugin"]
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *plugin, "test_app.py"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


def _installed() -> bool:
    from importlib.metadata import entry_points

    return any(entry.value == "bridgecheck.spec.pytest_plugin" for entry in entry_points(group="pytest11"))


def test_a_test_whose_app_keeps_the_rules_passes(tmp_path: Path) -> None:
    done = run(tmp_path, RIGHT)
    assert done.returncode == 0, done.stdout
    assert "warning" not in done.stdout


def test_a_test_whose_app_breaks_a_must_fails_and_says_which(tmp_path: Path) -> None:
    done = run(tmp_path, RIGHT + WRONG)
    assert done.returncode == 1
    assert "HTTP-START-05, must: status is a mandatory int." in done.stdout
    assert "1 error" in done.stdout and "2 passed" in done.stdout


def test_what_is_lighter_is_a_warning_or_fails_where_it_is_asked_to(tmp_path: Path) -> None:
    warned = run(tmp_path, LATE % "")
    assert warned.returncode == 0 and "RuleWarning: an event is sent after the response is complete" in warned.stdout
    failed = run(tmp_path, LATE % ', fail_on="reliance"')
    assert failed.returncode == 1 and "HTTP-BODY-09, left to the server" in failed.stdout


def test_the_plugin_imports_nothing_of_ours_before_it_is_used() -> None:
    listed = "[name for name in sys.modules if 'spec.validator' in name or 'conformance' in name]"
    source = f"import bridgecheck.spec.pytest_plugin, sys; print({listed})"
    assert subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True).stdout == "[]\n"
