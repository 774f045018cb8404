"""The command line as it is called: commands of other packages come by entry point, and a broken one breaks itself only."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ENTRIES = """[bridgecheck.commands]
hello = hello_module:hello
missing = no_such_module_at_all:command
nameless = hello_module:nothing
faulty = faulty_command:command
gate = hello_module:hello
pipe = pipe_module:pipe
"""
HELLO = """import click
print("import of hello")

@click.command()
@click.option("--name")
def hello(name):
    "Say hello."
    print("hello", name)
    raise SystemExit(7)
"""

PIPE = """import click

@click.command()
@click.option("--print", "lines", default=0)
def pipe(lines):
    for _ in range(lines):
        print("x" * 10000)
    raise BrokenPipeError(32, "of a socket")
"""


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """A folder with another package installed in it."""
    (tmp_path / "other-1.0.dist-info").mkdir()
    (tmp_path / "other-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (tmp_path / "other-1.0.dist-info" / "entry_points.txt").write_text(ENTRIES)
    (tmp_path / "pipe_module.py").write_text(PIPE)
    (tmp_path / "hello_module.py").write_text(HELLO)
    (tmp_path / "faulty_command.py").write_text("raise ValueError('at import')")
    return tmp_path


def bridgecheck(packages: Path, *arguments: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "bridgecheck", *arguments]
    environment = os.environ | {"PYTHONPATH": str(packages), "COLUMNS": "200"}
    done = subprocess.run(command, cwd=packages, env=environment, capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout, done.stderr


def test_a_command_of_another_package(packages: Path) -> None:
    assert bridgecheck(packages, "hello", "--name", "you") == (7, "import of hello\nhello you\n", "")


def test_it_is_listed_and_broken_ones_are_too(packages: Path) -> None:
    code, out, _ = bridgecheck(packages, "--help")
    assert code == 0
    for line in ("hello     Say hello.", "missing   Cannot be imported.", "faulty    Cannot be imported.", "play      Play"):
        assert line in out


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("missing", "(no_such_module_at_all:command) cannot be imported: ModuleNotFoundError: No module named 'no_such_module_at_all'"),
        ("nameless", "(hello_module:nothing) cannot be imported: AttributeError: module 'hello_module' has no attribute 'nothing'"),
        ("faulty", "(faulty_command:command) cannot be imported: ValueError: at import"),
    ],
)
@pytest.mark.parametrize("arguments", [[], ["--help"], ["app:app", "--port", "1", "-x"]], ids=" ".join)
def test_a_broken_command_says_why_when_it_is_called(name: str, said: str, arguments: list[str], packages: Path) -> None:
    code, _, err = bridgecheck(packages, name, *arguments)
    assert (code, err) == (70, f"bridgecheck: the command {name} {said}\n")


def test_our_own_commands_come_first_and_import_no_other(packages: Path) -> None:
    code, out, err = bridgecheck(packages, "gate", "--help")
    assert (code, err) == (0, "") and "--candidate" in out and "import of hello" not in out


def test_no_such_command(packages: Path) -> None:
    code, _, err = bridgecheck(packages, "hullo")
    assert code == 2 and "No such command 'hullo'." in err


def test_a_pipe_that_breaks_inside_is_a_fault_and_not_passed_over(packages: Path) -> None:
    code, _, err = bridgecheck(packages, "pipe")
    assert code == 70 and "BrokenPipeError: [Errno 32] of a socket" in err


def test_who_reads_our_output_may_go(packages: Path) -> None:
    command = [sys.executable, "-m", "bridgecheck", "pipe", "--print", "1000"]
    environment = os.environ | {"PYTHONPATH": str(packages)}
    done = subprocess.Popen(command, cwd=packages, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.stdout is not None and done.stderr is not None
    done.stdout.close()
    assert (done.wait(60), done.stderr.read()) == (1, b"")
    done.stderr.close()
