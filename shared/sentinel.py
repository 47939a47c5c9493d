"""Redis behind Sentinels: `redis+sentinel://host:port,host:port/master/db`, found anew after every fail-over."""

from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import msgspec
from redis import Redis
from redis.asyncio import BlockingConnectionPool, ConnectionPool
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool
from redis.sentinel import Sentinel as SyncSentinel

from shared.settings import SettingsError

SCHEMES = ("redis+sentinel", "rediss+sentinel")
DEFAULT_PORT = 26_379


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where the Sentinels are, and which master they watch; the credentials are Redis' own."""

    sentinels: list[tuple[str, int]]
    master: str
    db: int
    username: str | None
    password: str | None
    tls: bool

    @property
    def options(self) -> dict[str, Any]:
        given = {"db": self.db, "username": self.username, "password": self.password, "ssl": self.tls or None}
        return {name: value for name, value in given.items() if value is not None}


class _WaitingPool(SentinelConnectionPool, BlockingConnectionPool):  # type: ignore[misc] # they have no types
    """Bounded: who finds no free connection waits for one, as without Sentinels."""


def is_sentinel(url: str) -> bool:
    return url.startswith(tuple(f"{scheme}://" for scheme in SCHEMES))


def parse(url: str) -> Place:
    """Raises SettingsError for an address that is none."""
    parts = urlsplit(url)
    master, _, db = parts.path.strip("/").partition("/")
    try:
        if not master:
            raise ValueError("it names no master")
        return Place(
            sentinels=_hosts(parts),
            master=unquote(master),
            db=int(db or 0),
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            tls=parts.scheme == "rediss+sentinel",
        )
    except ValueError as error:
        raise SettingsError(
            f"CLIPLINE_REDIS_URL: {error}; it should be redis+sentinel://host:port,host:port/master/db"
        ) from error


def _hosts(parts: SplitResult) -> list[tuple[str, int]]:
    found = []
    for address in parts.netloc.rpartition("@")[2].split(","):
        host, _, port = address.rpartition(":") if ":" in address else (address, "", "")
        if not host:
            raise ValueError("a Sentinel has no host")
        found.append((host.strip("[]"), int(port or DEFAULT_PORT)))
    return found


def pool(url: str, *, waiting: bool, **options: Any) -> ConnectionPool:
    """A pool of connections to the current master; `waiting` for a free one, else refusing."""
    place = parse(url)
    timeouts = {name: options[name] for name in ("socket_timeout", "socket_connect_timeout")}
    manager = Sentinel(place.sentinels, sentinel_kwargs=timeouts)
    kind = _WaitingPool if waiting else SentinelConnectionPool
    return kind(place.master, manager, **place.options, **options)


async def close(pool_: ConnectionPool) -> None:
    """End the connections of a pool, those to the Sentinels too."""
    await pool_.disconnect()
    if isinstance(pool_, SentinelConnectionPool):
        for one in pool_.sentinel_manager.sentinels:
            await one.aclose()


def close_sync(client: Redis) -> None:
    """The same for a thread's client."""
    client.close()
    client.connection_pool.disconnect()
    manager = getattr(client.connection_pool, "sentinel_manager", None)
    for one in manager.sentinels if manager is not None else []:
        one.close()


def sync_client(url: str, **options: Any) -> Redis:
    """A client of the current master for threads."""
    place = parse(url)
    client: Redis = SyncSentinel(place.sentinels, sentinel_kwargs=options).master_for(
        place.master, **place.options, **options
    )
    return client
