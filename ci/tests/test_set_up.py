"""The scripts under make: each failure is one line that names what is missing, and nothing half-made passes as whole."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CI = Path(__file__).resolve().parent.parent


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


class Machine:
    """Stand-ins before the real programs on PATH, so that no test ever installs a package."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        script(folder / "id", "echo 1000")
        script(folder / "sudo", "exit 1")
        script(folder / "apt-get", "exit 1")
        script(folder / "cc", f"test -e {folder}/installed")

    def allow(self, apt_get: str) -> None:
        script(self.folder / "sudo", 'shift; exec "$@"')
        script(self.folder / "apt-get", f'echo "$*" >>{self.folder}/apt-get.log\n{apt_get}')

    def bootstrap(self, *needs: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PATH": f"{self.folder}:{os.environ['PATH']}", "CC": "cc"}
        return subprocess.run([CI / "bootstrap", *needs], env=environment, capture_output=True, text=True, timeout=60)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_bootstrap_says_nothing_where_nothing_is_missing(machine: Machine) -> None:
    (machine.folder / "installed").touch()
    done = machine.bootstrap("cmocka")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_bootstrap_names_packages_in_one_line_where_it_may_not_install(machine: Machine) -> None:
    done = machine.bootstrap("cmocka")
    assert done.returncode == 1
    assert done.stderr == "bridgecheck needs these Debian packages, and may not install them here: libcmocka-dev\n"


def test_bootstrap_installs_with_passwordless_sudo(machine: Machine) -> None:
    machine.allow(f"touch {machine.folder}/installed")
    done = machine.bootstrap("cmocka")
    assert (done.returncode, done.stderr) == (0, "installing Debian packages: libcmocka-dev\n")
    assert (machine.folder / "apt-get.log").read_text() == "update\ninstall -y --no-install-recommends libcmocka-dev\n"


def test_bootstrap_shows_why_apt_get_failed(machine: Machine) -> None:
    machine.allow("echo E: no such mirror >&2; exit 100")
    done = machine.bootstrap("cmocka")
    assert done.returncode == 1
    assert "E: no such mirror\n" in done.stderr
    assert "could not install them: libcmocka-dev" in done.stderr.splitlines()[-1]


def test_bootstrap_says_when_an_installed_package_does_not_help(machine: Machine) -> None:
    machine.allow("exit 0")
    done = machine.bootstrap("cmocka")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("bootstrap: installed, yet not usable here: libcmocka-dev")


def test_bootstrap_names_zlib_where_the_bridge_could_not_be_linked(machine: Machine) -> None:
    script(machine.folder / "cc", 'case "$*" in *-lz*) exit 1; esac')
    assert "may not install them here: zlib1g-dev\n" in machine.bootstrap("cmocka", "zlib").stderr


def test_bootstrap_prints_a_python_with_venv_and_headers(machine: Machine) -> None:
    (machine.folder / "installed").touch()
    done = machine.bootstrap("python")
    found = "import sys, sysconfig, venv; print(sys.version_info >= (3, 11), sysconfig.get_path('include'))"
    new_enough, include = subprocess.run([done.stdout.strip(), "-c", found], capture_output=True, text=True, check=True).stdout.split()
    assert new_enough == "True"
    assert Path(include, "Python.h").is_file()


def test_bootstrap_names_a_program_that_is_not_on_path(machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in ("bash", "echo", "env", "xargs"):
        (tools / tool).symlink_to(shutil.which(tool) or tool)
    monkeypatch.setenv("PATH", str(tools))
    done = machine.bootstrap("wrk")
    assert (done.returncode, done.stderr) == (1, "bridgecheck needs these Debian packages, and may not install them here: wrk\n")
    script(machine.folder / "wrk", "exit 1")
    done = machine.bootstrap("wrk")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_bootstrap_refuses_a_need_it_does_not_know(machine: Machine) -> None:
    done = machine.bootstrap("cmoka")
    assert (done.returncode, done.stderr) == (2, "bootstrap: unknown need 'cmoka'\n")


def native(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a copy of native.py, which builds beside itself."""
    (folder / "ci").mkdir(exist_ok=True)
    for name in ("native.py", "native.txt"):
        if not (folder / "ci" / name).exists():
            shutil.copy(CI / name, folder / "ci")
    command = [sys.executable, folder / "ci" / "native.py"]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300)


def test_native_names_a_missing_compiler(tmp_path: Path) -> None:
    done = native(tmp_path, CC="no-such-compiler")
    assert done.returncode == 1
    assert done.stderr == "native.py: no C compiler: 'no-such-compiler' is not on PATH (on Debian: apt-get install gcc libc6-dev)\n"


@pytest.mark.slow
def test_native_refuses_sources_with_another_hash(tmp_path: Path) -> None:
    native(tmp_path, CC="no-such-compiler")
    pins = tmp_path / "ci" / "native.txt"
    pins.write_text(pins.read_text().replace("sha256:d", "sha256:e"))
    done = native(tmp_path)
    assert done.returncode == 1
    assert "THESE PACKAGES DO NOT MATCH THE HASHES" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("native.py: the download of the pinned httptools and uvloop sources failed")
    assert os.listdir(tmp_path / "build") == ["native.lock"]


@pytest.mark.slow
def test_native_leaves_nothing_of_a_failed_build_and_replaces_a_half_made_one(tmp_path: Path) -> None:
    compiler = script(tmp_path / "compiler", 'case "$*" in */timer.c*) echo "timer.c: no"; exit 1;; esac; exec cc "$@"')
    done = native(tmp_path, CC=str(compiler))
    assert done.returncode == 1
    assert done.stderr == "timer.c: no\nnative.py: timer.c of libuv does not compile (exit code 1, its own words are above)\n"
    assert os.listdir(tmp_path / "build") == ["native.lock"]

    (tmp_path / "build" / "native" / "lib").mkdir(parents=True)
    (tmp_path / "build" / "native" / "lib" / "libuv.a").write_text("half")
    assert native(tmp_path).returncode == 0
    library = tmp_path / "build" / "native" / "lib" / "libuv.a"
    assert library.read_bytes().startswith(b"!<arch>\n")
    made = library.stat().st_mtime_ns
    assert native(tmp_path).returncode == 0
    assert library.stat().st_mtime_ns == made, "what is whole is not built again"


def test_units_fails_and_shows_the_words_of_a_test_that_fails(tmp_path: Path) -> None:
    good = script(tmp_path / "good", "echo '[  PASSED  ] 3 test(s).'")
    bad = script(tmp_path / "bad", "echo 'expected 1, got 2'; exit 1")
    done = subprocess.run([CI / "units", bad, good], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout.splitlines() == ["expected 1, got 2", f"{bad}: FAILED, exit code 1", f"{good}: 3 test(s)."]
    assert subprocess.run([CI / "units"], capture_output=True).returncode == 1, "no test at all is no pass"
