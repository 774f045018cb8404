"""A command template: the user's own command line, with placeholders where a target differs from the next."""

import os
import shutil

from . import Adapter, Start


class Template(Adapter):
    def arguments(self, start: Start) -> list[str]:
        return []  # nobody can say what they come to

    def command(self, start: Start) -> list[str]:
        values = {"app": start.app, "host": start.host, "port": start.port, "python": start.python, "workdir": start.workdir}
        words = [word.format_map(values) for word in start.template]
        # What a shell would find; a relative path is meant from where the user stands, and so the server does too.
        return [shutil.which(words[0]) or os.path.abspath(words[0]), *words[1:]]
