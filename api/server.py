"""Runs one API process: uvicorn on uvloop, httptools and websockets."""

import asyncio
import logging
import signal
import socket
import sys
from asyncio import Event as Signal
from threading import current_thread, main_thread
from types import FrameType

import uvicorn

from api.app import create_app, keyring_of
from api.arrival import protocol
from api.hosts import is_loopback
from api.sockets import Sockets
from shared.connection import connect, refuse_eviction
from shared.errors import Unavailable
from shared.garbage import leave_out_what_exists
from shared.settings import Settings, SettingsError

logger = logging.getLogger("api")

GRACE_S = 10
# Longer than the idle time of the usual proxies and clients, so that they, not we, close what they may be about to use.
KEEP_ALIVE_S = 75
BACKLOG = 2_048
REDIS_S = 3.0


class Server(uvicorn.Server):
    """Lets long polls answer before it waits for them."""

    def __init__(self, config: uvicorn.Config, *, stopping: Signal) -> None:
        super().__init__(config)
        self.stopping = stopping

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.stopping.set()
        await super().shutdown(sockets)


def check(settings: Settings) -> None:
    """Raises SettingsError for a keys file that cannot be read, and for an open door."""
    if keyring_of(settings).open and not is_loopback(settings.host):
        raise SettingsError(
            f"CLIPLINE_HOST={settings.host!r} can be reached by others, and no API keys are configured: make keys with "
            "`clipline keys add TENANT --role operator` and set CLIPLINE_KEYS_FILE, or bind to 127.0.0.1"
        )


async def check_redis(settings: Settings) -> None:
    """Raises SettingsError for a Redis that would lose jobs; one that is away is no reason not to start."""
    try:
        async with asyncio.timeout(REDIS_S), connect(settings) as redis:
            await refuse_eviction(redis)
    except (Unavailable, TimeoutError) as error:
        logger.warning("Redis cannot be checked: %s", str(error) or "no answer")


def build(settings: Settings) -> Server:
    """The server, not started. Raises SettingsError."""
    check(settings)
    stopping = Signal()
    config = uvicorn.Config(
        create_app(settings, stopping=stopping),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http=protocol(settings.body_pause_s),
        ws=Sockets,
        ws_max_size=settings.max_body_bytes,
        ws_per_message_deflate=False,
        ws_ping_interval=settings.heartbeat_s,
        ws_ping_timeout=settings.heartbeat_s,
        lifespan="on",
        backlog=BACKLOG,
        access_log=False,
        log_config=None,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    return Server(config, stopping=stopping)


def bind(settings: Settings) -> socket.socket:
    """A listening address; port 0 picks a free one. Raises SettingsError for one that cannot be had."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((settings.host, settings.port))
    except OSError as error:
        sock.close()
        raise SettingsError(f"cannot listen on {settings.host}:{settings.port}: {error.strerror}") from error
    return sock


def url_of(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def serve(settings: Settings) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit code."""
    try:
        server = build(settings)
        asyncio.run(check_redis(settings))
        sock = bind(settings)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    if current_thread() is main_thread():
        # uvicorn drains first and then repeats the signal that ended it: an orderly end has exit code 0.
        signal.signal(signal.SIGTERM, _leave)
        signal.signal(signal.SIGINT, _leave)
    # Its lines repeat ours, and tell whole websocket addresses.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    logger.info("listening on %s", url_of(sock))
    leave_out_what_exists()
    server.run(sockets=[sock])
    return 0 if server.started else 1


def _leave(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)
