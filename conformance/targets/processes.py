"""What /proc says of a tree of processes: who belongs to it, what it used, and whether it listens on a port.

Knows Linux. Knows nothing of targets.
"""

import os
import re
import socket
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_SOCKET = re.compile(r"socket:\[(\d+)\]")
_LISTEN = "0A"
_PF_EXITING = 0x4  # of Linux's include/linux/sched.h
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


def ending(pid: int) -> bool:
    """Whether the process has ended, or is about to: the kernel says so before it closes the first of its connections."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return True
    return bool(int(text[text.rindex(")") + 2 :].split()[6]) & _PF_EXITING)


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


def _lines_with(text: str, word: str) -> Iterator[list[str]]:
    """The fields of each line that holds the word. There may be tens of thousands of others."""
    at = text.find(word)
    while at >= 0:
        end = text.find("\n", at)
        yield text[text.rfind("\n", 0, at) + 1 : end].split()
        at = text.find(word, end)


class Peer(Enum):
    """What stands at the other end of a connection that the kernel has made."""

    FOREIGN = "a listener that is not of the family"
    QUEUED = "a listener of the family, which has not accepted it; perhaps nobody is there yet to serve it"
    ACCEPTED = "the family"
    CLOSED = "a listener of the family, but the connection is no more: accepted and closed, or reset with the whole queue"


def peer(client: socket.socket, port: int, leader: int) -> Peer:
    """Whether the family of `leader` is what `client` was connected to, on `port` of this machine."""
    own_port = client.getsockname()[1]
    listeners: set[int] = set()
    inode = None  # of the connection's other end; 0 before it is accepted
    for table in ("tcp", "tcp6"):
        try:
            text = Path(f"/proc/net/{table}").read_text()
        except OSError:
            continue
        for fields in _lines_with(text, f":{port:04X} "):
            if int(fields[1].rpartition(":")[2], 16) != port:
                continue
            if fields[3] == _LISTEN:
                listeners.add(int(fields[9]))
            elif int(fields[2].rpartition(":")[2], 16) == own_port and fields[3] in _WAITING:
                inode = int(fields[9])
    # The files after the table: what listened before is in them, whichever process of the family made it.
    if not listeners or not listeners <= _sockets(family(leader)):
        return Peer.FOREIGN
    if inode is None:
        return Peer.CLOSED
    return Peer.ACCEPTED if inode else Peer.QUEUED
