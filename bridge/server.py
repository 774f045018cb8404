"""One server process from its first log line to its last: lifespan, sockets, signals, limits, and the order in which they end.

Knows the native server only by its interface (_bridge.pyi). Lines, exit codes and what a signal does are those that uvicorn's user knows.
"""

import asyncio
import contextlib
import os
import random
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from types import FrameType

from . import _bridge, faces, websocket
from .application import STARTUP_FAILURE, ImportStringError, find, find_app, load
from .forwarded import forwarded
from .lifespan import Lifespan
from .logs import access_logger, bold, configure, cyan, log_access, log_broken_text, log_rejected, logger, phrase
from .options import Options
from .sockets import UnixSocket, bind

_TICK = 0.1
_LOOPBACK = "127.0.0.1,::1"


def run(options: Options) -> None:
    """Serve until a signal or a limit ends it. SystemExit with 3 where the server never started."""
    if options.app_dir is not None:
        sys.path.insert(0, options.app_dir)
    configure(options.log_config, level=options.log_level, access_log=options.access_log, use_colors=options.use_colors)
    find_app(options.app)  # before there is a loop: apps are imported without one under uvicorn
    server = Server(options)
    try:
        server.run()
    except KeyboardInterrupt:
        pass
    finally:
        if server.unix_socket:
            server.unix_socket.remove()
    if not server.started:
        sys.exit(STARTUP_FAILURE)


def loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop] | None:
    """What makes the loop; None is asyncio's own choice, which a policy may direct."""
    if name == "none":
        return None
    if name == "asyncio":
        return asyncio.SelectorEventLoop
    if name == "auto":
        try:
            import uvloop  # where it is installed it is wanted
        except ImportError:
            return asyncio.SelectorEventLoop
        return uvloop.new_event_loop
    try:
        return find("uvloop:new_event_loop" if name == "uvloop" else name)
    except ImportStringError as error:
        logger.error("Error loading custom loop setup function. %s", error)
        sys.exit(STARTUP_FAILURE)


def default_fields(options: Options) -> list[tuple[bytes, bytes]]:
    """The fields of every response. The user's own server field takes the place of ours."""
    fields = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in options.headers]
    if options.server_header and b"server" not in dict(fields):
        fields.insert(0, (b"server", b"bridgecheck"))
    return fields


class Server:
    """A run of the server. `started` once it listens, `unix_socket` where it listens on a file; `should_exit` is for whoever has it end."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.started = False
        self.unix_socket: UnixSocket | None = None
        self.should_exit = False
        self._force_exit = False
        self._signals: list[int] = []
        self._max_requests = options.limit_max_requests
        if self._max_requests is not None:
            self._max_requests += random.randint(0, options.limit_max_requests_jitter)

    def run(self) -> None:
        # uvicorn's runner on 3.11 turns the loop's debug mode off, asyncio's own on later ones leaves it to the environment.
        debug = None if sys.version_info >= (3, 12) else False
        factory = loop_factory(self.options.loop)
        with asyncio.Runner(debug=debug, loop_factory=factory) as runner:
            runner.run(self.serve())

    async def serve(self, sockets: Sequence[socket.socket] | None = None) -> None:
        """`sockets`, bound ones, are taken over and listened on in place of the options' address."""
        with self.capture_signals():
            await self._serve(sockets)

    async def _serve(self, sockets: Sequence[socket.socket] | None) -> None:
        process_id = os.getpid()
        app = load(self.options.app, factory=self.options.factory, interface=self.options.interface)
        self._lifespan = Lifespan(app.call, app.asgi_version, self.options.lifespan)
        logger.info("Started server process [%d]", process_id, extra={"color_message": f"Started server process [{cyan('%d')}]"})
        await self._lifespan.startup()
        if self._lifespan.should_exit:
            sys.exit(STARTUP_FAILURE)
        self._native = self._make_native(app.call, app.asgi_version)
        if self.options.ws != "none":
            self._serve_websockets()
        self._end = self._close_with_loop()
        await anext(self._end)
        try:
            await self._listen(sockets)
        except OSError as error:
            logger.error(error)
            await self._lifespan.shutdown()
            sys.exit(STARTUP_FAILURE)
        self.started = True
        while not self._is_over():
            await asyncio.sleep(_TICK)
        await self._shutdown()
        logger.info("Finished server process [%d]", process_id, extra={"color_message": f"Finished server process [{cyan('%d')}]"})

    def _make_native(self, app: Callable[..., object], asgi_version: str) -> "_bridge.Server":
        options = self.options
        trusted = options.forwarded_allow_ips
        if trusted is None:
            trusted = os.environ.get("FORWARDED_ALLOW_IPS", _LOOPBACK)
        return _bridge.Server(
            loop=asyncio.get_running_loop(),
            app=app,
            unavailable=faces.unavailable,
            state=self._lifespan.state,
            faces=(faces.run, faces.receive, faces.send),
            root_path=options.root_path,
            asgi_version=asgi_version,
            default_fields=default_fields(options),
            date_field=options.date_header,
            phrases={status: phrase(status) for status in range(100, 600)},
            timeout_keep_alive=options.timeout_keep_alive,
            limit_concurrency=options.limit_concurrency,
            logger=logger,
            access_logger=access_logger,
            log_access=log_access,
            forwarded=forwarded(trusted) if options.proxy_headers else None,
            reset_context=options.reset_contextvars,
        )

    def _serve_websockets(self) -> None:
        options = self.options
        self._native.serve_websockets(
            faces=(websocket.run, websocket.receive, websocket.send),
            refused=log_rejected,
            broken_text=log_broken_text,
            compresses=options.ws_per_message_deflate,
            max_size=options.ws_max_size,
            max_queue=options.ws_max_queue,
            ping_interval=options.ws_ping_interval,
            ping_timeout=options.ws_ping_timeout,
        )

    async def _close_with_loop(self) -> AsyncIterator[None]:
        """A loop ends async generators after it has cancelled the last task and before it closes. That is when to close the native server:
        an app that is cancelled there still answers through its connection."""
        try:
            yield
        finally:
            self._native.close()

    async def _listen(self, sockets: Sequence[socket.socket] | None) -> None:
        options = self.options
        if sockets is not None:
            for sock in sockets:
                self._native.listen(sock.detach(), options.backlog)
            return  # whoever bound them knows where
        if options.uds is not None:
            self.unix_socket = UnixSocket(options.uds)
            self._native.listen(self.unix_socket.socket.detach(), options.backlog)
            logger.info("Uvicorn running on unix socket %s (Press CTRL+C to quit)", options.uds)
            return
        sockets = await bind(options.host, options.port)
        port = options.port or sockets[0].getsockname()[1]
        try:
            for sock in sockets:
                self._native.listen(sock.detach(), options.backlog)
        except OSError:
            for sock in sockets:
                sock.close()
            raise
        address = "%s://[%s]:%d" if ":" in options.host else "%s://%s:%d"
        logger.info(
            f"Uvicorn running on {address} (Press CTRL+C to quit)",
            "http",
            options.host,
            port,
            extra={"color_message": f"Uvicorn running on {bold(address)} (Press CTRL+C to quit)"},
        )

    def _is_over(self) -> bool:
        if self.should_exit:
            return True
        if self._max_requests is not None and self._native.total_requests >= self._max_requests:
            logger.info("Maximum request limit of %d exceeded. Terminating process.", self._max_requests)
            return True
        return False

    async def _shutdown(self) -> None:
        logger.info("Shutting down")
        self._native.stop_listening()
        if self.unix_socket and sys.version_info >= (3, 13):
            self.unix_socket.remove()  # as asyncio does since then
        self._native.shutdown()
        await asyncio.sleep(_TICK)
        try:
            await asyncio.wait_for(self._wait(), self.options.timeout_graceful_shutdown)
        except TimeoutError:
            logger.error("Cancel %s running task(s), timeout graceful shutdown exceeded", self._native.tasks)
            self._native.cancel("Task cancelled, timeout graceful shutdown exceeded")
        if not self._force_exit:
            await self._lifespan.shutdown()

    async def _wait(self) -> None:
        """Until all connections, then all tasks are gone, or the user forces it."""
        for count, name in (("connections", "connections to close"), ("tasks", "background tasks to complete")):
            if getattr(self._native, count) and not self._force_exit:
                logger.info(f"Waiting for {name}. (CTRL+C to force quit)")
                while getattr(self._native, count) and not self._force_exit:
                    await asyncio.sleep(_TICK)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM; at the end give them back and raise again what came, so that it does what it would have done."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handlers = {number: signal.signal(number, self._on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        for number in reversed(self._signals):
            signal.raise_signal(number)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        self._signals.append(number)
        if self.should_exit and number == signal.SIGINT:
            self._force_exit = True
        else:
            self.should_exit = True
