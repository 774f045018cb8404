"""A hundredth of `make soak`, on each loop: no leak by any kind of request, and service while others hang."""

import subprocess
import sys
from pathlib import Path

import pytest

from .live import skip_where_freed_memory_is_kept

SOAK = Path(__file__).parents[2] / "ci" / "soak_bridge.py"


@pytest.mark.slow
@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_nothing_grows_and_nobody_is_left_waiting(loop: str) -> None:
    skip_where_freed_memory_is_kept()
    done = subprocess.run([sys.executable, SOAK, "--scale", "100", "--loop", loop], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
