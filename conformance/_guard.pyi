"""Starts a server under a guard that leaves nothing of it behind (conformance/guard)."""

def spawn(arguments: tuple[bytes, ...], environment: tuple[bytes, ...], folder: bytes, output: int, /) -> tuple[int, int, int]:
    """(guard's pid, server's pid, control socket). OSError names the folder or the executable when one of these is what failed."""

def report(message: bytes, /) -> tuple[str, int]:
    """What a message on the control socket says: ("exited", code), ("signalled", number) or ("nothing left", 0)."""
