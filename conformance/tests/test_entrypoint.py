"""Which app a folder holds: as uvicorn's and FastAPI's users lay their projects out, read and never imported."""

from pathlib import Path

import pytest

from bridgecheck.conformance.project.entrypoint import find

FASTAPI = "from fastapi import FastAPI\n"
MADE = f"{FASTAPI}app = FastAPI()\n"
FACTORY = f"{FASTAPI}def create_app(debug=False):\n    app = FastAPI()\n    return app\n"
FAILS = "raise SystemExit('imported')\n"

Files = dict[str, str]
TWO: Files = {"one.py": MADE, "two.py": MADE}
RUNS_TWO = "import uvicorn\ndef run():\n    uvicorn.run('two:app', port=1)\n"


def lay_out(folder: Path, files: Files) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(
    ("files", "reference", "app_dir", "factory"),
    [
        pytest.param({"main.py": MADE}, "main:app", ".", False, id="main.py"),
        pytest.param({"app.py": MADE}, "app:app", ".", False, id="app.py"),
        pytest.param({"main.py": FAILS + MADE}, "main:app", ".", False, id="what-fails-when-imported"),
        pytest.param({"main.py": "import fastapi\nservice = fastapi.FastAPI(title='x')\n"}, "main:service", ".", False, id="another-name"),
        pytest.param({"main.py": "from fastapi import FastAPI as F\napp: F = F()\n"}, "main:app", ".", False, id="alias"),
        pytest.param(
            {"main.py": "from starlette.applications import Starlette\napp = Starlette()\n"}, "main:app", ".", False, id="starlette"
        ),
        pytest.param({"main.py": "async def app(scope, receive, send): ...\n"}, "main:app", ".", False, id="function"),
        pytest.param(
            {"main.py": "class App:\n    async def __call__(self, scope, receive, send): ...\nit = App()\n"},
            "main:it",
            ".",
            False,
            id="class",
        ),
        pytest.param({"main.py": f"{FASTAPI}class Mine(FastAPI): ...\napp = Mine()\n"}, "main:app", ".", False, id="subclass"),
        pytest.param({"main.py": f"{FASTAPI}try:\n    app = FastAPI()\nexcept OSError:\n    raise\n"}, "main:app", ".", False, id="in-try"),
        pytest.param({"app/__init__.py": "", "app/main.py": MADE}, "app.main:app", ".", False, id="package"),
        pytest.param({"app/main.py": MADE}, "app.main:app", ".", False, id="folder-without-init"),
        pytest.param({"app/main.py": f"import settings\n{MADE}", "app/settings.py": ""}, "main:app", "app", False, id="imports-siblings"),
        pytest.param({"src/shop/__init__.py": "", "src/shop/web.py": MADE}, "shop.web:app", "src", False, id="src-layout"),
        pytest.param({"src/main.py": MADE}, "main:app", "src", False, id="file-in-src"),
        pytest.param({"shop/__init__.py": MADE}, "shop:app", ".", False, id="package-itself"),
        pytest.param({"main.py": FACTORY}, "main:create_app", ".", True, id="factory"),
        pytest.param({"main.py": f"{FASTAPI}def build() -> FastAPI: ...\n"}, "main:build", ".", True, id="annotated-factory"),
        pytest.param({"main.py": f"{FACTORY}app = create_app()\n"}, "main:app", ".", False, id="app-before-its-factory"),
        pytest.param(
            {"main.py": "from web import create_app\napp = create_app()\n", "web.py": FACTORY},
            "main:app",
            ".",
            False,
            id="factory-elsewhere",
        ),
        pytest.param(
            {"main.py": "from web.core import app\n", "web/__init__.py": "", "web/core.py": MADE}, "main:app", ".", False, id="imported"
        ),
        pytest.param(
            {"main.py": "from .core import app\n", "__init__.py": "", "core.py": MADE}, "main:app", ".", False, id="imported-from-beside"
        ),
        pytest.param(
            {"main.py": f"{MADE}api = FastAPI()\napp.mount('/api', api)\n"}, "main:app", ".", False, id="a-mounted-one-is-part-of-the-other"
        ),
        pytest.param(
            {"main.py": f"from api import api\n{MADE}app.mount('/api', api)\n", "api.py": f"{FASTAPI}api = FastAPI()\n"},
            "main:app",
            ".",
            False,
            id="mounted-from-another-file",
        ),
        pytest.param({"main.py": f"import socketio\n{MADE}both = socketio.ASGIApp(None, app)\n"}, "main:both", ".", False, id="wrapped"),
        pytest.param({"main.py": f"{MADE}if __name__ == '__main__':\n    other = FastAPI()\n"}, "main:app", ".", False, id="not-in-main"),
        pytest.param({"main.py": MADE, "examples/app.py": MADE}, "main:app", ".", False, id="usual-files-first"),
        pytest.param({"web.py": MADE, "tests/app.py": MADE, "test_web.py": MADE}, "web:app", ".", False, id="tests-do-not-count"),
        pytest.param(
            {"web.py": MADE, ".venv/x.py": MADE, "old/pyvenv.cfg": "", "old/x.py": MADE}, "web:app", ".", False, id="environments"
        ),
        pytest.param({"web.py": MADE, "broken.py": "def"}, "web:app", ".", False, id="what-is-no-python"),
        pytest.param(
            {"main.py": MADE, "other.py": MADE, "pyproject.toml": '[tool.fastapi]\nentrypoint = "other:app"\n'},
            "other:app",
            ".",
            False,
            id="entrypoint",
        ),
        pytest.param(
            {"src/other.py": MADE, "pyproject.toml": '[tool.fastapi]\nentrypoint = "other:app"\n'},
            "other:app",
            "src",
            False,
            id="entrypoint-in-src",
        ),
        pytest.param(
            {**TWO, "cli.py": RUNS_TWO, "pyproject.toml": '[project.scripts]\nserve = "cli:run"\n'},
            "two:app",
            ".",
            False,
            id="script-that-runs-uvicorn",
        ),
        pytest.param(
            {"main.py": f"{FACTORY}import uvicorn\nif __name__ == '__main__':\n    uvicorn.run('main:create_app', factory=True)\n"},
            "main:create_app",
            ".",
            True,
            id="main-that-runs-a-factory",
        ),
        pytest.param(
            {**TWO, "cli.py": RUNS_TWO, "pyproject.toml": '[tool.poetry.scripts]\nserve = "cli:run"\n'}, "two:app", ".", False, id="poetry"
        ),
        pytest.param({**TWO, "Procfile": "web: uvicorn two:app --port $PORT\n"}, "two:app", ".", False, id="procfile"),
        pytest.param({**TWO, "Dockerfile": 'CMD ["uvicorn", "--host", "::", "two:app"]\n'}, "two:app", ".", False, id="dockerfile"),
        pytest.param(
            {"api/one.py": MADE, "api/two.py": MADE, "Dockerfile": 'COPY api /srv\nCMD ["uvicorn", "two:app"]\n'},
            "two:app",
            "api",
            False,
            id="copied-from-a-folder-below",
        ),
        pytest.param(
            {**TWO, "deploy/run.sh": "exec gunicorn -k uvicorn.workers:UvicornWorker \\\n  --bind a:b two:app\n"},
            "two:app",
            ".",
            False,
            id="what-goes-on-in-the-next-line",
        ),
        pytest.param(
            {"a/web/one.py": FACTORY, "a/web/two.py": FACTORY, "Makefile": "run:\n\tuvicorn --factory two:create_app --app-dir=a/web\n"},
            "two:create_app",
            "a/web",
            True,
            id="app-dir-and-factory",
        ),
        pytest.param(
            {**TWO, "compose.yml": "# command: uvicorn one:app\ncommand: uvicorn two:app\n"}, "two:app", ".", False, id="commented-out"
        ),
        pytest.param(
            {**TWO, "run.sh": "uvicorn gone:app\nuvicorn one:gone\nuvicorn $APP\nuvicorn two:app\n"},
            "two:app",
            ".",
            False,
            id="what-is-not-there",
        ),
        pytest.param(
            {**TWO, "run.sh": "gunicorn one:app\ngranian --interface wsgi one:app\nuvicorn two:app\n"}, "two:app", ".", False, id="wsgi"
        ),
        pytest.param(
            {"web.py": "def make():\n    return build()\napp, other = make(), 1\n", "run.sh": "uvicorn web:app\n"},
            "web:app",
            ".",
            False,
            id="what-does-not-look-like-an-app",
        ),
        pytest.param(
            {"main.py": f"{MADE}import uvicorn\nuvicorn.run('main:app')\n", "web.py": MADE, "run.sh": "uvicorn web:app\n"},
            "main:app",
            ".",
            False,
            id="code-before-commands",
        ),
        pytest.param(
            {"docs.py": "from shop.web import app\n", "shop/__init__.py": "", "shop/web.py": MADE},
            "shop.web:app",
            ".",
            False,
            id="named-where-it-is-made",
        ),
        pytest.param({"main.py": MADE, "pyproject.toml": "[tool.fastapi"}, "main:app", ".", False, id="pyproject-that-cannot-be-read"),
    ],
)
def test_the_app_is_found(tmp_path: Path, files: Files, reference: str, app_dir: str, factory: bool) -> None:
    (found,) = find(lay_out(tmp_path, files)).found
    assert (found.reference, found.app_dir, found.factory) == (reference, app_dir, factory)


def test_where_it_stands_is_said(tmp_path: Path) -> None:
    assert find(lay_out(tmp_path, {"app/__init__.py": "", "app/main.py": MADE})).found[0].where == "app/main.py:2"


@pytest.mark.parametrize(
    ("files", "references"),
    [
        ({"main.py": MADE, "app.py": MADE}, ["main:app", "app:app"]),
        ({"main.py": f"{MADE}admin = FastAPI()\n"}, ["main:app", "main:admin"]),
        ({"one/web.py": MADE, "two/web.py": MADE}, ["one.web:app", "two.web:app"]),
        ({**TWO, "Procfile": "web: uvicorn one:app\nadmin: uvicorn two:app\n"}, ["one:app", "two:app"]),
        ({"main.py": f"{FACTORY}def make():\n    return FastAPI()\n"}, ["main:create_app", "main:make"]),
        # Two servers are started here, so no one of them is the one.
        (
            {"main.py": f"import uvicorn\n{MADE}admin = FastAPI()\nlast = FastAPI()\nuvicorn.run('main:app')\nuvicorn.run('main:admin')\n"},
            ["main:app", "main:admin", "main:last"],
        ),
    ],
)
def test_of_several_none_is_chosen(tmp_path: Path, files: Files, references: list[str]) -> None:
    assert [found.reference for found in find(lay_out(tmp_path, files)).found] == references


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"main.py": "print('hello')\n"},
        {"main.py": f"{FASTAPI}def create_app(settings):\n    return FastAPI()\n"},  # what needs an argument no server can call
        {"main.py": "from flask import Flask\napp = Flask(__name__)\n"},
        {"main.py": "def app(environ, start_response): ...\n"},
        {"main.py": "from main import app\n"},  # from itself
        {"main.py": "from app import app\n", "app.py": "from main import app\n"},
        {"main.py": "def f():\n    return f()\napp = f()\n"},
        {"main.py": "import uvicorn\nuvicorn.run('elsewhere:app')\n"},
    ],
)
def test_where_there_is_none_it_is_said_where_it_was_looked_for(tmp_path: Path, files: Files) -> None:
    search = find(lay_out(tmp_path, files))
    assert search.found == []
    assert len(search.looked) == 4 and "main.py" in search.looked[2]
    assert f"{len([name for name in files if name not in ('main.py', 'app.py')])} other Python files" in search.looked[3]
