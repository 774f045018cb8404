"""What a user may choose, with uvicorn's names and defaults. Knows nothing of where it was chosen or of what follows from it."""

from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True)
class Options:
    """Times in seconds. None is "no limit", or where the comment says so, "as the environment or the terminal says"."""

    app: str | Any  # module:attribute, or the app itself
    host: str = "127.0.0.1"
    port: int = 8000
    uds: str | None = None
    loop: str = "auto"  # auto, asyncio, uvloop, none, or module:attribute of a function that makes a loop
    ws: Literal["auto", "none", "websockets-sansio"] = "auto"  # auto is websockets-sansio, as with uvicorn
    ws_max_size: int = 16777216  # bytes of a message
    ws_max_queue: int = 32  # messages
    ws_ping_interval: float = 20.0  # 0: no pings
    ws_ping_timeout: float = 20.0
    ws_per_message_deflate: bool = True
    lifespan: Literal["auto", "on", "off"] = "auto"
    interface: Literal["auto", "asgi3", "asgi2"] = "auto"
    log_config: str | None = None  # file; None: uvicorn's own lines
    log_level: str | None = None  # None: what the configuration says, INFO by default
    access_log: bool = True
    use_colors: bool | None = None  # None: where standard output is a terminal
    proxy_headers: bool = True
    forwarded_allow_ips: str | None = None  # None: $FORWARDED_ALLOW_IPS, or this machine
    server_header: bool = True
    date_header: bool = True
    headers: tuple[tuple[str, str], ...] = ()  # Latin-1
    root_path: str = ""
    limit_concurrency: int | None = None
    limit_max_requests: int | None = None
    limit_max_requests_jitter: int = 0
    backlog: int = 2048
    timeout_keep_alive: int = 5
    timeout_graceful_shutdown: int | None = None
    app_dir: str | None = None  # put before sys.path; "" is the current folder
    factory: bool = False
    reset_contextvars: bool = False
