"""Small apps about the response's fields: kept as they are, framing left to the server, nothing smuggled in."""

from .message import Receive, Scope, Send, answer_json, body, length, read, start

__all__ = [
    "close_connection",
    "close_connection_in_a_list",
    "compare_dates",
    "content_length_not_a_number",
    "content_length_twice",
    "content_length_twice_alike",
    "fields_in_order",
    "line_break_in_value",
    "octets_in_value",
    "own_date_and_server",
    "pseudo_field",
    "transfer_encoding_and_length",
    "transfer_encoding_chunked",
    "transfer_encoding_gzip",
]


async def respond(receive: Receive, send: Send, *fields: tuple[bytes, bytes]) -> None:
    await read(receive)
    await send(start(200, fields))
    await send(body(b"done"))


async def fields_in_order(scope: Scope, receive: Receive, send: Send) -> None:
    cookies = ((b"set-cookie", b"a=1"), (b"x-a", b"2"), (b"set-cookie", b"b=2"), (b"x-b", b"3"))
    await respond(receive, send, (b"x-b", b"1"), *cookies, length(4))


async def own_date_and_server(scope: Scope, receive: Receive, send: Send) -> None:
    await respond(receive, send, (b"date", b"Thu, 01 Jan 1970 00:00:00 GMT"), (b"server", b"probe"), length(4))


async def octets_in_value(scope: Scope, receive: Receive, send: Send) -> None:
    await respond(receive, send, (b"x-octets", b"caf\xe9"), length(4))


async def line_break_in_value(scope: Scope, receive: Receive, send: Send) -> None:
    await respond(receive, send, (b"x-a", b"b\r\nx-injected: 1"), length(4))


async def pseudo_field(scope: Scope, receive: Receive, send: Send) -> None:
    await respond(receive, send, (b":status", b"201"), length(4))


async def close_connection(scope: Scope, receive: Receive, send: Send) -> None:
    await respond(receive, send, (b"connection", b"close"), length(4))


async def close_connection_in_a_list(scope: Scope, receive: Receive, send: Send) -> None:
    await respond(receive, send, (b"connection", b"x-hop, close"), length(4))


async def content_length_not_a_number(scope: Scope, receive: Receive, send: Send) -> None:
    await respond(receive, send, (b"content-length", b"four"))


async def content_length_twice(scope: Scope, receive: Receive, send: Send) -> None:
    await respond(receive, send, length(4), length(5))


async def content_length_twice_alike(scope: Scope, receive: Receive, send: Send) -> None:
    await respond(receive, send, length(4), length(4))


async def transfer_encoding_chunked(scope: Scope, receive: Receive, send: Send) -> None:
    await respond(receive, send, (b"transfer-encoding", b"chunked"))


async def transfer_encoding_gzip(scope: Scope, receive: Receive, send: Send) -> None:
    await respond(receive, send, (b"transfer-encoding", b"gzip"))


async def transfer_encoding_and_length(scope: Scope, receive: Receive, send: Send) -> None:
    await respond(receive, send, length(4), (b"transfer-encoding", b"chunked"))


async def compare_dates(scope: Scope, receive: Receive, send: Send) -> None:
    """Says whether the two dates that the client has seen are one. A server that sends none has not two."""
    await read(receive)
    seen = {name.lower(): value for name, value in scope["headers"]}
    await answer_json(send, {"alike": seen.get(b"probe-date-first", b"") == seen.get(b"probe-date-second", b"")})
