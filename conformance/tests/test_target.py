"""A target's life: when it is ready, what is said when it is not, its state, how it ends, and that nothing of it is left."""

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bridgecheck.conformance.errors import NotReady, UsageError
from bridgecheck.conformance.targets import target as module
from bridgecheck.conformance.targets.server import parse_server
from bridgecheck.conformance.targets.target import App, Target, start_all, stop_all

from .watched import get, pids, running, until

HERE = Path(__file__).parent
SERVED = App("served:app", app_dir=str(HERE))
PYTHON = "{python} -c '%s' {app} {host} {port}"
DEAF = PYTHON % 'print("up, but deaf", flush=True); import time; time.sleep(60)'
STUBBORN = PYTHON % (
    "import os, signal, socket, subprocess, sys, time; "
    "signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    'subprocess.Popen(["setsid", "sleep", "60"]); '
    "s = socket.create_server((sys.argv[2], int(sys.argv[3])))\nwhile True: s.accept()"
)


@pytest.fixture
def made() -> Iterator[list[Target]]:
    """Targets that are stopped in the end, whatever happens."""
    targets: list[Target] = []
    yield targets
    stop_all(targets)


def make(made: list[Target], server: str = "uvicorn", app: App = SERVED, *, name: str = "candidate", timeout: float = 30) -> Target:
    made.append(Target(name, parse_server(server), app, python=sys.executable, start_timeout=timeout))
    return made[-1]


def not_ready(target: Target) -> str:
    with pytest.raises(NotReady) as error:
        target.start()
    assert error.value.exit_code == 3
    assert target.folder is None and target.pid == 0
    assert pids(os.getpid()) == [os.getpid()]
    return str(error.value)


# --- ready ------------------------------------------------------------------------------------------------------------------------------


def test_the_players_view_of_a_running_target(made: list[Target]) -> None:
    target = make(made)
    target.start()
    address = target.address()
    assert (address["name"], address["host"], address["port"], address["pid"]) == ("candidate", "127.0.0.1", target.port, target.pid)
    assert os.path.isdir(address["trace"]) and os.path.isdir(os.path.dirname(address["doorbell"]))
    assert get(target, "/BRIDGECHECK_TRACE") == address["trace"]
    assert get(target, "/BRIDGECHECK_DOORBELL") == address["doorbell"]


@pytest.mark.parametrize("server", ["uvicorn", "gunicorn", "granian", "hypercorn", "uvicorn:workers=2"])
def test_ready_is_when_a_process_that_has_the_app_takes_connections(made: list[Target], server: str, tmp_path: Path) -> None:
    """Servers that listen before their workers have imported the app would be asked too early."""
    (tmp_path / "late.py").write_text("import os, time\ntime.sleep(0.5)\nopen(os.environ['LATE'], 'w').close()\nfrom served import app\n")
    late = tmp_path / "imported"
    app = App("late:app", app_dir=str(tmp_path), environment={"LATE": str(late), "PYTHONPATH": str(HERE)})
    make(made, server, app).start()
    assert late.exists()


def test_a_server_that_ends_at_once_shows_command_code_and_last_lines(made: list[Target]) -> None:
    message = not_ready(make(made, PYTHON % 'print("no licence"); exit(7)'))
    assert "ended with exit code 7" in message
    assert "no licence" in message
    assert f"command: {sys.executable} -c" in message


def test_only_the_last_lines_are_shown(made: list[Target]) -> None:
    message = not_ready(make(made, PYTHON % "for i in range(50): print(1000 + i)\nexit(1)"))
    assert [line.strip() for line in message.splitlines()[-20:]] == [str(1030 + i) for i in range(20)]
    assert "1029" not in message


def test_a_server_that_never_listens_is_given_up_in_time(made: list[Target]) -> None:
    message = not_ready(make(made, DEAF, timeout=0.5))
    assert "did not listen on port" in message and "within 0.5 s" in message
    assert "up, but deaf" in message


def test_a_command_that_does_not_exist(made: list[Target]) -> None:
    message = not_ready(make(made, "no-such-server-here {app} {port}"))
    assert "cannot be started" in message and "No such file or directory" in message and "no-such-server-here" in message


def test_an_app_that_fails_in_lifespan_shows_the_servers_words(made: list[Target]) -> None:
    message = not_ready(make(made, app=replace(SERVED, reference="served:fails_in_lifespan")))
    assert "ended with exit code 3" in message
    assert "the database is gone" in message


@pytest.mark.parametrize("server", ["uvicorn", "granian", "hypercorn", "daphne", "gunicorn"])
def test_an_app_that_raises_at_import_is_never_ready(made: list[Target], server: str, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise RuntimeError('boom')\n")
    assert "RuntimeError: boom" in not_ready(make(made, server, App("broken:app", app_dir=str(tmp_path))))


# --- ports ------------------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def neighbour() -> Iterator[int]:
    """The port of another process's server, here our own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("server", ["uvicorn", "granian", DEAF])
def test_a_port_that_another_process_has_is_not_taken_for_the_target(
    made: list[Target], server: str, neighbour: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_free_port", lambda: neighbour)
    target = make(made, server)
    assert "on 3 ports that were free, another process was found" in not_ready(target)
    assert target.starts == 3


def test_a_port_that_is_bound_and_does_not_listen_is_taken_too(made: list[Target], monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        monkeypatch.setattr(module, "_free_port", lambda: other.getsockname()[1])
        assert "another process was found" in not_ready(make(made))


def test_what_a_server_leaves_behind_is_not_another_process(made: list[Target]) -> None:
    leaves = PYTHON % (
        "import os, socket, sys, time; s = socket.socket(); s.bind((sys.argv[2], int(sys.argv[3])))\n"
        "if os.fork(): os._exit(7)\n"
        "time.sleep(60)"
    )
    target = make(made, leaves)
    assert "ended with exit code 7 before it listened" in not_ready(target)
    assert target.starts == 1


def test_another_port_is_tried(made: list[Target], neighbour: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real, ports = module._free_port, [neighbour, neighbour]
    monkeypatch.setattr(module, "_free_port", lambda: ports.pop() if ports else real())
    target = make(made)
    target.start()
    assert target.starts == 3 and target.port != neighbour
    assert get(target, "/hello") == "hello"


def test_targets_that_start_side_by_side_are_not_given_one_port(made: list[Target], monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two servers that share their port (SO_REUSEPORT), each would be ready."""
    shares = PYTHON % (
        "import socket, sys; s = socket.socket(); s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1); "
        "s.bind((sys.argv[2], int(sys.argv[3]))); s.listen()\nwhile True: s.accept()"
    )
    real, named = module._free_port, iter([first := module._free_port()] * 2)
    monkeypatch.setattr(module, "_free_port", lambda: next(named, None) or real())
    start_all([make(made, shares, name="reference"), make(made, shares)])
    ports = [target.port for target in made]
    assert first in ports and len(set(ports)) == 2 and next(named, None) is None
    assert [target.starts for target in made] == [1, 1]


def test_a_connection_that_is_accepted_and_closed_at_once_is_ready(made: list[Target]) -> None:
    closes = PYTHON % "import socket, sys; s = socket.create_server((sys.argv[2], int(sys.argv[3])))\nwhile True: s.accept()[0].close()"
    target = make(made, closes)
    target.start()
    assert target.died() is None


# --- state and environment --------------------------------------------------------------------------------------------------------------


def test_each_start_has_a_fresh_copy_of_the_state(made: list[Target], tmp_path: Path) -> None:
    (tmp_path / "shop.sqlite").write_text("origin ")
    (tmp_path / "uploads" / "deep").mkdir(parents=True)
    (tmp_path / "uploads" / "deep" / "one").write_text("1")
    state = [str(tmp_path / "shop.sqlite"), str(tmp_path / "uploads")]
    target = make(made, app=replace(SERVED, state=state, environment={"STATE": "{workdir}/shop.sqlite"}))
    target.start()
    get(target, "/write")
    assert get(target, "/read") == "origin written"
    assert target.folder is not None and (target.folder / "work" / "uploads" / "deep" / "one").read_text() == "1"
    target.restart()
    assert get(target, "/read") == "origin "
    assert (tmp_path / "shop.sqlite").read_text() == "origin "
    assert target.starts == 2


def test_target_and_workdir_are_replaced_in_the_environment_and_no_more(made: list[Target], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INHERITED", "from outside")
    environment = {"WHO": "{target}", "WHERE": "{workdir}/x", "JSON": '{"a": {}}'}
    target = make(made, app=replace(SERVED, environment=environment), name="twin")
    target.start()
    assert target.folder is not None
    assert get(target, "/WHO") == "twin"
    assert get(target, "/WHERE") == f"{target.folder}/work/x"
    assert get(target, "/JSON") == '{"a": {}}'
    assert get(target, "/INHERITED") == "from outside"


def test_the_search_path_is_the_observer_then_the_app_then_what_was_there(made: list[Target], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/was/there")
    target = make(made)
    target.start()
    observer, app_dir, before = get(target, "/PYTHONPATH").split(os.pathsep)
    assert os.listdir(observer)[0:1] and os.path.exists(os.path.join(observer, "bridgecheck_observer"))
    assert (app_dir, before) == (str(HERE), "/was/there")


def test_state_that_is_not_there_is_a_usage_error(made: list[Target]) -> None:
    target = make(made, app=replace(SERVED, state=["/nowhere/shop.sqlite"]))
    with pytest.raises(UsageError, match="/nowhere/shop.sqlite"):
        target.start()
    assert target.folder is None


# --- the end ----------------------------------------------------------------------------------------------------------------------------


def test_a_target_that_exits_says_so_with_its_last_lines(made: list[Target]) -> None:
    target = make(made)
    target.start()
    assert target.died() is None
    with pytest.raises(OSError):
        get(target, "/exit")
    story = until(target.died)
    assert story.splitlines()[0] == "exit code 9"
    assert "the last words" in story


def test_a_target_that_is_killed_says_by_what(made: list[Target]) -> None:
    target = make(made)
    target.start()
    os.kill(target.pid, signal.SIGKILL)
    assert until(target.died).splitlines()[0] == "signal 9 (SIGKILL)"


def test_a_signal_reaches_the_server(made: list[Target]) -> None:
    target = make(made)
    target.start()
    target.signal(signal.SIGTERM)
    assert target.wait_ended(20) == "signal 15 (SIGTERM)"  # uvicorn raises it again, once it has shut down
    assert "Finished server process" in (target.died() or "")
    target.signal(signal.SIGTERM)  # to nobody


def test_a_target_whose_guard_is_killed_has_died(made: list[Target]) -> None:
    target = make(made)
    target.start()
    family = pids(target.pid)
    os.kill(target._guard, signal.SIGKILL)
    assert until(target.died).splitlines()[0] == "its guard was killed"
    assert until(lambda: not running(family))
    target.stop()


def test_what_does_not_stop_by_itself_is_killed_with_its_descendants(made: list[Target], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TERM_PATIENCE", 0.3)
    target = make(made, STUBBORN)
    target.start()
    family = until(lambda: len(pids(target.pid)) == 2 and pids(target.pid))
    target.stop()
    assert running(family) == []
    target.stop()  # once is enough, twice is allowed


def test_where_nothing_is_lost_nothing_is_waited_for(made: list[Target], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TERM_PATIENCE", 60)
    target = make(made, STUBBORN, app=replace(SERVED, disposable=True))
    target.start()
    family = until(lambda: len(pids(target.pid)) == 2 and pids(target.pid))
    begin = time.monotonic()
    target.stop()
    assert running(family) == [] and time.monotonic() - begin < 30


def test_a_target_can_be_started_again_after_it_died(made: list[Target]) -> None:
    target = make(made)
    target.start()
    os.kill(target.pid, signal.SIGKILL)
    assert until(target.died)
    target.restart()
    assert target.died() is None
    assert get(target, "/hello") == "hello"


def test_two_starts_at_once_are_a_mistake(made: list[Target]) -> None:
    target = make(made)
    target.start()
    with pytest.raises(RuntimeError, match="runs already"):
        target.start()
    assert get(target, "/hello") == "hello"


# --- what it uses -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("server", ["uvicorn", "granian:workers=2"])
def test_cpu_time_is_that_of_all_processes_and_is_kept_when_they_end(made: list[Target], server: str) -> None:
    target = make(made, server)
    assert target.cpu_seconds() == 0
    target.start()
    before = target.cpu_seconds()
    get(target, "/burn")
    burnt = target.cpu_seconds()
    assert burnt - before >= 0.29
    assert target.resident_bytes() > 10 << 20
    target.restart()
    assert target.cpu_seconds() >= burnt
    target.stop()
    assert target.cpu_seconds() >= burnt
    assert target.resident_bytes() == 0


# --- several ----------------------------------------------------------------------------------------------------------------------------


def test_targets_start_side_by_side(made: list[Target]) -> None:
    targets = [make(made, name=name) for name in ("reference", "twin", "candidate")]
    start_all(targets)
    assert len({target.port for target in targets}) == 3
    assert [get(target, "/hello") for target in targets] == ["hello"] * 3
    assert threading.active_count() == 1


def test_where_one_is_not_ready_none_is_left_and_its_error_is_told(made: list[Target], monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    plain = Target._not_ready
    monkeypatch.setattr(Target, "_not_ready", lambda self, why: said.append(why) or plain(self, why))
    targets = [make(made), make(made, DEAF, timeout=60), make(made, PYTHON % 'print("no licence"); exit(7)', name="third")]
    with pytest.raises(NotReady, match="third .* exit code 7"):
        start_all(targets)
    assert pids(os.getpid()) == [os.getpid()]
    assert "given up, since another target is not ready" in said
    start_all(targets[:1])  # a start that was given up is no obstacle to the next
    assert get(targets[0], "/hello") == "hello"


HOLDER = """
import sys, time
from bridgecheck.conformance.targets.server import parse_server
from bridgecheck.conformance.targets.target import App, Target, start_all

app = App("served:app", app_dir=sys.argv[1])
targets = [Target(server, parse_server(server), app, python=sys.executable, start_timeout=100) for server in sys.argv[2:]]
print("starting", flush=True)
start_all(targets)
print("started", flush=True)
time.sleep(60)
"""


def holder(*servers: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", textwrap.dedent(HOLDER), str(HERE), *servers]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_when_the_process_that_holds_them_ends_nothing_is_left(how: signal.Signals) -> None:
    with holder("granian:workers=2", "uvicorn:workers=2", "gunicorn", STUBBORN) as process:
        assert process.stdout is not None
        assert [process.stdout.readline(), process.stdout.readline()] == ["starting\n", "started\n"]
        family = until(lambda: len(pids(process.pid)) >= 1 + 4 + 3 + 4 + 2 + 2 and pids(process.pid))
        assert family, "guards, servers and workers"
        process.send_signal(how)
        process.wait(20)
        assert until(lambda: not running(family), 2), running(family)


def test_ctrl_c_while_targets_start_leaves_nothing() -> None:
    with holder("uvicorn", DEAF) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "starting\n"
        family = until(lambda: len(pids(process.pid)) >= 5 and pids(process.pid))
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
        assert "KeyboardInterrupt" in errors
        assert until(lambda: not running(family), 2), running(family)
