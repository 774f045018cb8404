"""The gate's own minimising: real servers, a wrong candidate, and the exchange that the report then holds."""

import json
from pathlib import Path

import jsonschema
import pytest

from bridgecheck.conformance.taps.tap import read

from .test_gate import HERE, STRIPPING, _report, bridgecheck, gate

pytestmark = pytest.mark.usefixtures("folder")

LONG = """bridgecheck-exchange 1

session visit

exchange login
send
> POST /login HTTP/1.1
> Host: test
> Content-Length: 5
>
+ a=b&c
wait response
end next

exchange padded
rules: FR-HDR-02 FR-LINE-01
must: scope.headers[x-padded] = b"pad"
origin: hand
send split 7
> GET /hello?a=b&c=d HTTP/1.1
> Host: test
> Accept: text/plain
> X-Padded: pad \\x20
> Cookie: a=0123456789; b=0123456789
>
wait response
pause 10ms
end next
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own.exchange").write_text(LONG)
    return tmp_path


def test_the_report_holds_the_smallest_exchange_which_shows_the_same_finding(folder: Path) -> None:
    command = ("apps:good", "--candidate", STRIPPING.replace("HOW", "right"), "--twin", "off", "--traffic", "own.exchange")
    done = gate(*command, cwd=folder, minimise=True)
    assert done.returncode == 0, done.stdout + done.stderr
    report = _report(folder)
    (bucket,) = report["buckets"]
    assert (bucket["verdict"], bucket["seen_in"], bucket["routes"]) == ("reference breaks", ["padded"], ["GET /hello"])
    (exchange,) = read(folder / "bridgecheck-report" / bucket["exchange"])
    assert exchange.meta | {"app": ""} == {
        "rules": "FR-HDR-02 FR-LINE-01",
        "must": 'scope.headers[x-padded] = b"pad"',
        "origin": "minimised from padded (hand)",
        "app": "",
    }
    assert [(kind, data) for _, kind, data in exchange.steps] == [("send", b"GET /hello HTTP/1.1\r\nHost: test\r\nX-Padded: pad  \r\n\r\n")]
    run = json.loads((folder / "bridgecheck-report" / "run.json").read_text())
    (sizes,) = run["minimised"].values()
    assert (sizes["before"]["exchanges"], sizes["after"]["exchanges"]) == (2, 1) and sizes["after"]["sent"] < sizes["before"]["sent"] / 3
    play = ("play", bucket["exchange"], "--on", "uvicorn", "--on", STRIPPING.replace("HOW", "right"), "--app-dir", str(HERE))
    assert "(reference breaks)" in bridgecheck(*play, cwd=folder / "bridgecheck-report").stdout


def test_without_it_the_exchange_is_as_it_was_played(folder: Path) -> None:
    command = ("apps:good", "--candidate", STRIPPING.replace("HOW", "right"), "--twin", "off", "--traffic", "own.exchange")
    assert gate(*command, cwd=folder).returncode == 0
    (bucket,) = _report(folder)["buckets"]
    assert [exchange.name for exchange in read(folder / "bridgecheck-report" / bucket["exchange"])] == ["login", "padded"]
    assert json.loads((folder / "bridgecheck-report" / "run.json").read_text())["minimised"] == {}


def test_the_findings_are_the_same_with_it_and_without(folder: Path) -> None:
    """Only what shows them differs: signatures, verdicts, severities and all else that is reported of them stay."""
    command = ("apps:good", "--candidate", "uvicorn:http=h11", "--twin", "off", "--traffic", "own.exchange")
    for name, smaller in (("with", True), ("without", False)):
        gate(*command, "--report", name, cwd=folder, minimise=smaller)
    reports = [json.loads((folder / name / "report.json").read_text().replace(f"{name}/", "")) for name in ("with", "without")]
    assert reports[0]["buckets"] and reports[0] == reports[1]
    sizes = json.loads((folder / "with" / "run.json").read_text())["minimised"].values()
    assert any(size["after"] != size["before"] for size in sizes)


def test_two_runs_find_the_same_smallest_exchanges_whatever_the_jobs(folder: Path) -> None:
    for name, jobs in (("one", "1"), ("two", "24")):
        command = ("apps:good", "--candidate", "uvicorn:http=h11", "--twin", "off", "--traffic", "own.exchange", "--jobs", jobs)
        gate(*command, "--report", name, cwd=folder, minimise=True)
    one, two = ({path.name: path.read_bytes() for path in sorted((folder / name).glob("exchanges/*"))} for name in ("one", "two"))
    assert one == two and any(b"minimised from" in text for text in one.values())
    assert (folder / "one" / "report.json").read_bytes() == (folder / "two" / "report.json").read_bytes()


def test_the_schema_demands_both_sizes() -> None:
    schema = json.loads((HERE.parent / "report" / "run.schema.json").read_text())
    part = schema["properties"]["minimised"] | {"$defs": schema["$defs"]}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"x": {"plays": 1, "before": {"exchanges": 1, "steps": 1, "sent": 1, "text": 1}}}, part)
