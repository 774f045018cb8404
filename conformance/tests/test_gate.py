"""The gate as its users run it: a command, real servers, an exit code, a report."""

import json
import os
import signal
import subprocess
import sys
import time
from importlib.resources import files
from pathlib import Path

import jsonschema
import pytest

HERE = Path(__file__).parent
WRONG = f"{{python}} {HERE / 'wrong' / 'server.py'} FAULT {{host}} {{port}} {{app}}"
STRIPPING = f"{{python}} {HERE / 'wrong' / 'stripping.py'} HOW {{host}} {{port}} {{app}}"
PADDED = """bridgecheck-exchange 1

exchange padded
rules: FR-HDR-02 FR-LINE-01
must: scope.headers[x-padded] = b"pad"
send
> GET /hello?a=b HTTP/1.1
> Host: test
> X-Padded: pad \\x20
>
end next
"""
TRAFFIC = """bridgecheck-exchange 1

exchange hello
status: 200
send
> GET /hello HTTP/1.1
> Host: test
>
wait response
end next

exchange other
status: 200
send
> GET /other HTTP/1.1
> Host: test
>
wait response
end next
"""
AFTER = TRAFFIC.partition("\n\n")[2].partition("\n\n")[0].replace("hello", "after") + "\n"


def bridgecheck(*arguments: str, cwd: Path, timeout: float = 90) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bridgecheck", *arguments]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=timeout, env=os.environ | {"COLUMNS": "200"})


def gate(
    app: str, *arguments: str, cwd: Path, taps: str = "recorded", timeout: float = 90, minimise: bool = False
) -> subprocess.CompletedProcess[str]:
    """Without what comes after the verdict and takes its time, minimising and playing again, unless it is asked for."""
    after = ["--minimise"] if minimise else ["--no-minimise", "--reproduce", "0"]
    return bridgecheck("gate", app, "--app-dir", str(HERE), "--taps", taps, *after, *arguments, cwd=cwd, timeout=timeout)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "own.exchange").write_text(TRAFFIC)
    return tmp_path


def _report(folder: Path) -> dict:
    report = json.loads((folder / "bridgecheck-report" / "report.json").read_text())
    run = json.loads((folder / "bridgecheck-report" / "run.json").read_text())
    for name, value in (("report", report), ("run", run)):
        jsonschema.validate(value, json.loads(files("bridgecheck.conformance.report").joinpath(f"{name}.schema.json").read_text()))
    return report


def _children_of(pid: int) -> list[int]:
    children = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(fields[1]) == pid:
                children.append(int(entry.name))
    return children


def _family(pid: int) -> list[int]:
    family = [pid]
    for member in family:
        family.extend(_children_of(member))
    return family[1:]


def _alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_uvicorn_against_itself_is_the_same_over_all_cases_and_a_report_is_written(folder: Path) -> None:
    done = gate("apps:good", "--candidate", "uvicorn", "--traffic", "own.exchange", taps="spec,recorded", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    report = _report(folder)
    assert report["verdict"] == "same"
    assert report["buckets"] == []
    assert report["exchanges"]["by_tap"]["recorded"] == 2
    assert report["exchanges"]["by_tap"]["spec"] >= 50
    assert [target["name"] for target in report["targets"]] == ["reference", "twin", "candidate"]
    assert report["targets"][0]["resolved"]["http"] == "httptools"
    assert [(route["route"], route["played"], route["statuses"]) for route in report["routes"]] == [
        ("GET /hello", 1, [200]),
        ("GET /other", 1, [200]),
    ]
    assert not any(route["listed"] for route in report["routes"])


ROUTED = """bridgecheck-exchange 1

exchange item
send
> GET /items/7 HTTP/1.1
> Host: test
>
wait response
end next

exchange refused
send
> GET /talk HTTP/1.1
> Host: test
> Upgrade: websocket
> Connection: Upgrade
> Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
> Sec-WebSocket-Version: 12
>
wait response
end close
"""


def _routes(report: dict) -> dict[str, tuple[int, list[int], dict]]:
    return {row["route"]: (row["played"], row["statuses"], row["answered"]) for row in report["routes"]}


def test_the_route_table_shows_first_what_was_never_reached_and_who_answered(folder: Path) -> None:
    (folder / "own.exchange").write_text(ROUTED)
    done = gate("routed:app", "--candidate", "uvicorn", "--traffic", "own.exchange", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    report = _report(folder)
    everywhere = [dict.fromkeys(("reference", "twin", "candidate"), {who: 1}) for who in ("app", "native")]
    assert list(_routes(report).items()) == [
        ("GET /hello", (0, [], {})),
        ("POST /items", (0, [], {})),
        ("GET /inside/there", (0, [], {})),
        ("GET /late", (0, [], {})),  # which the app has only once it runs
        ("WEBSOCKET /talk", (1, [400], everywhere[1])),
        ("GET /items/{number}", (1, [200], everywhere[0])),
    ]
    assert "4 of the app's 6 routes: no exchange reached them" in report["not_tried"]
    said = done.stdout
    assert said.index("never reached: GET /hello, POST /items, GET /inside/there, GET /late\n") < said.index("exchanges (recorded 2)")
    assert "native under the candidate: WEBSOCKET /talk\n" in said
    assert "reached: 2 of 6 that the app lists, and 0 besides; 0 differ" in said
    page = (folder / "bridgecheck-report" / "report.html").read_text()
    assert page.index("<code>GET /late</code>") < page.index("<code>GET /items/{number}</code>")


def test_without_app_candidate_and_traffic_the_app_is_found_and_asked_for_its_routes(folder: Path) -> None:
    (folder / "main.py").write_text((HERE / "routed.py").read_text())
    for name in ("one", "two"):
        done = bridgecheck("gate", "--taps", "routes", "--report", name, cwd=folder)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "main:app is the app: main.py:21\n" in done.stderr and "candidate bridge" in done.stderr
    report = json.loads((folder / "two" / "report.json").read_text())
    reached = [(row["route"], row["taps"]) for row in report["routes"] if row["played"]]
    assert reached == [(f"GET {path}", {"routes": 1}) for path in ("/hello", "/inside/there", "/late")]
    assert "the app's own routes: only GET of those that need no value, since no --traffic was played" in report["not_tried"]
    assert (folder / "one" / "report.json").read_bytes() == (folder / "two" / "report.json").read_bytes()


def test_an_app_that_keeps_no_list_is_asked_for_its_root(folder: Path) -> None:
    done = gate("apps:good", "--candidate", "uvicorn", taps="routes", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(_routes(_report(folder))) == ["GET /"] and not _report(folder)["routes"][0]["listed"]
    assert "the app keeps no list of them" in done.stdout


def test_what_the_route_tap_cannot_ask_earns_no_verdict_and_breaks_nothing(folder: Path) -> None:
    (folder / "main.py").write_text("from starlette.applications import Starlette\napp = Starlette()\n")
    done = bridgecheck("gate", "--taps", "routes", "--candidate", "uvicorn", cwd=folder)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "nothing was played" in done.stderr


def test_a_server_that_is_not_installed_is_named_with_what_installs_it(folder: Path) -> None:
    python = folder / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n')  # has no packages
    python.chmod(0o755)
    (folder / "plain.py").write_text("async def app(scope, receive, send): ...\n")
    done = bridgecheck("gate", "plain:app", "--candidate", "uvicorn", "--python", str(python), "--taps", "routes", cwd=folder)
    assert done.returncode == 3, done.stdout + done.stderr
    assert f"uvicorn is not installed for {python}; this installs it: {python} -m pip install uvicorn" in done.stderr


def test_another_server_is_different_and_each_finding_can_be_seen_again(folder: Path) -> None:
    done = gate("apps:good", "--candidate", "granian", "--traffic", "own.exchange", cwd=folder)
    assert done.returncode == 1, done.stdout + done.stderr
    report = _report(folder)
    found = {(bucket["side"], bucket["title"]): bucket for bucket in report["buckets"]}
    bucket = found["scope", "scope.client[1]: int → str"]
    assert bucket["confirmed"] and bucket["severity"] == "break"
    played = subprocess.run(
        [sys.executable, "-m", *bucket["reproduce"].split()], cwd=folder / "bridgecheck-report", capture_output=True, text=True, timeout=60
    )
    assert played.returncode == 1, played.stdout + played.stderr
    assert "break scope scope.client[1] int→str" in played.stdout


def test_two_runs_write_the_same_report_whatever_the_jobs(folder: Path) -> None:
    for name, jobs in (("one", "1"), ("two", "24")):
        done = gate("apps:good", "--candidate", "uvicorn:http=h11", "--jobs", jobs, "--report", name, taps="spec", cwd=folder, timeout=240)
        assert done.returncode == 1, done.stdout + done.stderr
    assert (folder / "one" / "report.json").read_bytes() == (folder / "two" / "report.json").read_bytes()


def test_the_quick_tier_leaves_out_what_waits_and_says_so(folder: Path) -> None:
    done = gate("apps:good", "--candidate", "uvicorn", "--tier", "quick", "--twin", "off", taps="spec", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    report = _report(folder)
    assert 100 <= report["exchanges"]["total"] < 200
    assert "spec cases that wait or start a server of their own: left out by --tier quick" in report["not_tried"]
    assert "signals and exit codes: no exchange with process steps was played" in report["not_tried"]


def test_process_steps_in_the_users_traffic_are_played_and_their_findings_seen_again(folder: Path) -> None:
    ends = "exchange ends\nprocess start\nprocess signal SIGINT\nprocess exit\nend close\n"
    (folder / "ends.exchange").write_text(f"bridgecheck-exchange 1\n\n{ends}")
    wrong = f"{{python}} {HERE / 'wrong' / 'ending.py'} code {{host}} {{port}} {{app}}"
    done = gate("apps:good", "--candidate", wrong, "--traffic", "own.exchange", "--traffic", "ends.exchange", cwd=folder)
    assert done.returncode == 1, done.stdout + done.stderr
    report = _report(folder)
    assert not any("signals" in item for item in report["not_tried"])
    (bucket,) = [bucket for bucket in report["buckets"] if bucket["severity"] != "drift"]
    assert (bucket["title"], bucket["side"], bucket["confirmed"]) == ("process.exit: exit code 0 → exit code 7", "process", True)
    file = str(Path("bridgecheck-report") / bucket["exchange"])
    again = bridgecheck("play", file, "--app-dir", str(HERE), "--on", "uvicorn", "--on", wrong, cwd=folder)
    assert again.returncode == 1
    assert "process.exit exit code 0→exit code 7" in again.stdout


def test_what_a_server_has_not_is_not_tried(folder: Path) -> None:
    needs = "exchange limited\nprocess start --limit-concurrency 2\nprocess signal SIGTERM\nprocess exit\nend close\n"
    (folder / "needs.exchange").write_text(f"bridgecheck-exchange 1\n\n{needs}")
    traffic = ("--traffic", "own.exchange", "--traffic", "needs.exchange")
    done = gate("apps:good", "--candidate", "hypercorn", "--twin", "off", *traffic, cwd=folder)
    assert "hypercorn has no --limit-concurrency: limited" in _report(folder)["not_tried"], done.stdout + done.stderr


TALK = """bridgecheck-exchange 1

exchange talk
status: 101
needs: websocket
send
> GET /talk HTTP/1.1
> Host: a
> Upgrade: websocket
> Connection: Upgrade
> Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==
> Sec-WebSocket-Version: 13
>
frame text "hello"
wait message
frame close 1000
wait frame close
end next
"""


def test_a_websocket_is_played_and_no_longer_named_as_not_tried(folder: Path) -> None:
    (folder / "talk.exchange").write_text(TALK)
    traffic = ("--traffic", "own.exchange", "--traffic", "talk.exchange")
    done = gate("apps:good", "--candidate", "uvicorn", *traffic, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert not any("WebSocket" in item for item in _report(folder)["not_tried"])
    assert _report(folder)["exchanges"]["total"] == 3
    done = gate("apps:good", "--candidate", "uvicorn:ws=wsproto", *traffic, cwd=folder)
    assert _report(folder)["buckets"] == []


@pytest.mark.parametrize(
    ("options", "said", "total"),
    [
        (("--traffic", "own.exchange"), "WebSocket: no exchange speaks it", 2),
        (
            ("--traffic", "own.exchange", "--traffic", "talk.exchange", "--without", "websocket"),
            "what needs websocket: left out by --without",
            2,
        ),
    ],
)
def test_where_no_websocket_was_played_the_report_says_so(folder: Path, options: tuple[str, ...], said: str, total: int) -> None:
    (folder / "talk.exchange").write_text(TALK)
    done = gate("apps:good", "--candidate", "uvicorn", "--twin", "off", *options, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    report = _report(folder)
    assert [item for item in report["not_tried"] if "ebsocket" in item or "WebSocket" in item] == [said]
    assert report["exchanges"]["total"] == total


def test_a_talk_alone_earns_a_verdict(folder: Path) -> None:
    (folder / "talk.exchange").write_text(TALK)
    done = gate("apps:good", "--candidate", "uvicorn", "--twin", "off", "--traffic", "talk.exchange", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr


WRITING = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        open(WHERE, "a").close()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})
"""


@pytest.mark.parametrize(("where", "told"), [("'seen.db'", True), ("__import__('os').environ['DATABASE']", False)])
def test_what_targets_write_where_all_of_them_run_is_told(folder: Path, where: str, told: bool) -> None:
    (folder / "writing.py").write_text(WRITING.replace("WHERE", where))
    (folder / "bridgecheck.toml").write_text("[app]\nenvironment = { DATABASE = '{workdir}/seen.db' }\n")
    result = bridgecheck("gate", "writing:app", "--candidate", "uvicorn", "--taps", "recorded", "--traffic", "own.exchange", cwd=folder)
    assert result.returncode == 0, result.stdout + result.stderr
    line = "a state of its own for each target: all run in this folder and share what was written there while they ran: seen.db"
    assert (line in _report(folder)["not_tried"]) == told


def test_a_factory_makes_the_app(folder: Path) -> None:
    done = gate("apps:make", "--factory", "--candidate", "uvicorn", "--twin", "off", "--traffic", "own.exchange", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(_report(folder)["targets"]) == 2


def test_traffic_of_another_app_is_no_verdict(folder: Path) -> None:
    (folder / "own.exchange").write_text(TRAFFIC.replace("status: 200", "status: 404"))
    done = gate("apps:good", "--candidate", "uvicorn", "--traffic", "own.exchange", cwd=folder)
    assert done.returncode == 2
    assert "0 of 2" in done.stderr
    assert not (folder / "bridgecheck-report" / "report.json").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("nowhere:app",), 2, "nowhere"),
        (("apps:nothing",), 2, "nothing"),
        (("apps:not_an_app",), 2, "not_an_app"),
        (("apps",), 2, "module:attr"),
        (("apps:good", "--traffic", "missing.exchange"), 2, "missing.exchange"),
        (("apps:good", "--candidate", "unicorn"), 2, "unicorn"),
        (("apps:good", "--candidate", "serve {app}"), 2, "{port}"),
        (("apps:good", "--taps", "nothing"), 2, "taps"),
        (("apps:good", "--config", "nowhere.toml"), 2, "nowhere.toml"),
        (("apps:good", "--fail-on", "taste"), 2, "taste"),
    ],
)
def test_bad_input_is_one_clear_message(folder: Path, arguments: tuple[str, ...], code: int, message: str) -> None:
    defaults = [word for word in ("--candidate", "uvicorn", "--traffic", "own.exchange") if word]
    done = bridgecheck("gate", "--app-dir", str(HERE), *defaults, *arguments, cwd=folder)
    assert done.returncode == code, done.stdout + done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bad_escape_names_file_line_and_column(folder: Path) -> None:
    (folder / "own.exchange").write_text(TRAFFIC.replace("/hello", "/he\\qllo"))
    done = gate("apps:good", "--candidate", "uvicorn", "--traffic", "own.exchange", cwd=folder)
    assert done.returncode == 2
    assert "own.exchange:6:10: unknown escape" in done.stderr


def test_a_configuration_with_an_unknown_key_says_which(folder: Path) -> None:
    (folder / "bridgecheck.toml").write_text('fail_upon = "drift"\n')
    done = gate("apps:good", "--candidate", "uvicorn", "--traffic", "own.exchange", cwd=folder)
    assert done.returncode == 2 and "fail_upon" in done.stderr


def test_the_configuration_gives_defaults_that_options_override(folder: Path) -> None:
    (folder / "bridgecheck.toml").write_text('traffic = ["own.exchange"]\ncandidate = "granian"\ntwin = "off"\n')
    done = gate("apps:good", "--candidate", "uvicorn", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(_report(folder)["targets"]) == 2


def test_an_app_that_cannot_start_shows_the_servers_own_words(folder: Path) -> None:
    done = gate("apps:broken_in_lifespan", "--candidate", "uvicorn", "--traffic", "own.exchange", taps="spec,recorded", cwd=folder)
    assert done.returncode == 3
    assert "spec:" not in done.stderr  # before anything else is played
    assert "the database is gone" in done.stderr


def test_a_candidate_that_exits_at_once_shows_its_words(folder: Path) -> None:
    done = gate("apps:good", "--candidate", WRONG.replace("FAULT", "exits"), "--traffic", "own.exchange", cwd=folder)
    assert done.returncode == 3
    assert "cannot read the licence file" in done.stderr and "7" in done.stderr


def test_a_candidate_that_never_listens_is_given_up(folder: Path) -> None:
    done = gate("apps:good", "--candidate", WRONG.replace("FAULT", "deaf"), "--traffic", "own.exchange", "--start-timeout", "2", cwd=folder)
    assert done.returncode == 3


@pytest.mark.parametrize("fault", ["closes", "garbage"])
def test_a_candidate_without_one_good_answer_is_different(folder: Path, fault: str) -> None:
    done = gate("apps:good", "--candidate", WRONG.replace("FAULT", fault), "--traffic", "own.exchange", "--patience", "0.5", cwd=folder)
    assert done.returncode == 1, done.stdout + done.stderr
    found = [bucket["title"] for bucket in _report(folder)["buckets"] if bucket["confirmed"] and bucket["severity"] == "break"]
    assert any("serves this request, the candidate does not" in title for title in found), found


def test_a_candidate_that_answers_without_the_app_is_no_verdict(folder: Path) -> None:
    done = gate("apps:good", "--candidate", WRONG.replace("FAULT", "answers"), "--traffic", "own.exchange", "--patience", "0.5", cwd=folder)
    assert done.returncode == 2, done.stdout + done.stderr
    assert "the candidate answered 2xx, but no call of the app was traced" in done.stderr


def test_a_candidate_that_dies_is_a_finding_and_the_run_goes_on(folder: Path) -> None:
    (folder / "own.exchange").write_text(TRAFFIC.replace("exchange other", "exchange kill").replace("/other", "/kill") + AFTER)
    candidate = f"env KILLABLE=1 {{python}} -m uvicorn {{app}} --host {{host}} --port {{port}} --app-dir {HERE}"
    done = gate("apps:kills_its_process", "--candidate", candidate, "--traffic", "own.exchange", "--reproduce", "5", cwd=folder)
    assert done.returncode == 1, done.stdout + done.stderr
    again = json.loads((folder / "bridgecheck-report" / "run.json").read_text())["reproduced"]
    assert list(again.values()) == [{"plays": 5, "came_back": 5}]  # more often than a run survives deaths of one target
    died = [bucket for bucket in _report(folder)["buckets"] if "ends while it serves" in bucket["title"]]
    assert len(died) == 1 and died[0]["severity"] == "break" and died[0]["side"] == "process" and died[0]["routes"] == ["GET /kill"]
    assert ("GET /kill", "different") in [(row["route"], row["verdict"]) for row in _report(folder)["routes"]]


def test_a_candidate_that_does_right_where_the_reference_does_not_is_the_same(folder: Path) -> None:
    (folder / "own.exchange").write_text(PADDED)
    done = gate("apps:good", "--candidate", STRIPPING.replace("HOW", "right"), "--traffic", "own.exchange", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    report = _report(folder)
    (bucket,) = report["buckets"]
    assert (bucket["title"], bucket["verdict"], bucket["rules"], bucket["severity"]) == (
        "scope.headers[x-padded]: another value under the candidate",
        "reference breaks",
        ["FR-HDR-02"],
        "break",
    )
    assert [rule["id"] for rule in report["rules"]] == ["FR-HDR-02"]
    assert report["verdict"] == "same"
    assert (folder / "bridgecheck-report" / bucket["exchange"]).read_text().count('must: scope.headers[x-padded] = b"pad"') == 1
    page = (folder / "bridgecheck-report" / "report.html").read_text()
    assert "Where the reference breaks a rule" in page and "Optional whitespace before and after a field value" in page
    assert "Where the reference breaks a rule" in done.stdout and "Differences" not in done.stdout
    assert "against uvicorn (0 break, 0 rule, 0 drift; 1 where the reference breaks a rule)" in done.stdout
    played = subprocess.run(
        [sys.executable, "-m", "bridgecheck", "play", bucket["exchange"], "--on", "uvicorn", "--on", STRIPPING.replace("HOW", "right")]
        + ["--app-dir", str(HERE)],
        cwd=folder / "bridgecheck-report",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert played.returncode == 0, played.stdout + played.stderr
    assert "(reference breaks)" in played.stdout


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("harmful", {("scope.headers[x-padded]", "reference breaks"), ("scope.query_string", "undefined")}),
        ("greedy", {("scope.headers[x-padded]", "undefined")}),
    ],
)
def test_doing_right_in_one_thing_hides_nothing_else(folder: Path, how: str, expected: set[tuple[str, str]]) -> None:
    (folder / "own.exchange").write_text(PADDED)
    done = gate("apps:good", "--candidate", STRIPPING.replace("HOW", how), "--traffic", "own.exchange", cwd=folder)
    assert done.returncode == 1, done.stdout + done.stderr
    report = _report(folder)
    assert {(bucket["title"].partition(": ")[0], bucket["verdict"]) for bucket in report["buckets"]} == expected
    assert report["verdict"] == "different"


def test_a_candidate_that_breaks_a_rule_which_the_reference_keeps_is_told_so(folder: Path) -> None:
    (folder / "own.exchange").write_text(PADDED)
    reference, candidate = (STRIPPING.replace("HOW", how) for how in ("right", "halfway"))
    done = gate("apps:good", "--reference", reference, "--candidate", candidate, "--traffic", "own.exchange", cwd=folder)
    assert done.returncode == 1, done.stdout + done.stderr
    (bucket,) = _report(folder)["buckets"]
    assert (bucket["verdict"], bucket["rules"]) == ("candidate breaks", ["FR-HDR-02"])
    assert "the candidate breaks FR-HDR-02" in done.stdout


def test_a_must_that_cannot_be_read_is_one_clear_message(folder: Path) -> None:
    (folder / "own.exchange").write_text(PADDED.replace("x-padded] =", "x-padded] is"))
    done = gate("apps:good", "--candidate", "uvicorn", "--traffic", "own.exchange", cwd=folder)
    assert done.returncode == 2
    assert "own.exchange:3: exchange padded: must: no condition in" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(("how", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 130), (signal.SIGTERM, None)])
def test_however_the_gate_ends_nothing_is_left_running(folder: Path, how: signal.Signals, code: int | None) -> None:
    arguments = [
        "gate",
        "apps:good",
        "--app-dir",
        str(HERE),
        "--candidate",
        "granian",
        "--taps",
        "spec,recorded",
        "--traffic",
        "own.exchange",
    ]
    process = subprocess.Popen(
        [sys.executable, "-m", "bridgecheck", *arguments], cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and len(_family(process.pid)) < 6:  # three guards and three servers
        time.sleep(0.02)
    family = _family(process.pid)
    assert len(family) >= 6
    process.send_signal(how)
    process.wait(timeout=30)
    if code is not None:
        assert process.returncode == code
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and any(map(_alive, family)):
        time.sleep(0.02)
    assert [pid for pid in family if _alive(pid)] == []
