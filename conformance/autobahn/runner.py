"""The process that runs Autobahn's cases: python -m bridgecheck.conformance.autobahn.runner (list | play URL WIDTH CASE=SECONDS…)

A process of its own, since kosoku changes the search path and the standard library of whoever imports it, and since what hangs can be
ended so. Writes a line of JSON for each case of the list, or when a case begins and when it has ended. Knows nothing of targets.
"""

import asyncio
import json
import sys
from typing import Any

FRAMES_MAX = 60  # lines of what went over the wire that are kept
_OPCODES = {0: "continuation", 1: "text", 2: "binary", 8: "close", 9: "ping", 10: "pong"}


def _say(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


def _frame(entry: tuple[Any, ...]) -> str | None:
    """A frame of kosoku's log, as a person reads it."""
    if entry[0] not in ("TF", "RF"):
        return f"waited {entry[1]:g} s" if entry[0] == "CT" else None
    (length, data), opcode, final, reserved = entry[1:5]
    data = str(data)
    if opcode == 8 and length >= 2:  # in hexadecimal digits where it is no UTF-8
        octets = bytes.fromhex(data[2:].partition(" ")[0]) if data.startswith("0x") else data.encode("utf-8", "replace")
        data = f"{int.from_bytes(octets[:2])} {octets[2:].decode('utf-8', 'backslashreplace')}".rstrip()
    words = ["sent" if entry[0] == "TF" else "received", _OPCODES.get(opcode, f"opcode {opcode}")]
    words += [*(["more"] if not final else []), *([f"reserved bits {reserved}"] if reserved else []), data]
    return " ".join(words).rstrip() + (f"  [{length} octets]" if length > 64 else "")


def _let_servers_ping() -> None:
    """A server may ping at any time (RFC 6455 §5.5.2), and many do every 20 s. A case that expects no list of events, as those of many
    messages, would take a ping for its end, and fail."""
    import kosoku.cases  # noqa: F401  # which puts Autobahn's own modules on the search path
    from case import Case

    taken = Case.onPing

    def on_ping(self: Any, payload: Any) -> None:
        if self.expected:
            taken(self, payload)

    Case.onPing = on_ping


async def _play(url: str, width: int, cases: dict[str, float]) -> None:
    from kosoku import FailureError, run_fuzzingclient

    _let_servers_ping()
    free = asyncio.Semaphore(width)

    async def play(case: str, seconds: float) -> None:
        async with free:
            _say({"begins": case})
            try:
                (result,) = await asyncio.wait_for(run_fuzzingclient(url, [case]), seconds)
            except FailureError as failure:
                (result,) = failure.results
            except TimeoutError:
                _say({"case": case, "timeout": True})
                return
            frames = [line for line in map(_frame, result.wirelog) if line]
            _say(
                {
                    "case": case,
                    "behavior": result.behavior.value,
                    "close": result.behavior_close.value,
                    "code": result.remote_close_code,
                    "result": [result.result, result.result_close],
                    "frames": frames if len(frames) <= FRAMES_MAX else [*frames[:FRAMES_MAX], "…"],
                }
            )

    await asyncio.gather(*(play(case, seconds) for case, seconds in cases.items()))


def _list() -> None:
    from kosoku.cases import CASES

    for name, case in CASES.items():
        _say({"case": name, "about": f"{case.DESCRIPTION.strip().rstrip('.')}. Expected: {case.EXPECTATION.strip()}"})


if __name__ == "__main__":
    if sys.argv[1] == "list":
        _list()
    else:
        pairs = (word.split("=") for word in sys.argv[4:])
        asyncio.run(_play(sys.argv[2], int(sys.argv[3]), {case: float(seconds) for case, seconds in pairs}))
