"""Each boundary of the house holds, and its check turns red where it does not."""

import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent.parent


def check(*arguments: str | Path) -> str:
    done = subprocess.run([sys.executable, PROJECT / "ci" / "boundaries.py", *arguments], capture_output=True, text=True, timeout=60)
    assert (done.returncode == 0) is (done.stderr == "")
    return done.stderr


def test_the_project_keeps_its_boundaries() -> None:
    assert check("sources", PROJECT) == ""


@pytest.mark.parametrize(
    ("file", "text", "complaint"),
    [
        ("conformance/gate.py", "import bridgecheck.bridge.server", "conformance/ imports bridgecheck.bridge.server"),
        ("conformance/gate.py", "from bridgecheck.bridge import server", "conformance/ imports bridgecheck.bridge,"),
        ("conformance/gate.py", "def f():\n    from bridgecheck import bridge", "conformance/ imports bridgecheck.bridge,"),
        ("bridge/server.py", "from bridgecheck.spec import observer", "bridge/ imports bridgecheck.spec,"),
        ("bridge/core/route.c", "#include <Python.h>", "the core includes Python.h"),
        ("bridge/core/route.h", '#include "../asgi/cycle.h"', "the core includes ../asgi/cycle.h"),
        ("bridge/asgi/cycle.h", '#include "../core/request.h"', "includes ../core/request.h; the layer above"),
        ("bridge/asgi/cycle.c", '#include "../../conformance/player/memory.h"', "bridge/ includes ../../conformance/player/memory.h"),
    ],
)
def test_what_reaches_too_far_is_named(tmp_path: Path, file: str, text: str, complaint: str) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(text)
    assert f"{tmp_path / file}: {complaint}" in check("sources", tmp_path)


def compiled(tmp_path: Path, source: str, *options: str) -> Path:
    (tmp_path / "unit.c").write_text(source)
    made = tmp_path / "made"
    subprocess.run(["cc", *options, tmp_path / "unit.c", "-o", made], check=True, timeout=60)
    return made


def test_a_core_that_calls_python_fails_the_build(tmp_path: Path) -> None:
    assert check("core", compiled(tmp_path, "int f(void) { return 0; }", "-c")) == ""
    called = compiled(tmp_path, "int Py_IsInitialized(void); int f(void) { return Py_IsInitialized(); }", "-c")
    assert "the core calls Py_IsInitialized" in check("core", called)


def test_an_extension_that_exports_more_fails_the_build(tmp_path: Path) -> None:
    assert check("extension", compiled(tmp_path, "int PyInit_x(void) { return 0; }", "-shared", "-fPIC")) == ""
    leaking = compiled(tmp_path, "int PyInit_x(void) { return 0; } int uv_run(void) { return 0; }", "-shared", "-fPIC")
    assert "exports uv_run" in check("extension", leaking)
