"""The outcome of a test, from pytest's reports of its three phases: one word, and the line that says why."""

from __future__ import annotations

from typing import Any

_LINE_MAX = 200


class Outcome:
    def __init__(self) -> None:
        self.word = ""
        self.message = ""

    def add(self, report: Any) -> None:
        word = self._word(report)
        if word and (not self.word or self.word == "passed"):
            self.word = word
            self.message = "" if word == "passed" else _line(report)

    @staticmethod
    def _word(report: Any) -> str:
        expected = hasattr(report, "wasxfail")
        if report.skipped:
            return "xfailed" if expected else "skipped"
        if report.failed:
            return "failed" if report.when == "call" else "error"
        if report.when == "call":
            return "xpassed" if expected else "passed"
        return ""


def _line(report: Any) -> str:
    crash = getattr(report.longrepr, "reprcrash", None)
    text = crash.message if crash is not None else report.longrepr[-1] if isinstance(report.longrepr, tuple) else str(report.longrepr or "")
    lines = [line.strip() for line in str(text).splitlines() if line.strip()]
    line = " ".join(lines[:2]) if lines else ""
    return line if len(line) <= _LINE_MAX else line[: _LINE_MAX - 1] + "…"
