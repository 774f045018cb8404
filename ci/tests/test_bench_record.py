"""bench_record.py without measuring: what it takes for a whole recording, and for a cost that is met."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

CI = Path(__file__).parents[1]
sys.path.insert(0, str(CI))

import bench_record  # noqa: E402
from bench_bridge import Run, Unmeasured  # noqa: E402
from bench_record import REQUIRED, check_recorded, report  # noqa: E402

EXCHANGE = "\nexchange get-about.{}\nsend\n> GET {} HTTP/1.1\n>\nwait response\nend next\n"


def record(folder: Path, *targets: str) -> None:
    exchanges = "".join(EXCHANGE.format(number, target) for number, target in enumerate(targets))
    (folder / "file.exchange").write_text(f"bridgecheck-exchange 1\nsession s\n{exchanges}")


def test_a_whole_recording(tmp_path: Path) -> None:
    record(tmp_path, "/about", "/about")
    check_recorded(tmp_path, 2)
    check_recorded(tmp_path, 1)  # wrk does not count what it left under way


def test_a_recording_that_lacks_a_request_or_has_another(tmp_path: Path) -> None:
    record(tmp_path, "/about", "/about")
    with pytest.raises(Unmeasured, match="2 exchanges were recorded of 3 requests"):
        check_recorded(tmp_path, 3)
    record(tmp_path, "/about", "/abuot")
    with pytest.raises(Unmeasured, match=r"1 exchanges are not what was sent, the first get-about\.1"):
        check_recorded(tmp_path, 2)
    (tmp_path / "file.exchange").write_text("cut")
    with pytest.raises(Unmeasured, match="the recording cannot be read: .*file.exchange:1:1: "):
        check_recorded(tmp_path, 2)


@pytest.mark.parametrize(("cost", "met"), [(1 / REQUIRED + 0.01, False), (1 / REQUIRED - 0.01, True)])
def test_a_cost_is_met_or_missed(cost: float, met: bool, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def side(name: str, cost: float) -> Any:
        return SimpleNamespace(name=name, runs=[Run(1000, 1.0, cost)])

    both: Any = (side("uvicorn", 1.0), side("recorder", cost))
    assert report(both)["met"] is met
    assert capsys.readouterr().out.rstrip().endswith(f"required 3.00: {'met' if met else 'MISSED'}")
    monkeypatch.setattr(bench_record, "measure", lambda *arguments: both)
    monkeypatch.setattr(sys, "argv", ["bench_record.py"])
    assert bench_record.main() == (0 if met else 1)
