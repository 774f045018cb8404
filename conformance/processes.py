"""What /proc says of a tree of processes: who belongs to it, what it used, and whether it listens on a port.

Knows Linux. Knows nothing of targets.
"""

import os
import re
import socket
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_SOCKET = re.compile(r"socket:\[(\d+)\]")
_LISTEN = "0A"
_WAITING = {"01", "08"}  # established, or already closed by the client


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    own_seconds: float
    waited_seconds: float  # of children that ended and were waited for
    resident: int  # bytes


def family(pid: int) -> list[Process]:
    """The process and all its descendants, parents first."""
    children: dict[int, list[Process]] = defaultdict(list)
    found: list[Process] = []
    for name in os.listdir("/proc"):
        if name.isdigit() and (process := _process(int(name))):
            children[process.parent].append(process)
            if process.pid == pid:
                found.append(process)
    for process in found:
        found.extend(children[process.pid])
    return found


def _process(pid: int) -> Process | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None  # ended since
    fields = text[text.rindex(")") + 2 :].split()  # from the third on; the name before may hold anything
    user, system, waited_user, waited_system = (int(field) / _TICKS for field in fields[11:15])
    return Process(pid, int(fields[1]), user + system, waited_user + waited_system, int(fields[21]) * _PAGE)


def _sockets(processes: list[Process]) -> set[int]:
    """Inodes of the sockets that they have open."""
    found = set()
    for process in processes:
        folder = f"/proc/{process.pid}/fd"
        try:
            descriptors = os.listdir(folder)
        except OSError:
            continue
        for descriptor in descriptors:
            try:
                if match := _SOCKET.fullmatch(os.readlink(f"{folder}/{descriptor}")):
                    found.add(int(match[1]))
            except OSError:
                continue
    return found


@dataclass(frozen=True)
class Listening:
    """Who stands at the other end of a connection that the kernel has made."""

    own: bool  # every listener on its port belongs to the family
    accepted: bool  # and somebody has taken the connection from the queue; before that nobody may be there to serve it


def listening(client: socket.socket, leader: int) -> Listening:
    """Whether the family of `leader` is what `client` is connected to."""
    here, there = client.getsockname()[1], client.getpeername()[1]
    listeners: set[int] = set()
    queued = False
    for table in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if int(fields[1].rpartition(":")[2], 16) != there:
                continue
            if fields[3] == _LISTEN:
                listeners.add(int(fields[9]))
            elif int(fields[2].rpartition(":")[2], 16) == here and fields[3] in _WAITING:
                queued = fields[9] == "0"  # a connection has no inode before it is accepted
    # The files after the table: what listened before is in them, whichever process of the family made it.
    own = bool(listeners) and listeners <= _sockets(family(leader))
    return Listening(own, own and not queued)
