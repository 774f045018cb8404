"""A command template: the user's own command line, with placeholders where a target differs from the next.

One that the program makes itself (the self-test's) may hold the word OPTIONS: what an exchange asks for comes in its place, by uvicorn's
names.
"""

import os
import shutil
from collections.abc import Sequence

from . import Adapter, Start, Unsupported

OPTIONS = "{options}"


class Template(Adapter):
    own_options = None

    def arguments(self, start: Start) -> list[str]:
        return []  # nobody can say what they come to

    def options(self, words: Sequence[str], template: tuple[str, ...] = ()) -> tuple[tuple[str, str | None], ...]:
        if words and OPTIONS not in template:
            raise Unsupported(words[0])
        return super().options(words)

    def command(self, start: Start) -> list[str]:
        values = {"app": start.app, "host": start.host, "port": start.port, "python": start.python, "workdir": start.workdir}
        words: list[str] = []
        for word in start.template:
            words += start.long_options() if word == OPTIONS else [word.format_map(values)]
        # What a shell would find; a relative path is meant from where the user stands, and so the server does too.
        return [shutil.which(words[0]) or os.path.abspath(words[0]), *words[1:]]
