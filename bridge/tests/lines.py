"""What a piece of code logs, for tests that hold it against the same piece of uvicorn."""

import contextlib
import logging
from collections.abc import Iterator

NAMES = ("uvicorn", "uvicorn.error", "uvicorn.access", "uvicorn.asgi")
Line = tuple[str, str, str | None]


class _Recorder(logging.Handler):
    def __init__(self, lines: list[Line]) -> None:
        super().__init__()
        self.lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        raised = repr(record.exc_info[1]) if record.exc_info else None
        self.lines.append((record.levelname, record.getMessage(), raised))


@contextlib.contextmanager
def recorded(name: str = "uvicorn.error", level: int = logging.INFO) -> Iterator[list[Line]]:
    """(level, message, exception) of every record of this logger; its own settings come back afterwards."""
    logger = logging.getLogger(name)
    before = logger.handlers, logger.level, logger.propagate
    lines: list[Line] = []
    logger.handlers, logger.propagate = [_Recorder(lines)], False
    logger.setLevel(level)
    try:
        yield lines
    finally:
        logger.handlers, _, logger.propagate = before
        logger.setLevel(before[1])


@contextlib.contextmanager
def untouched() -> Iterator[None]:
    """Gives the loggers back as they were."""
    loggers = [logging.getLogger(name) for name in NAMES]
    before = [(logger, logger.handlers, logger.level, logger.propagate, logger.disabled) for logger in loggers]
    try:
        yield
    finally:
        for logger, handlers, level, propagate, disabled in before:
            logger.handlers, logger.propagate, logger.disabled = handlers, propagate, disabled
            logger.setLevel(level)
