"""SERVER on the command line: what it means, and what is said about a text that means nothing."""

import pytest

from bridgecheck.conformance.errors import UsageError
from bridgecheck.conformance.targets.server import Server, parse_server


def test_a_bare_name_has_no_options() -> None:
    assert parse_server("uvicorn") == Server("uvicorn", "uvicorn")


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("uvicorn:http=h11", (("http", "h11"),)),
        ("uvicorn:http=h11,loop=asyncio", (("http", "h11"), ("loop", "asyncio"))),
        ("uvicorn:no-access-log,loop=asyncio", (("no-access-log", None), ("loop", "asyncio"))),
        ("uvicorn:header=a:1,header=b:2", (("header", "a:1"), ("header", "b:2"))),
        ("uvicorn:root-path=/a=b", (("root-path", "/a=b"),)),
        ("uvicorn:root-path=", (("root-path", ""),)),
        (r"uvicorn:forwarded-allow-ips=10.0.0.1\,10.0.0.2,http=h11", (("forwarded-allow-ips", "10.0.0.1,10.0.0.2"), ("http", "h11"))),
        (r"uvicorn:root-path=\a", (("root-path", r"\a"),)),
        ("daphne:websocket_timeout=-1", (("websocket_timeout", "-1"),)),
    ],
)
def test_options_keep_their_order_and_their_values(text: str, options: tuple[tuple[str, str | None], ...]) -> None:
    server = parse_server(text)
    assert (server.given, server.name, server.options) == (text, text.partition(":")[0], options)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("serve {app} {port}", ("serve", "{app}", "{port}")),
        ("{python} -m serve --bind {host}:{port} {app}", ("{python}", "-m", "serve", "--bind", "{host}:{port}", "{app}")),
        ("serve '{app}' \"--log={workdir}/a log\" :{port}", ("serve", "{app}", "--log={workdir}/a log", ":{port}")),
        ("serve {app} {port} '{{\"a\": 1}}'", ("serve", "{app}", "{port}", '{{"a": 1}}')),
        ("serve $HOME {app} {port} | tee", ("serve", "$HOME", "{app}", "{port}", "|", "tee")),
    ],
)
def test_a_command_is_split_into_words_and_nothing_else_is_done_to_it(text: str, words: tuple[str, ...]) -> None:
    assert parse_server(text) == Server(text, "template", template=words)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("unicorn", "no server is called 'unicorn'; known: bridge, daphne, granian, gunicorn, hypercorn, uvicorn"),
        ("template", "no server is called 'template'"),
        ("", "no server is called ''"),
        ("uvicorn:", "'' is no option"),
        ("uvicorn:http=h11,", "'' is no option"),
        ("uvicorn:=h11", "'' is no option"),
        ("uvicorn:--http=h11", "'--http' is no option"),
        ("uvicorn:port=8000", "bridgecheck itself sets port"),
        ("gunicorn:daemon", "bridgecheck itself sets daemon"),
        ("serve {app}", "a command needs {port}"),
        ("serve {port}", "a command needs {app}"),
        ("serve {app} 8000", "a command needs {port}"),
        ("serve {app} {{port}}", "a command needs {port}"),
        ("serve {app} {port} {path}", "'{path}' holds a placeholder"),
        ("serve {app} {port:04}", "'{port:04}' holds a placeholder"),
        ("serve {app} {port} {}", "'{}' holds a placeholder"),
        ("serve {app} {port} }", "a single brace in '}'"),
        ("serve {app} {port", "a single brace in '{port'"),
        ("serve {app} {port} 'open", "no closing quotation"),
    ],
)
def test_what_means_nothing_is_a_usage_error_that_says_why(text: str, message: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_server(text)
    assert error.value.exit_code == 2
    assert str(error.value).startswith(f"{text}: ")
    assert message in str(error.value)
