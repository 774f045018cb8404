"""What the targets write where all of them run is told."""

import os
from pathlib import Path

import pytest

from bridgecheck.conformance.targets import shared_folder
from bridgecheck.conformance.targets.shared_folder import look, written


def test_what_is_new_or_changed_is_named(tmp_path: Path) -> None:
    for name in ("kept.txt", "longer.txt", "later.txt", "gone.txt"):
        (tmp_path / name).write_text("1")
    before = look(tmp_path)
    (tmp_path / "longer.txt").write_text("12")
    os.utime(tmp_path / "later.txt", ns=(1, 1))
    (tmp_path / "gone.txt").unlink()
    (tmp_path / "data").mkdir()
    for name in ("app.db", "app.db-wal", "app.db-shm"):
        (tmp_path / "data" / name).write_text("")
    assert written(before, look(tmp_path)) == ["data/app.db", "later.txt", "longer.txt"]


def test_hidden_and_compiled_files_and_environments_do_not_count(tmp_path: Path) -> None:
    before = look(tmp_path)
    for folder in (".cache", "__pycache__", "node_modules", "env"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "pyvenv.cfg").write_text("")
    assert written(before, look(tmp_path)) == []


def test_the_first_few_are_named(tmp_path: Path) -> None:
    before = look(tmp_path)
    for number in range(8):
        (tmp_path / str(number)).touch()
    assert written(before, look(tmp_path)) == ["0", "1", "2", "3", "4", "3 more"]


def test_a_link_to_nothing_is_a_file_and_too_many_are_not_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = look(tmp_path)
    (tmp_path / "link").symlink_to("nowhere")
    assert written(before, look(tmp_path)) == ["link"]
    monkeypatch.setattr(shared_folder, "_FILES_MAX", 0)
    assert look(tmp_path) is None and written(before, None) == written(None, before) == []
