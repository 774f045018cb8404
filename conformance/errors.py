"""The errors that end a run with one message. Each knows its exit code; nothing here knows where it is raised."""

from collections.abc import Sequence


class BridgecheckError(Exception):
    """The message is for the user, whole, without a traceback."""

    exit_code = 70


class UsageError(BridgecheckError):
    """Options, configuration or files that cannot be used as they are."""

    exit_code = 2


class NotEarned(BridgecheckError):
    """Nothing differs, or something does, but what was played says too little of this app for a verdict."""

    exit_code = 2

    def __init__(self, reasons: Sequence[str]) -> None:
        super().__init__("no verdict:\n" + "\n".join(f"  {reason}" for reason in reasons))


class NotReady(BridgecheckError):
    """A target that never listened."""

    exit_code = 3
