"""Builds llhttp and libuv as static libraries into build/native: include/, lib/libllhttp.a and lib/libuv.a.

Owns how the two libraries come here; used by setup.py and by make. Knows nothing of what links them. The sources are those inside the
source distributions of httptools and uvloop, pinned by hash in native.txt, so that the player parses with the very llhttp that the
reference uses. build/native is made in a folder beside it and then renamed: where it stands, it is whole.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PINS = Path(__file__).with_name("native.txt")
NATIVE = ROOT / "build" / "native"

# libuv's own CMakeLists.txt compiles these on Linux, beside all of src/*.c.
LIBUV_UNIX = (
    "async core dl fs getaddrinfo getnameinfo linux loop loop-watcher pipe poll process procfs-exepath proctitle random-devurandom"
    " random-getrandom random-sysctl-linux signal stream tcp thread tty udp"
).split()
LIBUV_DEFINES = ["-D_FILE_OFFSET_BITS=64", "-D_LARGEFILE_SOURCE", "-D_GNU_SOURCE", "-D_POSIX_C_SOURCE=200112"]


class NativeError(Exception):
    """One line that says what is wrong and what would mend it."""


def build() -> Path:
    """Return the folder with include/ and lib/, built first where it is missing or was made from other pins."""
    if not sys.platform.startswith("linux"):
        raise NativeError(f"bridgecheck is built on Linux only, this is {sys.platform}")
    compiler = os.environ.get("CC", "cc").split()
    if not shutil.which(compiler[0]):
        raise NativeError(f"no C compiler: '{compiler[0]}' is not on PATH (on Debian: apt-get install gcc libc6-dev)")
    made_from = hashlib.sha256(PINS.read_bytes() + Path(__file__).read_bytes() + " ".join(compiler).encode()).hexdigest()
    NATIVE.parent.mkdir(exist_ok=True)
    with open(NATIVE.parent / "native.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = NATIVE / "made-from"
        if not (stamp.is_file() and stamp.read_text() == made_from):
            with tempfile.TemporaryDirectory(prefix="native-", dir=NATIVE.parent) as partial:
                whole = Path(partial) / "whole"
                _make(Path(partial), whole, compiler)
                (whole / "made-from").write_text(made_from)
                if NATIVE.exists():
                    NATIVE.rename(Path(partial) / "old")
                whole.rename(NATIVE)
    return NATIVE


def _make(partial: Path, whole: Path, compiler: list[str]) -> None:
    sources = _download(partial / "sources")
    llhttp = sources["httptools"] / "vendor" / "llhttp"
    libuv = sources["uvloop"] / "vendor" / "libuv"
    shutil.copytree(libuv / "include", whole / "include")
    shutil.copy(llhttp / "include" / "llhttp.h", whole / "include")
    (whole / "lib").mkdir()
    _archive(compiler, whole / "lib" / "libllhttp.a", sorted((llhttp / "src").glob("*.c")), [f"-I{llhttp / 'include'}"])
    unix = [libuv / "src" / "unix" / f"{name}.c" for name in LIBUV_UNIX]
    _archive(
        compiler,
        whole / "lib" / "libuv.a",
        [*sorted((libuv / "src").glob("*.c")), *unix],
        [f"-I{libuv / 'include'}", f"-I{libuv / 'src'}", *LIBUV_DEFINES],
    )


def _download(folder: Path) -> dict[str, Path]:
    """Fetch and unpack what native.txt pins; by project name, the unpacked folders."""
    archives = folder / "archives"
    # Without build isolation pip reads the sources' metadata with the setuptools that is here: nothing comes down that is not pinned.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-binary", ":all:"]
    command += ["--no-build-isolation", "--require-hashes", "--requirement", str(PINS), "--dest", str(archives)]
    _run(command, "the download of the pinned httptools and uvloop sources failed")
    found: dict[str, Path] = {}
    for archive in sorted(archives.glob("*.tar.gz")):
        with tarfile.open(archive) as tar:
            tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, path: member)  # Debian 12's Python has none yet
            tar.extractall(folder)
        found[archive.name.partition("-")[0]] = folder / archive.name.removesuffix(".tar.gz")
    if set(found) != {"httptools", "uvloop"}:
        raise NativeError(f"expected the sources of httptools and uvloop, pip brought {sorted(found) or 'nothing'}")
    return found


def _archive(compiler: list[str], library: Path, sources: list[Path], options: list[str]) -> None:
    """Compile the sources side by side and put them into one static library."""
    with tempfile.TemporaryDirectory(dir=library.parent) as objects, ThreadPoolExecutor(os.cpu_count()) as pool:

        def compile_one(source: Path) -> str:
            target = Path(objects) / f"{source.parent.name}-{source.stem}.o"
            command = [*compiler, "-O2", "-g1", "-fPIC", *options, "-c", str(source), "-o", str(target)]
            _run(command, f"{source.name} of {library.stem} does not compile")
            return str(target)

        made = list(pool.map(compile_one, sources))
        _run([os.environ.get("AR", "ar"), "rcs", str(library), *made], f"{library.name} cannot be written")


def _run(command: list[str], failure: str) -> None:
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    except FileNotFoundError:
        raise NativeError(f"{failure}: '{command[0]}' is not on PATH") from None
    if done.returncode:
        sys.stderr.write(done.stdout)
        raise NativeError(f"{failure} (exit code {done.returncode}, its own words are above)")


if __name__ == "__main__":
    try:
        build()
    except NativeError as error:
        sys.exit(f"native.py: {error}")
