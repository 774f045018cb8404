"""The recorder for interpreters that cannot load the binary: the same face, the same files, at many times the cost.

The format is that of recorder/trace.h; the comments there and in the recorder's C files hold here too.
"""

from __future__ import annotations

import asyncio
import gc
import mmap
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

PLAIN_RECEIVE, PLAIN_SEND, MARKED = 1, 2, 4

_CALL, _RECEIVED, _RECEIVE_RAISED, _SEND, _SENT, _SEND_RAISED, _RETURNED, _RAISED, _SETTLED, _MARKED = range(1, 11)
_AWAITED = frozenset((_CALL, _RETURNED, _RAISED, _SETTLED))

_FILE_SIZE = 256 << 20
_FILE_SIZE_MIN = 2 << 20
_BODY_INLINE, _BODY_EDGE = 8192, 4096
_DEPTH_MAX = 16
_VALUE_MAX = 1 << 20
_ROOM = 64 << 10
_STEP = 256 << 10

_HEADER = struct.Struct("=8sII")  # then committed (u64) and armed (u32), written on their own
_HEADER_SIZE = 64
_COMMITTED, _ARMED = 16 // 8, 24 // 4  # as indexes of u64 and u32
_RECORD = struct.Struct("=IHHIIQQQ")
_COUNT, _INT, _FLOAT, _LONG = (struct.Struct(format) for format in ("=cI", "=cq", "=cd", "=cQQI"))

_HASH_START, _HASH_PRIME, _HASH_MASK = 0xCBF29CE484222325, 0x100000001B3, (1 << 64) - 1


def _hash(value: int, data: bytes) -> int:
    for byte in data:
        value = ((value ^ byte) * _HASH_PRIME) & _HASH_MASK
    return value


class _TooLong(Exception):
    """The value would pass its limit."""


def _type_name(kind: type) -> str:
    module = getattr(kind, "__module__", None)
    return f"{module}.{kind.__qualname__}" if isinstance(module, str) and module != "builtins" else kind.__qualname__


def _built_in_name(kind: type) -> str:
    """What an app can know a server's own exceptions by."""
    return next(found.__qualname__ for found in type.mro(kind) if found.__module__ == "builtins")


class _ValueWriter:
    """A value as the trace's tagged bytes, up to a limit."""

    def __init__(self, limit: int) -> None:
        self.bytes = bytearray()
        self._limit = limit
        self._depth = 0

    def _put(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.bytes += piece
        if len(self.bytes) > self._limit:
            raise _TooLong

    def _string(self, tag: bytes, long_tag: bytes, data: bytes) -> None:
        if len(data) <= _BODY_INLINE:
            self._put(_COUNT.pack(tag, len(data)), data)
        else:
            self._put(_LONG.pack(long_tag, len(data), _hash(_HASH_START, data), _BODY_EDGE), data[:_BODY_EDGE], data[-_BODY_EDGE:])

    def _type(self, tag: bytes, value: Any) -> None:
        name = _type_name(type(value)).encode("utf-8", "surrogatepass")
        self._put(_COUNT.pack(tag, len(name)), name)

    def _text(self, value: str) -> None:
        self._string(b"s", b"S", str.encode(value, "utf-8", "surrogatepass"))

    def _bytes(self, value: bytes) -> None:
        self._string(b"b", b"B", bytes(memoryview(value)))

    def _memoryview(self, value: memoryview) -> None:
        try:
            self._bytes(value.tobytes())
        except ValueError:  # released
            self._put(b"N")

    def _integer(self, value: int) -> None:
        if -(1 << 63) <= value < 1 << 63:
            self._put(_INT.pack(b"i", value))
            return
        try:
            text = int.__repr__(value)
        except ValueError:  # sys.set_int_max_str_digits()
            text = hex(value)
        self._put(_COUNT.pack(b"I", len(text)), text.encode())

    def _float(self, value: float) -> None:
        self._put(_FLOAT.pack(b"d", value))

    def _list(self, value: list) -> None:
        self._put(_COUNT.pack(b"L", list.__len__(value)))
        for item in list.__iter__(value):
            self.write(item)

    def _tuple(self, value: tuple) -> None:
        self._put(_COUNT.pack(b"U", tuple.__len__(value)))
        for item in tuple.__iter__(value):
            self.write(item)

    def _dict(self, value: dict) -> None:
        self._put(_COUNT.pack(b"D", dict.__len__(value)))
        for key, item in dict.items(value):
            self.write(key)
            self.write(item)

    def _plain(self, kind: type, value: Any) -> None:
        write = self._WRITERS[kind]
        if kind not in (list, tuple, dict):
            write(self, value)
        elif self._depth >= _DEPTH_MAX:
            self._put(b".")
        else:
            self._depth += 1
            write(self, value)
            self._depth -= 1

    _WRITERS = {str: _text, bytes: _bytes, dict: _dict, list: _list, tuple: _tuple, int: _integer, float: _float}
    _OTHERS = {bytearray: _bytes, memoryview: _memoryview}

    def write(self, value: Any) -> None:
        kind = type(value)
        if value is None:
            self._put(b"N")
        elif kind is bool:
            self._put(b"T" if value else b"F")
        elif kind in self._WRITERS:
            self._plain(kind, value)
        else:
            for base in self._WRITERS:
                if issubclass(kind, base):
                    self._type(b"X", value)
                    self._plain(base, value)
                    return
            for base, write in self._OTHERS.items():
                if issubclass(kind, base):
                    self._type(b"X", value)
                    write(self, value)
                    return
            self._type(b"O", value)


def _encode(value: Any, limit: int = _VALUE_MAX) -> bytes:
    writer = _ValueWriter(limit)
    try:
        writer.write(value)
    except _TooLong:
        return b"."
    return bytes(writer.bytes)


class _TraceWriter:
    """The mapped file, its records, the doorbell. See recorder/trace_writer.c."""

    def __init__(self, folder: str | None, doorbell: str | None, file_size: int) -> None:
        if file_size < _FILE_SIZE_MIN:
            raise ValueError(f"files of {file_size} bytes are too small")
        self._folder, self._doorbell, self._file_size = folder or "", doorbell or "", file_size
        self._lock = threading.Lock()
        self._become(os.getpid())

    def _become(self, pid: int) -> None:
        self.pid = pid
        self._calls = self._number = 0
        self._failed = False
        self._name = ""
        self._file = -1
        self._socket: socket.socket | None = None
        self._map: mmap.mmap | None = None
        self._views: tuple[memoryview, ...] = ()
        self._end = self._backed = 0

    def current_pid(self) -> int:
        """This process, which after a fork lets go of its parent's file."""
        pid = os.getpid()
        if pid != self.pid:
            self._close()
            self._lock = threading.Lock()
            self._become(pid)
        return pid

    def next_call(self) -> int:
        self._calls += 1
        return self._calls

    def _close(self) -> None:
        for view in self._views:
            view.release()
        self._views = ()
        if self._map is not None:
            self._map.close()
            self._map = None
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _fail(self, reason: str) -> None:
        self._close()
        self._failed = True
        who = f"bridgecheck_observer: process {self.pid}"
        line = f"{who} cannot write its trace in '{self._folder[:700]}': {reason}; the app runs on unobserved\n"
        try:
            os.write(2, line.encode("utf-8", "surrogateescape"))
        except OSError:
            return  # no one is left to tell

    def _back(self, end: int) -> None:
        target = min((end + _STEP - 1) // _STEP * _STEP, self._file_size)
        while self._backed < target:
            self._backed += os.pwrite(self._file, bytes(target - self._backed), self._backed)

    def _ring(self) -> None:
        if not self._doorbell:
            return
        try:
            if self._socket is None:
                self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
                self._socket.setblocking(False)
            self._socket.sendto(self._name.encode(), self._doorbell)
        except OSError:
            return  # no one listens, or not now

    def _open_next(self) -> None:
        self._close()
        while True:
            self._number += 1
            self._name = f"{self.pid}-{self._number}.trace"
            path = os.path.join(self._folder, self._name)
            if not os.path.exists(path):
                break
        opening = path[: -len("trace")] + "opening"
        self._file = os.open(opening, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.ftruncate(self._file, self._file_size)
            self._map = mmap.mmap(self._file, self._file_size)
            self._backed = 0
            self._back(_HEADER_SIZE)
            _HEADER.pack_into(self._map, 0, b"BCTRACE1", self.pid, 0)
            whole = memoryview(self._map)
            self._views = (whole.cast("Q"), whole.cast("I"), whole)
            self._end = self._views[0][_COMMITTED] = _HEADER_SIZE
            os.rename(opening, path)
        except OSError:
            os.unlink(opening)
            raise
        self._ring()

    def write(self, kind: int, port: int, call: int, total: int, stream_hash: int, payload: bytes) -> None:
        collecting = gc.isenabled()
        gc.disable()  # a finalizer that ends another call would come back here
        try:
            with self._lock:
                if not self._failed:
                    self._write(kind, port, call, total, stream_hash, payload)
        except OSError as error:
            self._fail(error.strerror or repr(error))
        finally:
            if collecting:
                gc.enable()

    def _write(self, kind: int, port: int, call: int, total: int, stream_hash: int, payload: bytes) -> None:
        if not self._folder:
            self._fail("BRIDGECHECK_TRACE is not set")
            return
        size = _RECORD.size + (len(payload) + 7) // 8 * 8
        room = _RECORD.size + (_ROOM if size <= _RECORD.size + _ROOM else _VALUE_MAX)
        if self._map is None or room > self._file_size - self._end:
            self._open_next()
        if self._end + room > self._backed:
            self._back(self._end + room)
        assert self._map is not None
        start = self._end + _RECORD.size
        self._map[start : start + len(payload)] = payload
        _RECORD.pack_into(self._map, self._end, size, kind, port, call, len(payload), time.monotonic_ns(), total, stream_hash)
        self._end += size
        self._views[0][_COMMITTED] = self._end
        if kind in _AWAITED and self._views[1][_ARMED]:
            self._views[1][_ARMED] = 0
            self._ring()


class Call:
    """One call of the app; a base for the faces, made by Recorder.begin() only. Calling it is a turn of the loop on the way to settled."""

    __slots__ = ("server_receive", "server_send", "token", "uncommon", "_writer", "_pid", "_loop", "_number", "_port", "_streams", "_turns")

    def _record(self, kind: int, payload: bytes, total: int = 0, stream_hash: int = 0) -> None:
        if self._writer.current_pid() == self._pid:
            self._writer.write(kind, self._port, self._number, total, stream_hash, payload)

    def _event(self, kind: int, event: Any) -> None:
        total, stream_hash = self._streams.get(kind, (0, _HASH_START))
        body = dict.get(event, "body") if isinstance(event, dict) else None
        if isinstance(body, (bytes, bytearray, memoryview)):
            try:
                content = bytes(memoryview(body))
            except ValueError:  # a released memoryview
                content = b""
            total, stream_hash = total + len(content), _hash(stream_hash, content)
            self._streams[kind] = total, stream_hash
        self._record(kind, _encode(event), total, stream_hash)

    def _exception(self, kind: int, exception: BaseException) -> None:
        message: str | None
        try:
            message = str(exception)
        except BaseException:  # the app's own code; it is only asked for a text
            message = None
        self._record(kind, _encode([_type_name(type(exception)), message, _built_in_name(type(exception))]))

    def _next_turn(self) -> None:
        if self._loop is not None:
            try:
                self._loop.call_soon(self)
                return
            except Exception:  # the loop is closed
                pass
        self._record(_SETTLED, b"")

    def __call__(self) -> None:
        self._turns += 1
        if self._turns < 2:
            self._next_turn()
        else:
            self._record(_SETTLED, b"")

    def received(self, event: Any) -> None:
        self._event(_RECEIVED, event)

    def receive_raised(self, exception: BaseException) -> None:
        if not isinstance(exception, GeneratorExit):
            self._exception(_RECEIVE_RAISED, exception)

    def sending(self, event: Any) -> None:
        self._event(_SEND, event)

    def sent(self, result: Any) -> None:
        self._record(_SENT, _encode(result))

    def send_raised(self, exception: BaseException) -> None:
        if not isinstance(exception, GeneratorExit):
            self._exception(_SEND_RAISED, exception)

    def returned(self, result: Any) -> None:
        self._record(_RETURNED, _encode(result))
        self._next_turn()

    def raised(self, exception: BaseException) -> None:
        self._exception(_RAISED, exception)
        if isinstance(exception, GeneratorExit):
            self._record(_SETTLED, b"")
        else:
            self._next_turn()


def _find_token(scope: Any) -> bytes | None:
    headers = dict.get(scope, "headers") if isinstance(scope, dict) and dict.get(scope, "type") == "http" else None
    if isinstance(headers, (list, tuple)):
        for pair in headers:
            if isinstance(pair, (list, tuple)) and len(pair) == 2 and isinstance(pair[0], bytes) and isinstance(pair[1], bytes):
                if pair[0].lower() == b"bridgecheck-next":
                    return pair[1]
    return None


def _find_client_port(scope: Any) -> int:
    client = dict.get(scope, "client") if isinstance(scope, dict) else None
    if not isinstance(client, (list, tuple)) or len(client) != 2:
        return 0
    port = client[1]
    if isinstance(port, str) and port.isascii() and port.isdigit() and len(port) < 20:
        port = int(port)
    return port if isinstance(port, int) and 0 < port <= 65535 else 0


class Recorder:
    """This process's trace."""

    def __init__(
        self,
        folder: str | None,
        doorbell: str | None,
        call_type: type,
        describe: Callable[[Any], str],
        coroutine_function: str,
        main_thread: int,
        file_size: int = _FILE_SIZE,
    ) -> None:
        self._writer = _TraceWriter(folder, doorbell, file_size)
        self._call_type, self._describe, self._coroutine_function = call_type, describe, coroutine_function
        self._main_thread = main_thread

    def is_marked(self, scope: Any) -> bool:
        """Whether begin() would take it for a marked request."""
        return _find_token(scope) is not None

    def begin(self, scope: Any, receive: Any, send: Any) -> Any:
        """The app is called, or, for a marked request (Call.uncommon & MARKED), is not."""
        call = object.__new__(self._call_type)
        loop = asyncio._get_running_loop()
        receive_kind, send_kind = self._describe(receive), self._describe(send)
        call.server_receive, call.server_send = receive, send
        call.token = _find_token(scope)
        call.uncommon = (
            (0 if receive_kind == self._coroutine_function else PLAIN_RECEIVE)
            | (0 if send_kind == self._coroutine_function else PLAIN_SEND)
            | (0 if call.token is None else MARKED)
        )
        call._writer, call._pid, call._loop = self._writer, self._writer.current_pid(), loop
        call._number, call._port, call._streams, call._turns = 0, _find_client_port(scope), {}, 0
        if call.token is not None:
            call._record(_MARKED, _encode(call.token))
            return call
        call._number = self._writer.next_call()
        properties = {
            "receive": receive_kind,
            "send": send_kind,
            "main thread": threading.get_ident() == self._main_thread,
            "loop": "" if loop is None else _type_name(type(loop)),
            "recorder": "python",
        }
        tail = _encode(properties)
        call._record(_CALL, _encode(scope, _VALUE_MAX - len(tail)) + tail)
        return call
