"""Target: one server with one app under the observer, on a port and a state of its own, started and stopped as often as wanted.

Owns the target's folder, its guard and when it counts as ready. Knows no server's name; never sends a request.
"""

import contextlib
import os
import select
import shlex
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import _guard, adapters
from ..adapters import Start
from ..errors import BridgecheckError, NotReady, UsageError
from . import processes
from .application import App, check_app
from .folder import Folder
from .installation import installed, not_installed
from .interpreter import last_lines
from .processes import Peer
from .server import Server

if TYPE_CHECKING:
    from .. import _player

__all__ = ["App", "Target", "check_app", "start_all", "stop_all"]

HOST = "127.0.0.1"
PORT_TRIES = 3
FIRST_LOOK, LONGEST_LOOK = 0.01, 0.1  # seconds between two looks whether it listens
TERM_PATIENCE = 5.0  # seconds that a server has to stop by itself
KILL_PATIENCE = 10.0  # seconds until what was killed must be gone
LEAVE_PATIENCE = 0.25  # seconds that a server has to close a connection that we have closed
LOG_TAIL = 64 << 10
UNIX_PATH_MAX = 107


class _PortTaken(Exception):
    """Somebody else listens on the port that was chosen."""


class Target:
    """`start` and `stop` in turn, any number of times; each start has a new port, folder and copy of the state."""

    def __init__(self, name: str, server: Server, app: App, *, python: str, start_timeout: float = 30.0) -> None:
        self.name = name
        self.server = server
        self.app = app
        self.python = os.path.abspath(python) if os.sep in python else shutil.which(python) or python
        self.start_timeout = start_timeout
        self.host = HOST
        self.port = 0
        self.pid = 0  # of the server
        self.starts = 0
        self.folder: Path | None = None  # of the present start
        self._folder: Folder | None = None
        self._adapter = adapters.load(server.name)
        self._command: list[str] = []
        self._control: socket.socket | None = None
        self._guard = 0
        self._ended = ""  # how the server ended
        self._over = False  # and all its descendants
        self._past_seconds = 0.0  # CPU of earlier starts
        self._cancelled = threading.Event()
        self._ports = _Ports()

    # --- its life -----------------------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Start on fresh state and wait until it is ready. Raises NotReady, with nothing left running."""
        self._must_not_run()
        try:
            self._begin().close()
        except BaseException:
            self.stop()
            raise

    def begin(self) -> bool:
        """Start on fresh state and wait until it is ready or has ended, or the time for that is over; say whether it is ready. Whatever
        became of it, stop() clears away what is left. Raises NotReady where there is nothing to be run."""
        self._must_not_run()
        try:
            client = self._begin()
        except NotReady:
            if self._control is None:
                raise
            return False
        with client, contextlib.suppress(OSError):  # a server that counts its connections must not count this one among an exchange's
            client.shutdown(socket.SHUT_WR)
            client.settimeout(LEAVE_PATIENCE)
            client.recv(1)
        return True

    def anew(
        self, options: Sequence[tuple[str, str | None]], environment: Mapping[str, str], *, start_timeout: float, observed: bool = True
    ) -> "Target":
        """Another target, the same but for these options behind its own and these variables in its app's environment; or without the
        observer."""
        server = replace(self.server, options=(*self.server.options, *options))
        app = replace(self.app, environment={**self.app.environment, **environment}, observed=observed)
        return Target(self.name, server, app, python=self.python, start_timeout=start_timeout)

    def stop(self) -> None:
        """SIGTERM, some patience unless the app is disposable, then SIGKILL for whatever is left. Does nothing where nothing runs."""
        stop_all([self])

    def kill(self) -> None:
        """SIGKILL for whatever is left. Does nothing where nothing runs."""
        self._stopped_by(time.monotonic())

    def restart(self) -> None:
        """Stop, and start on fresh state."""
        self.stop()
        self.start()

    def cancel(self) -> None:
        """From another thread: a start that waits gives up, and so does every later one until start_all() begins anew."""
        self._cancelled.set()

    def signal(self, number: signal.Signals) -> None:
        """Send the server a signal, as its operator would."""
        if self._control is None:
            raise RuntimeError(f"{self.name} does not run")
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has ended: died() tells
            self._control.send(bytes([number]))

    def wait_ended(self, seconds: float) -> str | None:
        """How the server ended, if it does within the time."""
        deadline = time.monotonic() + seconds
        while not self._ended and self._listen(deadline - time.monotonic()):
            pass
        return self._ended or None

    def gone(self) -> bool:
        """Whether it has ended by now, with all its descendants."""
        while self._listen(0):
            pass
        return self._over

    @property
    def fate(self) -> str:
        """How the server ended, or `running`."""
        return self._ended or "running"

    def died(self) -> str | None:
        """None while it runs. Else how it ended ("exit code 3", "signal 9 (SIGKILL)") on the first line, which is the same each time, and
        what the server wrote last on the following ones, which need not be."""
        while self._listen(0):
            pass
        return "\n".join([self._ended, *self.last_lines()]) if self._ended else None

    def last_lines(self) -> Sequence[str]:
        """What it wrote last, in this start."""
        if self.folder is None:
            return []
        try:
            with open(self.folder / "output", "rb") as output:
                output.seek(max(0, output.seek(0, os.SEEK_END) - LOG_TAIL))
                return last_lines(output.read())
        except OSError:
            return []

    # --- what it is ---------------------------------------------------------------------------------------------------------------------

    def address(self) -> "_player.Target":
        """Where the player finds it."""
        if self.folder is None:
            raise RuntimeError(f"{self.name} does not run")
        return {
            "name": self.name,
            "host": self.host,
            "port": self.port,
            "trace": str(self.folder / "trace"),
            "doorbell": str(self.folder / "doorbell"),
            "pid": self.pid,
        }

    def describe(self) -> dict[str, Any]:
        """What was given, and what the interpreter says that this comes to. Nothing has to run."""
        start = Start(self.python, self.app.imported, self.host, 1, "workdir", self.server.options, self.server.template)
        environment = {**self.app.variables(), **self._adapter.environment(start)}
        return {
            "name": self.name,
            "given": self.server.given,
            **installed(self.python, self.server.name, self._adapter.arguments(start), environment),
        }

    def cpu_seconds(self) -> float:
        """CPU time of all its processes, also those that have ended, over all starts."""
        running = processes.family(self._guard) if self._guard else []
        return self._past_seconds + sum(process.own_seconds + process.waited_seconds for process in running)

    def resident_bytes(self) -> int:
        """Resident memory of all its processes; what they share counts for each."""
        return sum(process.resident for process in processes.family(self.pid)) if self.pid else 0

    # --- how --------------------------------------------------------------------------------------------------------------------------

    def _must_not_run(self) -> None:
        if self._control is not None:
            raise RuntimeError(f"{self.name} runs already")

    def _begin(self) -> socket.socket:
        """Start, and give the first connection that it took."""
        for _ in range(PORT_TRIES):
            try:
                self._launch(self._ports.free_for(self))
                return self._wait()
            except _PortTaken:
                self.stop()
        raise self._not_ready(f"on {PORT_TRIES} ports that were free, another process was found")

    def _launch(self, port: int) -> None:
        self.port = port
        self._folder = Folder()
        self.folder = self._folder.path
        self._ended, self._over = "", False
        trace, doorbell, workdir = self.folder / "trace", self.folder / "doorbell", self.folder / "work"
        if len(os.fsencode(doorbell)) > UNIX_PATH_MAX:
            raise UsageError(f"{doorbell}: too long for a socket; set TMPDIR to a shorter one")
        trace.mkdir()
        workdir.mkdir()
        self.app.copy_state(workdir)
        start = Start(self.python, self.app.imported, self.host, port, str(workdir), self.server.options, self.server.template)
        self._command = self._adapter.command(start)
        environment = {
            **self.app.variables(self.name, str(workdir)),
            **self._adapter.environment(start),
            "BRIDGECHECK_TRACE": str(trace),
            "BRIDGECHECK_DOORBELL": str(doorbell),
        }
        with open(self.folder / "output", "wb") as output:
            try:
                self._guard, self.pid, control = _guard.spawn(
                    tuple(os.fsencode(word) for word in self._command),
                    tuple(os.fsencode(f"{key}={value}") for key, value in environment.items()),
                    os.fsencode(os.getcwd()),
                    output.fileno(),
                )
            except OSError as error:
                raise self._not_ready(f"cannot be started: {error}") from None
        self._control = socket.socket(fileno=control)
        self.starts += 1

    def _wait(self) -> socket.socket:
        """Until it is ready: a connection is made, and taken by a process of this target."""
        begin = time.monotonic()
        look = FIRST_LOOK
        client: socket.socket | None = None
        peer: Peer | None = None
        try:
            while True:
                client = client or _connect(self.host, self.port)
                if client is not None:
                    before, peer = peer, processes.peer(client, self.port, self._guard)
                    # What may have been a moment between two looks must be seen twice.
                    if peer is Peer.ACCEPTED or peer is before is Peer.CLOSED:
                        taken, client = client, None
                        return taken
                    if peer is before is Peer.FOREIGN:
                        raise _PortTaken
                    if peer is not Peer.QUEUED:
                        client.close()
                        client = None
                if self._cancelled.is_set():
                    raise self._not_ready("given up, since another target is not ready")
                left = begin + self.start_timeout - time.monotonic()
                if left <= 0:
                    break
                while not self._ended and self._listen(min(look, left)):
                    pass
                if self._ended:
                    while self._listen(KILL_PATIENCE):  # what it left behind may hold the port for a moment
                        pass
                    if not _is_free(self.port):
                        raise _PortTaken
                    raise self._not_ready(f"ended with {self._ended} before it listened on port {self.port}")
                look = min(look * 1.5, LONGEST_LOOK)
            if client is not None and peer is Peer.QUEUED:  # it listens, and only takes its time to accept
                taken, client = client, None
                return taken
        finally:
            if client is not None:
                client.close()
        raise self._not_ready(f"did not listen on port {self.port} within {self.start_timeout:g} s")

    def _listen(self, seconds: float) -> bool:
        """Read one report of the guard, waiting for it. False if there is none."""
        if self._control is None:
            return False
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        if not poll.poll(max(0, int(seconds * 1000 + 0.999))):
            return False
        try:
            message = self._control.recv(64)
        except ConnectionResetError:
            message = b""
        if not message:
            self._ended, self._over = self._ended or "its guard was killed", True
            return False
        kind, value = _guard.report(message)
        if kind == "exited":
            self._ended = f"exit code {value}"
        elif kind == "signalled":
            self._ended = f"signal {value} ({signal.Signals(value).name})" if value in set(signal.Signals) else f"signal {value}"
        return True

    def _ask_to_stop(self) -> None:
        if self._control is not None and not self.app.disposable:
            self.signal(signal.SIGTERM)

    def _stopped_by(self, deadline: float) -> None:
        """Wait until the server has ended, kill what has not by then, and clear away its folder."""
        if self._control is not None:
            if not self.app.disposable:
                self.wait_ended(deadline - time.monotonic())
            with contextlib.suppress(OSError):
                self._control.shutdown(socket.SHUT_WR)  # which tells the guard to kill
            deadline = time.monotonic() + KILL_PATIENCE
            while self._listen(deadline - time.monotonic()):
                pass
            stuck = time.monotonic() >= deadline
            self._control.close()
            self._control = None
            if stuck:
                raise BridgecheckError(f"{self.name}: its processes under {self._guard} were killed and are still there")
            with contextlib.suppress(ChildProcessError):
                usage = os.wait4(self._guard, 0)[2]
                self._past_seconds += usage.ru_utime + usage.ru_stime
            self._guard = self.pid = 0
        if self._folder is not None:
            self._folder.remove()
            self._folder = self.folder = None

    def _not_ready(self, why: str) -> NotReady:
        lines = self.last_lines()
        if missing := not_installed(self.python, self._adapter, self.app.variables(self.name)):
            why = (
                f"{why}\n  {self.server.name} is not installed for {self.python}; this installs it: {self.python} -m pip install {missing}"
            )
        said = ["  it wrote last:", *(f"    {line}" for line in lines)] if lines else ["  it wrote nothing"]
        return NotReady("\n".join([f"{self.name} ({self.server.given}) {why}", f"  command: {shlex.join(self._command)}", *said]))


class _Ports:
    """Free ports for targets that start side by side. The kernel may name one port twice before a server has bound it; one target would
    then meet the other's server where it looks for its own."""

    def __init__(self) -> None:
        self._owners: dict[int, Target] = {}
        self._lock = threading.Lock()

    def free_for(self, target: Target) -> int:
        with self._lock:
            while True:
                port = _free_port()
                if self._owners.setdefault(port, target) is target:
                    return port


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # past connections do not count
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _connect(host: str, port: int) -> socket.socket | None:
    try:
        client = socket.create_connection((host, port), timeout=1)
    except OSError:
        return None
    if client.getsockname() == client.getpeername():  # where nobody listens, the kernel may choose that very port for us
        client.close()
        return None
    return client


def start_all(targets: Sequence[Target], how: Callable[[Target], object] = Target.start) -> None:
    """Start all side by side. Where one cannot be, none is left running, and its error is raised."""
    failures: list[BaseException] = []

    def start(target: Target, over: threading.Event) -> None:
        try:
            how(target)
        except BaseException as error:
            failures.append(error)  # the first one is the cause; the others give up because of it
            for other in targets:
                other.cancel()
        finally:
            over.set()

    # Events, since a join that Ctrl-C interrupts takes a running thread for one that has ended (CPython 3.11).
    overs = [threading.Event() for _ in targets]
    threads = [threading.Thread(target=start, args=pair, daemon=True) for pair in zip(targets, overs, strict=True)]
    ports = _Ports()
    for target in targets:
        target._cancelled.clear()
        target._ports = ports
    try:
        for thread in threads:
            thread.start()
        for over in overs:
            over.wait()
    except BaseException:  # Ctrl-C
        for target in targets:
            target.cancel()
        for thread, over in zip(threads, overs, strict=True):
            if thread.ident is not None:
                over.wait()
        stop_all(targets)
        raise
    if failures:
        stop_all(targets)
        raise failures[0]


def stop_all(targets: Sequence[Target]) -> None:
    """Stop all side by side: it takes as long as the slowest."""
    for target in targets:
        target._ask_to_stop()
    deadline = time.monotonic() + TERM_PATIENCE
    failures = []
    for target in targets:
        try:
            target._stopped_by(deadline)
        except BridgecheckError as error:
            failures.append(error)
    if failures:
        raise failures[0]
