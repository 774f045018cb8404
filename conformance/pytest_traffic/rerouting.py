"""Puts a carrier in the app's place in Starlette's TestClient and httpx's ASGITransport, for as long as the process runs.

The only file that knows how these two are made inside. They are the same objects afterwards as before: `client.app` is the app, and
what a test patches on them is patched.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import warnings
from collections.abc import Iterator
from typing import Any

import anyio.from_thread

from .carrier import Carrier, Hosts

_TEST_CLIENT = ("testclient", 50000)  # who asks, unless a test says otherwise
_TRANSPORT = ("127.0.0.1", 123)


class Portal:
    """One event loop for all clients that were made without `with`: in memory they have a new one for each request, which no server has."""

    def __init__(self, hosts: Hosts) -> None:
        self._hosts = hosts
        self._stack = contextlib.ExitStack()
        self._portal: Any = None

    def get(self) -> Any:
        if self._portal is None:
            self._portal = self._stack.enter_context(anyio.from_thread.start_blocking_portal("asyncio"))
        return self._portal

    def end_of_test(self) -> None:
        """Its apps are gone with it; their servers need not be waited for."""
        if self._portal is not None:
            self._portal.call(self._release)

    async def _release(self) -> None:
        for host in self._hosts.release_all():
            host.end()

    def close(self) -> None:
        self.end_of_test()
        self._stack.close()


class _Seen:
    """A client with another app."""

    def __init__(self, client: Any, app: Any) -> None:
        self._client, self.app = client, app

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def reroute(hosts: Hosts) -> Portal:
    portal = Portal(hosts)
    for name in ("httpx", "httpx2"):
        module = _module(name)
        if module is not None and hasattr(module, "ASGITransport"):
            _reroute_transport(module.ASGITransport, hosts)
    module = _module("starlette.testclient")
    if module is not None:
        _reroute_client(module.TestClient, hosts, portal)
    return portal


def _module(name: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(name)
        except (ImportError, RuntimeError):  # the latter is what Starlette says where httpx is missing
            return None


def _asked(given: dict[str, Any], client: tuple[str, int]) -> tuple[str, ...]:
    notes = []
    if given.get("root_path"):
        notes.append(f"root_path={given['root_path']!r}: a server has its own")
    if tuple(given.get("client") or client) != client:
        notes.append(f"client={given['client']!r}: over a socket it is 127.0.0.1 and the port")
    return tuple(notes)


def _reroute_transport(transport: Any, hosts: Hosts) -> None:
    init, aclose = transport.__init__, transport.aclose

    @functools.wraps(init)
    def carried_init(self: Any, *args: Any, **options: Any) -> None:
        init(self, *args, **options)
        self.app = Carrier(self.app, hosts, _asked(vars(self), _TRANSPORT))

    @functools.wraps(aclose)
    async def carried_aclose(self: Any) -> None:
        await aclose(self)
        host = hosts.release(self.app.app)
        if host is not None:
            await host.stop()

    transport.__init__, transport.aclose = carried_init, carried_aclose


def _reroute_client(client: Any, hosts: Hosts, portal: Portal) -> None:
    init, lifespan, portal_factory = client.__init__, client.lifespan, client._portal_factory

    @functools.wraps(init)
    def carried_init(self: Any, *args: Any, **options: Any) -> None:
        init(self, *args, **options)
        self._transport.app = Carrier(self._transport.app, hosts, _asked(vars(self._transport), _TEST_CLIENT))

    async def carried_lifespan(self: Any) -> None:
        await lifespan(_Seen(self, self._transport.app))

    @contextlib.contextmanager
    def carried_portal_factory(self: Any) -> Iterator[Any]:
        if self.portal is not None or self.async_backend != {"backend": "asyncio", "backend_options": {}}:
            with portal_factory(self) as own:
                yield own
        else:
            yield portal.get()

    client.__init__, client.lifespan, client._portal_factory = carried_init, carried_lifespan, carried_portal_factory
