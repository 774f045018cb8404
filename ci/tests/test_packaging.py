"""What users install: the source distribution builds by itself, the wheel holds what the program reads, and no library leaks out."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent.parent
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
EXTENSIONS = {
    "PyInit__bridge": f"bridge/_bridge{SUFFIX}",
    "PyInit__player": f"conformance/_player{SUFFIX}",
    "PyInit__guard": f"conformance/_guard{SUFFIX}",
    "PyInit__recorder": "spec/observer/bridgecheck_observer/_recorder.abi3.so",
}


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("init", EXTENSIONS)
def test_an_extension_exports_its_init_function_only(init: str) -> None:
    lines = run("nm", "-D", "--defined-only", EXTENSIONS[init], cwd=PROJECT).splitlines()
    assert [line.split()[-1] for line in lines] == [init]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder where the wheel is installed that was built from the unpacked source distribution, and from nothing else."""
    folder = tmp_path_factory.mktemp("packaging")
    # From a copy, since an egg-info of an earlier build would name files that MANIFEST.in forgets.
    made = shutil.ignore_patterns(".git", ".venv", "build", "*.egg-info", "*.so", "__pycache__", ".*_cache", "bridgecheck-report")
    shutil.copytree(PROJECT, folder / "copy", ignore=made)
    run(sys.executable, "-c", "from setuptools.build_meta import build_sdist; build_sdist('..')", cwd=folder / "copy")
    (archive,) = folder.glob("bridgecheck-*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)  # Debian 12's Python has none yet
        tar.extractall(folder)
    unpacked = folder / archive.name.removesuffix(".tar.gz")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, unpacked, cwd=folder)
    (wheel,) = folder.glob("bridgecheck-*.whl")
    run(*pip, "install", "--no-deps", "--target", folder / "installed", wheel, cwd=folder)
    return folder / "installed"


def shipped(folder: Path) -> set[str]:
    """Files below a folder of the checkout that a wheel has to hold: Python and data, without tests."""
    wanted = {".py", ".pyi", ".toml", ".json", ".html", ".css", ".js", ".j2", ".exchange"}
    found = (path.relative_to(folder) for path in folder.rglob("*") if path.suffix in wanted)
    return {str(path) for path in found if "tests" not in path.parts}


@pytest.mark.slow
def test_the_wheel_of_the_source_distribution_holds_every_module_and_data_file(installed: Path) -> None:
    package = installed / "bridgecheck"
    program = shipped(PROJECT / "conformance" / "program")
    assert shipped(package / "conformance") == {name for name in shipped(PROJECT / "conformance") if not name.startswith("program/")}
    assert shipped(package / "bridge") == shipped(PROJECT / "bridge")
    assert shipped(package / "spec") == shipped(PROJECT / "spec")
    assert shipped(package / "demo") == shipped(PROJECT / "demo")
    assert {name for name in shipped(package) if name.split("/")[0] not in ("bridge", "conformance", "spec", "demo")} == program


@pytest.mark.slow
def test_the_installed_wheel_runs_without_the_checkout(installed: Path) -> None:
    code = """if True:
        import bridgecheck.bridge._bridge, bridgecheck.conformance._guard, bridgecheck.conformance._player, bridgecheck.spec, pathlib, sys
        sys.path.append(str(pathlib.Path(bridgecheck.spec.__file__).parent / "observer"))
        import bridgecheck_observer._recorder
        extensions = "bridge._bridge", "conformance._guard", "conformance._player"
        for name in (*(f"bridgecheck.{name}" for name in extensions), "bridgecheck_observer._recorder"):
            print(sys.modules[name].__file__)
    """
    files = run(sys.executable, "-c", code, cwd=installed, PYTHONPATH=str(installed)).splitlines()
    assert [Path(file).is_relative_to(installed) for file in files] == [True] * 4
    assert "uvicorn" in run(installed / "bin" / "bridgecheck", "serve", "--help", cwd=installed, PYTHONPATH=str(installed))
    assert "Usage: bridgecheck" in run(installed / "bin" / "bridgecheck", "--help", cwd=installed, PYTHONPATH=str(installed))
