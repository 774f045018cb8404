"""The sockets to listen on: bound here, listened on elsewhere. Errors read as those of asyncio's create_server and create_unix_server."""

import asyncio
import errno
import logging
import os
import socket
import stat

logger = logging.getLogger("asyncio")  # whose line of a stale file users know

_PERMISSIONS = 0o666


async def bind(host: str, port: int) -> list[socket.socket]:
    """A socket for every address of the host, "" being all of this machine's. Port 0 lets the system choose, for each its own."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    bound: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            try:
                sock = socket.socket(family, kind, protocol)
            except OSError:
                continue  # a family that this machine has no more than the name of
            bound.append(sock)
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # IPv4 has a socket of its own
            try:
                sock.bind(address)
            except OSError as error:
                reason = str(error.strerror).lower()
                raise OSError(error.errno, f"error while attempting to bind on address {address!r}: {reason}") from None
    except BaseException:
        for sock in bound:
            sock.close()
        raise
    return bound


class UnixSocket:
    """A bound Unix socket and its file. A stale socket's file is replaced, any other file stays and is an error."""

    def __init__(self, path: str) -> None:
        """Everybody may connect, or whom the replaced file let."""
        permissions = _PERMISSIONS
        try:
            permissions = os.stat(path).st_mode
            if stat.S_ISSOCK(permissions):
                os.remove(path)
        except FileNotFoundError:
            pass
        except OSError as error:
            logger.error("Unable to check or remove stale UNIX socket %r: %r", path, error)
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.socket.setblocking(False)
            self.socket.bind(path)
            os.chmod(path, stat.S_IMODE(permissions))
            self._identity = self._identify()
        except OSError as error:
            self.socket.close()
            if error.errno == errno.EADDRINUSE:
                raise OSError(error.errno, f"Address {path!r} is already in use") from None
            raise

    def _identify(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.path)
        except FileNotFoundError:
            return None
        return found.st_dev, found.st_ino

    def remove(self) -> None:
        """Take the file away, unless another one has taken its place."""
        if self._identity and self._identify() == self._identity:
            os.remove(self.path)
