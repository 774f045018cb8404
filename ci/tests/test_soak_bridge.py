"""soak_bridge.py against uvicorn and against servers with a fault: each check passes the one and catches the other."""

import subprocess
import sys
from pathlib import Path

import pytest

CI = Path(__file__).parents[1]
WRONG = f"{{python}} {CI / 'tests' / 'wrong_server.py'} %s {{app}} {{port}} {{loop}}"


def soak(candidate: str, *parts: str) -> tuple[int, str]:
    """A hundredth of these parts: exit code and all output."""
    only = [word for part in parts for word in ("--only", part)]
    command = [sys.executable, CI / "soak_bridge.py", "--candidate", candidate, "--scale", "100", "--settle", "0.5", *only]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + done.stderr


def test_a_server_without_fault_passes() -> None:
    code, output = soak(WRONG % "none", "rss", "get", "leaves-in-body", "app-raises")
    assert (code, output.splitlines()[-1]) == (0, "soak on uvloop: passed"), output


def test_a_cache_that_fills_once_is_no_leak() -> None:
    code, output = soak(WRONG % "fills-a-cache", "get")
    assert (code, output.splitlines()[-1]) == (0, "soak on uvloop: passed"), output
    assert output.count("992 requests") == 2, output  # it was seen to grow, and looked at again


def test_each_leak_is_caught_by_its_own_count() -> None:
    code, output = soak(WRONG % "objects,blocks,malloc,descriptors,tasks,threads,mapping", "get")
    assert (code, output.splitlines()[-1]) == (1, "soak on uvloop: failed: get"), output
    for name in ["objects builtins.dict", "allocated blocks", "malloc bytes", "descriptors", "tasks", "threads", "resident bytes"]:
        assert f"FAILED {name} grew by " in output, output


def test_a_lost_reference_is_caught_alone() -> None:
    """Nothing is made, nothing takes memory: one object of the app is only held once more by each request."""
    code, output = soak(WRONG % "references", "head")
    failed = [line.split(" grew")[0] for line in output.splitlines() if "FAILED" in line]
    assert (code, failed) == (1, ["  FAILED references builtins.function"]), output


def test_memory_that_no_object_holds_is_caught_by_resident_memory() -> None:
    code, output = soak(WRONG % "malloc", "rss")
    assert code == 1 and "FAILED resident memory grew by " in output, output


def test_an_answer_unlike_the_others_is_caught() -> None:
    code, output = soak(WRONG % "errs", "get")
    assert code == 1 and "FAILED WrongAnswer: get: " in output, output


def test_a_server_that_ends_is_named_with_its_exit_code() -> None:
    code, output = soak(WRONG % "dies", "get", "post")
    assert code == 2 and "the server ended with 7; its last lines:" in output, output


def test_a_server_that_never_starts_is_named_with_its_words() -> None:
    code, output = soak("{python} -c 'raise SystemExit(\"no port for me\")' {app} {port}", "rss")
    assert code == 2 and "the server ended with 1; its last lines:\nno port for me" in output, output


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("stalls", "FAILED another client waited "),
        ("never-stops-writing", "FAILED resident memory grew by "),
        ("never-stops-reading", "FAILED resident memory grew by "),
        ("impatient", "FAILED half a head: not silent while it hung: b''"),
        ("descriptors", "FAILED after they left: descriptors grew by "),
    ],
)
def test_a_server_that_hanging_clients_trouble_is_caught(fault: str, words: str) -> None:
    code, output = soak(WRONG % fault, "hanging")
    assert code == 1 and words in output, output
