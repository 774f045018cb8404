"""What pyproject.toml cannot say about the build: which folder is which package, and the C extensions.

Folders are named for the rooms of the house (conformance, spec, demo), packages for the import name; the command line's folder is
`bridgecheck` itself.
"""

import os
import runpy
from copy import copy
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

os.chdir(Path(__file__).resolve().parent)

PROGRAM = Path("conformance/program")
ROOTS = {
    "bridgecheck": PROGRAM,
    "bridgecheck.bridge": Path("bridge"),
    "bridgecheck.conformance": Path("conformance"),
    "bridgecheck.spec": Path("spec"),
    "bridgecheck.demo": Path("demo"),
}
DATA = {".pyi", ".toml", ".json", ".html", ".css", ".js", ".j2", ".txt", ".exchange"}


def packages() -> dict[str, Path]:
    """Every folder of Python to ship, by package name. Tests stay here."""
    found: dict[str, Path] = {}
    for name, root in ROOTS.items():
        for folder in sorted({module.parent for module in root.rglob("*.py")}):
            inside = folder.relative_to(root).parts
            if "tests" not in inside and (root == PROGRAM or not folder.is_relative_to(PROGRAM)):
                found[".".join((name, *inside))] = folder
    return found


def package_data(folders: dict[str, Path]) -> dict[str, list[str]]:
    """Data files by package: each belongs to the nearest package above it, since folders of data alone are no packages."""
    found: dict[str, list[str]] = {}
    for root in ROOTS.values():
        for file in sorted(root.rglob("*")):
            if (file.suffix in DATA or file.name == "py.typed") and "tests" not in file.parts:
                above = (name for name, folder in folders.items() if file.is_relative_to(folder))
                package = max(above, key=lambda name: len(folders[name].parts))
                found.setdefault(package, []).append(str(file.relative_to(folders[package])))
    return found


def extensions() -> list[Extension]:
    headers = sorted(str(header) for root in ("bridge", "conformance", "spec") for header in Path(root).rglob("*.h"))
    return [
        Extension(
            name,
            sorted(str(source) for folder in folders for source in Path(folder).glob("*.c")),
            depends=headers,
            define_macros=[("Py_LIMITED_API", "0x030B0000")] if limited else [],
            py_limited_api=limited,
            # Only the init function is seen from outside: a libuv that is would take over uvloop's calls.
            libraries=["z"] if name.endswith("._bridge") else [],
            extra_compile_args=["-std=c11", "-fvisibility=hidden"],
            extra_link_args=["-Wl,--exclude-libs,ALL"],
        )
        for name, folders, limited in [
            ("bridgecheck.bridge._bridge", ["bridge/core", "bridge/asgi"], False),
            ("bridgecheck.conformance._player", ["conformance/exchange", "conformance/player", "conformance/binding"], False),
            ("bridgecheck.conformance._recording", ["conformance/exchange", "conformance/recorder"], False),
            ("bridgecheck.conformance._guard", ["conformance/guard"], False),
            # Loaded by whatever Python the candidate runs on, so: the limited API, one binary for every version.
            ("bridgecheck.spec.observer.bridgecheck_observer._recorder", ["spec/observer/recorder"], True),
        ]
    ]


class BuildExtensions(build_ext):
    """Builds llhttp and libuv first, for what links them; the extensions side by side."""

    def finalize_options(self) -> None:
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()

    def build_extension(self, extension: Extension) -> None:
        if extension.name.endswith(("._bridge", "._player", "._recording")):
            native = runpy.run_path("ci/native.py")
            try:
                folder = native["build"]()
            except native["NativeError"] as error:
                raise SystemExit(f"bridgecheck: {error}") from None
            extension.include_dirs.append(str(folder / "include"))
            extension.extra_objects += [str(folder / "lib" / "libllhttp.a"), str(folder / "lib" / "libuv.a")]
        if extension.name.endswith("._player"):
            extension.libraries.append("z")
        # Objects of its own: two extensions are made of conformance/exchange, and one must not link what the other is writing.
        own = copy(self)
        own.build_temp = str(Path(self.build_temp, extension.name))
        super(BuildExtensions, own).build_extension(extension)


folders = packages()
setup(
    packages=sorted(folders),
    package_dir={name: str(folder) for name, folder in folders.items()},
    package_data=package_data(folders),
    include_package_data=False,
    ext_modules=extensions(),
    cmdclass={"build_ext": BuildExtensions},
)
