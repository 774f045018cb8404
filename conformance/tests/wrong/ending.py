"""uvicorn, but for how it starts and ends: python ending.py HOW HOST PORT APP.

HOW: `right` does what uvicorn does; `code` ends with another exit code; `dies` does so by SIGTERM at once, whatever runs; `never` hears no
signal; `mute` tells the app nothing of the shutdown; `stays` leaves the listening socket open while the last requests are answered;
`leaves` ends, and leaves a process behind that holds all its connections; `serves` serves an app that does not want to start; `shrugs`
ends with exit code 0 where it could not start.
"""

import asyncio
import os
import signal
import sys

import uvicorn
from uvicorn.lifespan.on import LifespanOn

how, host, port, name = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]


async def no_shutdown(self: LifespanOn) -> None:
    pass


if how == "mute":
    LifespanOn.shutdown = no_shutdown


class Server(uvicorn.Server):
    async def startup(self, sockets=None) -> None:
        if how == "serves":
            await self.lifespan.startup()
            self.lifespan.should_exit = False
            self.lifespan.startup = lambda: asyncio.sleep(0)
        await super().startup(sockets)
        if how == "dies":
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        if how == "never":
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if how == "leaves" and os.fork() == 0:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.pause()

    async def shutdown(self, sockets=None) -> None:
        if how == "stays":
            kept, self.servers = self.servers, []
        await super().shutdown(sockets)
        if how == "stays":
            self.servers = kept


server = Server(uvicorn.Config(name, host=host, port=port))
try:
    server.run()
except SystemExit as end:
    os._exit(0 if how == "shrugs" else end.code)
except KeyboardInterrupt:
    pass
os._exit(7 if how == "code" else 0)
