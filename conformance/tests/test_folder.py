"""Folders of targets: removed by their owner, or by the next one if the owner was killed."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from bridgecheck.conformance.targets import folder as module
from bridgecheck.conformance.targets.folder import Folder, sweep


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def soon() -> float:
    return time.time() + 10


def test_an_owner_removes_its_folder_with_all_that_is_in_it(temporary: Path) -> None:
    folder = Folder()
    (folder.path / "work").mkdir()
    (folder.path / "work" / "file").touch()
    folder.remove()
    assert list(temporary.iterdir()) == []


def test_a_folder_whose_owner_was_killed_is_swept_and_no_other(temporary: Path) -> None:
    own = Folder()
    (temporary / "bridgecheck-without-a-lock").mkdir()
    (temporary / "somebody-elses").mkdir()
    (temporary / "somebody-elses" / module.LOCK).touch()
    script = "from bridgecheck.conformance.targets.folder import Folder; print(Folder().path, flush=True); input()"
    environment = {**os.environ, "TMPDIR": str(temporary)}
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as owner:
        assert owner.stdout is not None
        orphan = Path(owner.stdout.readline().strip())
        sweep(soon())
        assert orphan.exists()
        owner.send_signal(signal.SIGKILL)
    sweep(orphan.stat().st_mtime)
    assert orphan.exists(), "too young"
    sweep(soon())
    assert not orphan.exists()
    assert {path.name for path in temporary.iterdir()} == {own.path.name, "bridgecheck-without-a-lock", "somebody-elses"}
    own.remove()
