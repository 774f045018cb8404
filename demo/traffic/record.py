"""Record the clients anew, each on a new database: uvicorn, `bridgecheck record` before it, and the client's script.

    .venv/bin/python demo/traffic/record.py [curl httpx websockets browser]

It takes the ports 8000, 8001 and 3000 of 127.0.0.1, which stand in the recorded fields, so that these change only where the clients do.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).parent
SERVER, RECORDER = 8001, 8000
PYTHON = sys.executable
CLIENTS = {
    "curl": ["sh", HERE / "curl.sh"],
    "httpx": [PYTHON, HERE / "httpx_client.py"],
    "websockets": [PYTHON, HERE / "websockets_client.py"],
    "browser": [PYTHON, HERE / "browser.py"],
}
KEPT_ALIVE = ("curl", "httpx")  # whose scripts have a second part, recorded as whole connections


def origin(client: str) -> str:
    if client in ("httpx", "websockets"):
        return f"{client} {version(client)}"
    program = {"browser": "chromium"}.get(client, client)
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    number = re.search(r"[0-9][0-9.]+", said)
    return f"{program} {number[0] if number else said.strip()}"


@contextmanager
def listening(port: int, *words: object, **environment: str) -> Iterator[None]:
    """A program that listens on PORT, until Ctrl-C."""
    with subprocess.Popen([*map(str, words)], env={**os.environ, **environment}) as process:
        try:
            while True:
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    if process.poll() is not None:
                        sys.exit(f"not there: {words}")
                    time.sleep(0.05)
            yield
        finally:
            process.send_signal(signal.SIGINT)


def record(client: str, file: Path, options: list[str], arguments: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        uvicorn = (PYTHON, "-m", "uvicorn", "bridgecheck.demo.shop:app", "--port", SERVER, "--log-level", "error")
        addresses = ("--listen", f"127.0.0.1:{RECORDER}", "--upstream", f"127.0.0.1:{SERVER}")
        recorder = (PYTHON, "-m", "bridgecheck", "record", *addresses, "--origin", origin(client), *options, "-o", file)
        with listening(SERVER, *uvicorn, SHOP_DATABASE=f"{folder}/shop.sqlite"), listening(RECORDER, *recorder):
            subprocess.run([*map(str, CLIENTS[client]), *arguments], env={**os.environ, "SHOP": f"http://127.0.0.1:{RECORDER}"}, check=True)


for client in sys.argv[1:] or CLIENTS:
    file = HERE / f"{client}.exchange"
    file.unlink(missing_ok=True)
    record(client, file, [], [])
    if client in KEPT_ALIVE:
        record(client, file, ["--append", "--exchange", "connection"], ["kept-alive"])
    file.chmod(0o644)
