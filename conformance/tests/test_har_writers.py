"""Files that Chromium, Firefox and mitmproxy wrote themselves: no secret of them is in what is imported, a cut one loses nothing before the
cut, and what is imported fits a shop that signs with another key."""

import html
import json
import random
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

import pytest

from bridgecheck.conformance._player import parse
from bridgecheck.conformance.taps import har, traffic
from bridgecheck.conformance.taps.secret import Secrets

from .test_import import bridgecheck

FILES = sorted((Path(__file__).parent / "data" / "real").glob("*.har"))
SHOPPING = [file for file in FILES if file.stem != "mitmproxy-chat"]
PASSWORDS = {"BRIDGECHECK_SECRET_PASSWORD": "grace-password", "BRIDGECHECK_SECRET_PASSWORD_2": "hunter22hunter"}


def secrets_of(file: Path) -> set[str]:
    """By what is known of the shop: cookies, the token of its login, that of its form, and the password."""
    found: set[str] = set()
    for entry in json.loads(file.read_text())["log"]["entries"]:
        found.update(_of_fields(entry["request"]["headers"]), _of_fields(entry["response"]["headers"]))
        found.update(re.findall(r"\w+\.[0-9a-f]{32}", entry["response"]["content"].get("text") or ""))
        form = parse_qs((entry["request"].get("postData") or {}).get("text") or "")
        found.update(value for name in ("password", "token") for value in form.get(name, []))
    return {secret for secret in found if len(secret) >= 8}


def _of_fields(fields: list[dict[str, Any]]) -> set[str]:
    found: set[str] = set()
    for name, value in ((pair["name"].lower(), pair["value"]) for pair in fields):
        if name == "cookie":
            found.update(pair.partition("=")[2] for pair in value.split("; "))
        elif name == "set-cookie":
            found.update(line.partition("=")[2].partition(";")[0] for line in value.split("\n"))
        elif name == "authorization":
            found.add(value.partition(" ")[2])
    return found


@pytest.mark.parametrize("file", SHOPPING, ids=lambda file: file.stem)
def test_no_secret_is_left(file: Path, tmp_path: Path) -> None:
    secrets = secrets_of(file)
    assert len(secrets) >= 4 and "grace-password" in secrets
    done = bridgecheck("import", file, "-o", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    data = (tmp_path / "out").read_bytes()
    plain = b"".join(octets for exchange in parse(data, "out") for _, _, octets in exchange.steps).decode()
    readings = data.decode() + plain + unquote(plain) + html.unescape(plain) + done.stderr
    assert [secret for secret in secrets if secret in readings] == []
    assert "BRIDGECHECK_SECRET_PASSWORD" in done.stderr
    assert done.stderr.count("\nscrubbed: ") == 1  # answers give the rest


@pytest.mark.parametrize("file", SHOPPING, ids=lambda file: file.stem)
def test_a_cut_one_loses_nothing_before_the_cut(file: Path, tmp_path: Path) -> None:
    octets = file.read_bytes().rstrip()
    whole, cut = har.read(file), tmp_path / "cut.har"
    counts = set()
    for size in random.Random(3).sample(range(len(octets)), 60):
        cut.write_bytes(octets[:size])
        found = har.read(cut)
        [error] = found.errors
        assert re.fullmatch(rf"{re.escape(str(cut))}:[0-9]+:[0-9]+: .+; [0-9]+ entries before that are whole", str(error), re.DOTALL)
        places = {entry.place for entry in found.entries}
        assert places == {entry.place for entry in whole.entries if int(entry.place.split()[1]) <= max(map(_number, places), default=0)}
        found.entries = Secrets().scrubbed(found.entries)
        text = f"bridgecheck-exchange 1\n{traffic.text(found, 'cut', traffic.carried(found.entries).givers)}"
        assert len(parse(text.encode(), "cut")) == len(found.entries)
        counts.add(len(found.entries))
    assert len(counts) > 5


def _number(place: str) -> int:
    return int(place.split()[1])


def test_messages_of_a_websocket_are_said_again_without_their_secrets(tmp_path: Path) -> None:
    [file] = [file for file in FILES if file not in SHOPPING]
    done = bridgecheck("import", file, "-o", "out", cwd=tmp_path)
    assert done.returncode == 0 and "hunter22hunter" in file.read_text()
    assert done.stderr.splitlines()[1:] == [
        "scrubbed: key password of GET /chat/lobby, entry 1; to give it again set BRIDGECHECK_SECRET_PASSWORD and import once more"
    ]
    text = (tmp_path / "out").read_text()
    assert "hunter22hunter" not in text
    assert text.count("\nwait message") == text.count("\nframe text") + 1 == 4 and text.count("\nframe binary") == 1


@pytest.mark.slow
def test_they_pass_the_gate(tmp_path: Path) -> None:
    done = bridgecheck("import", *FILES, "--origin-filter", "127.0.0.1", "-o", "out", cwd=tmp_path, environment=PASSWORDS)
    assert done.returncode == 0 and "scrubbed" not in done.stderr, done.stderr
    words = ["gate", "bridgecheck.demo.shop:app", "--candidate", "uvicorn", "--taps", "recorded", "--traffic", "out"]
    done = bridgecheck(*words, cwd=tmp_path, environment={"SHOP_SECRET": "another"})
    assert done.returncode == 0, done.stdout + done.stderr
    report = json.loads((tmp_path / "bridgecheck-report" / "report.json").read_text())
    assert ("WEBSOCKET /chat/{room}", 1) in [(row["route"], row["played"]) for row in report["routes"]]
    carried = {line.partition(" (")[0].partition(" →")[0] for line in report["carried"]}
    assert carried >= {
        "bearer from the content of POST /login",
        "cart from Set-Cookie of POST /cart/lines",
        "order-id from Location of POST /orders",
        "etag from ETag of GET /search",
        "csrf from Set-Cookie of GET /contact",
    }
