"""An observation as text that a person reads from top to bottom. Knows no differences and decides nothing."""

from typing import Any

from ..autobahn import case

_BODY_MAX = 600  # bytes of content that are shown


def _text(data: bytes) -> str:
    shown = data[:_BODY_MAX].decode("utf-8", "backslashreplace")
    shown = "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in shown)
    return shown + (f"… ({len(data)} bytes)" if len(data) > _BODY_MAX else "")


def _value(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _BODY_MAX else f"{text[:_BODY_MAX]}…"


def _response(response: dict[str, Any]) -> list[str]:
    lines = [f"HTTP/1.1 {interim['status']} (interim)" for interim in response["interim"]]
    lines.append(f"HTTP/{response['version']} {response['status']} {_text(response['reason'])}")
    lines += [f"{_text(name)}: {_text(value)}" for name, value in response["fields"]]
    lines.append("")
    if response["body"]["length"]:
        lines.append(_text(response["body"]["bytes"]))
    lines += [f"{_text(name)}: {_text(value)} (trailer)" for name, value in response["trailers"]]
    lines.append(f"[{response['framing']}, {response['body']['length']} bytes, {'complete' if response['complete'] else 'INCOMPLETE'}]")
    return lines


_OPCODES = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}


def _message(message: dict[str, Any]) -> str:
    """A line as the exchange file would write the frame, and what is special about it."""
    opcode, data = message["opcode"], message["body"]["bytes"]
    words = ["frame", _OPCODES.get(opcode, f"opcode {opcode}")]
    if opcode == 8 and len(data) >= 2:
        words.append(str(int.from_bytes(data[:2])))
        data = data[2:]
    if data:
        words.append(f'"{_text(data)}"' if opcode in (1, 8) else repr(data) if len(data) <= _BODY_MAX else f"{data[:_BODY_MAX]!r}…")
    notes = [f"{message['body']['length']} bytes"] if message["body"]["length"] > _BODY_MAX else []
    notes += ["deflated"] if message["compressed"] else []
    notes += [f"{message['frames']} fragments"] if message["frames"] > 1 else []
    notes += [] if message["complete"] else ["INCOMPLETE"]
    return " ".join(words) + (f"  [{', '.join(notes)}]" if notes else "")


def _socket(socket: dict[str, Any]) -> list[str]:
    lines = ["[WebSocket]", *map(_message, socket["messages"])]
    lines += [f"[no server may send this: {name}, {count} times]" for name, count in socket["faults"].items()]
    return lines + ([f"[not read any further: {socket['error']}]"] if socket["error"] else [])


def _call(call: dict[str, Any]) -> list[str]:
    lines = ["app called with"]
    scope = call["scope"]
    lines += [f"  {key} = {_value(value)}" for key, value in sorted(scope.items())] if isinstance(scope, dict) else [f"  {_value(scope)}"]
    for event in call["events"]:
        if event["kind"] in ("received", "send"):
            lines.append(f"{'→' if event['kind'] == 'received' else '←'} {_value(event['event'])}")
        elif "raised" in event:
            lines.append(f"  {event['kind']}: {event['raised']['type']}: {event['raised']['message']}")
    raised = call["raised"]
    lines.append(f"app {call['end']}" + (f" {raised['type']}: {raised['message']}" if raised else ""))
    return lines


def _process(process: dict[str, Any]) -> list[str]:
    lines = [line for call in process["lifespans"] for line in (*_call(call), "")]
    lines.append(f"server {'was' if process['ready'] else 'never was'} ready; then: {process['exit']}")
    return [*lines, *(f"| {line}" for line in process["output"])]


def _autobahn(outcome: dict[str, Any]) -> str:
    """What went over the wire, then what Autobahn says of it."""
    lines = [_value(frame) if not frame.isprintable() else frame for frame in outcome["frames"]]
    lines += ["", f"verdict: {outcome['behavior']}", f"closing handshake: {outcome['close']}, code {outcome['code']}"]
    return "\n".join([*lines, *dict.fromkeys(outcome["result"])])


def transcript(observation: dict[str, Any]) -> str:
    """Wire first, then the app's side, then what went wrong in the script."""
    if case.KEY in observation:
        return _autobahn(observation[case.KEY])
    lines: list[str] = []
    for connection in observation["connections"]:
        if len(observation["connections"]) > 1:
            lines.append(f"connection {connection['name']}")
        if not connection["opened"]:
            lines.append("[connection refused]")
            continue
        for response in connection["responses"]:
            lines += _response(response)
        if connection["websocket"] is not None:
            lines += _socket(connection["websocket"])
        if connection["error"]:
            lines.append(f"[no HTTP response: {connection['error']}] {connection['rest'][:_BODY_MAX]!r}")
        lines += [f"[then: {connection['end']}]", ""]
    for call in observation["calls"]:
        lines += [*_call(call), ""]
    lines += [f"line {line}: {fault}" for line, fault in observation["steps"]]
    if "process" in observation:
        lines += ["", *_process(observation["process"])]
    return "\n".join(lines).rstrip()
