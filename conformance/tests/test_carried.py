"""A recording of a client that goes by what it was given, on an app that gives something else at each start: it fits when values are
carried, and is said not to fit when they are not."""

import html
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from bridgecheck.conformance.taps import tap

from .proxied import Proxy, recording, served

HERE = Path(__file__).parent
# At the time of the recording notes begin with 9, when it is played with 10: an id, and with it a Content-Length, is longer then.
CONFIGURATION = '[app]\nenvironment = { FIRST_NOTE = "10" }\n'


def use(base: str, parallel: bool) -> list[int]:
    """Statuses of what the client did; `parallel`: over a connection for each request."""
    limits = httpx.Limits(max_keepalive_connections=0) if parallel else httpx.Limits()
    with httpx.Client(base_url=base, limits=limits) as client:
        answers = [client.post("/login", data={"user": "ada"})]
        bearer = {"Authorization": f"Bearer {answers[0].json()['token']}"}
        answers += [client.get("/me", headers=bearer), page := client.get("/form")]
        token = html.unescape(page.text.partition('value="')[2].partition('"')[0])  # in base64
        answers.append(made := client.post("/notes", data={"text": "milk", "csrf": token}))
        answers.append(note := client.get(made.headers["Location"]))
        answers.append(client.get(f"/notes/{made.json()['id']}", headers={"If-None-Match": note.headers["ETag"]}))
        answers.append(client.put(f"/notes/{made.json()['id']}", headers={"If-Match": note.headers["ETag"]}, content=b"bread"))
        answers.append(client.post("/links", json={"note_id": made.json()["id"], "why": "1"}))
        answers.append(client.post("/notes", headers={"X-CSRF-Token": token}, content=b"text=eggs"))
        answers.append(changed := client.get("/changed"))
        answers.append(client.get("/changed", headers={"If-Modified-Since": changed.headers["Last-Modified"]}))
    return [answer.status_code for answer in answers]


def record(folder: Path, parallel: bool) -> Path:
    (folder / "bridgecheck.toml").write_text(CONFIGURATION)
    with served("notes:app", "--app-dir", str(HERE)) as address, recording(address, folder / "today.exchange") as proxy:
        statuses = use(_base(proxy), parallel)
        assert statuses == [200, 200, 200, 201, 200, 304, 204, 200, 201, 200, 304]
        assert proxy.end()[0] == 0
    return folder


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return record(tmp_path_factory.mktemp("recorded"), parallel=False)


@pytest.fixture(scope="module")
def in_parallel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With a connection for each request, as a browser may have."""
    return record(tmp_path_factory.mktemp("recorded"), parallel=True)


def _base(proxy: Proxy) -> str:
    return f"http://{proxy.listen}"


def gate(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "bridgecheck", "gate", "notes:app", "--app-dir", str(HERE), "--taps", "recorded"]
    words = [*command, "--traffic", "today.exchange", *options]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=120, env=os.environ | {"COLUMNS": "200"})


@pytest.mark.parametrize("folder", ["recorded", "in_parallel"])
def test_each_value_is_found_and_named(folder: str, request: pytest.FixtureRequest) -> None:
    sessions, told = tap.carrying(request.getfixturevalue(folder) / "today.exchange")
    assert [line.replace("→", "to") for line in told] == [
        "bearer from the content of POST /login to 1 request",
        "session from Set-Cookie of POST /login to 10 requests",
        "csrf from the content of GET /form to 2 requests",
        "note-id from Location of POST /notes to 3 requests",
        "etag from ETag of GET /notes/9 to 2 requests",
        "note-id from the content of POST /notes to 1 request",
        "last-modified from Last-Modified of GET /changed to 1 request",
    ]
    assert len(sessions) == 1
    assert len(sessions[0]) == 11


def test_a_recording_fits_an_app_that_gives_other_values(in_parallel: Path) -> None:
    """One status of eleven that is another one would be too many."""
    done = gate(in_parallel, "--candidate", "bridge")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "carried, from an answer to later requests" in done.stderr
    report = json.loads((in_parallel / "bridgecheck-report" / "report.json").read_text())
    assert len(report["carried"]) == 7


def test_each_target_has_its_own(recorded: Path) -> None:
    """Granian gives other values than uvicorn, and none of its statuses differs."""
    done = gate(recorded, "--candidate", "granian")
    assert done.returncode == 1, done.stdout + done.stderr
    report = json.loads((recorded / "bridgecheck-report" / "report.json").read_text())
    assert not any("status" in bucket["title"] for bucket in report["buckets"])


def said(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Why there is no verdict; names without the numbers of what has the same name."""
    lines = done.stderr.partition("no verdict:\n")[2].splitlines()
    return [re.sub(r"\.[0-9]+:", ":", line.strip()) for line in lines]


def test_without_them_it_is_said_not_to_fit(recorded: Path) -> None:
    done = gate(recorded, "--candidate", "uvicorn", "--twin", "off", "--no-carry")
    assert done.returncode == 2, done.stdout + done.stderr
    assert said(done) == [
        "recorded: the reference gave the recorded status in 1 of 11 exchanges; this traffic is not of this app",
        "get-me: 200 recorded, 401 now",
        "get-form: 200 recorded, 401 now",
        "post-notes: 201 recorded, 401 now",
        "get-notes-9: 200 recorded, 401 now",
        "get-notes-9: 304 recorded, 401 now",
        "and 5 more",
    ]


def test_the_answer_that_should_have_given_a_value_is_named(recorded: Path, tmp_path: Path) -> None:
    (tmp_path / "today.exchange").write_bytes((recorded / "today.exchange").read_bytes())
    (tmp_path / "bridgecheck.toml").write_text('[app]\nenvironment = { TOKEN_KEY = "key" }\n')
    done = gate(tmp_path, "--candidate", "uvicorn", "--twin", "off")
    assert done.returncode == 2, done.stdout + done.stderr
    assert said(done) == [
        "recorded: the reference gave the recorded status in 10 of 11 exchanges; this traffic is not of this app",
        "get-me: 200 recorded, 401 now; takes bearer, which the answer to post-login did not give",
    ]
