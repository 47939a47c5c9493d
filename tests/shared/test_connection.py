"""A Redis that is away is told as such, and used again when it is back."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest
from arq.connections import ArqRedis

from shared.collections import Collections
from shared.connection import connect, redis_errors
from shared.errors import QueueAway
from shared.events import Events
from shared.fleet import Fleet
from shared.job_filter import JobFilter
from shared.ledger import Ledger
from shared.queue import Queue
from shared.sessions import Sessions
from shared.settings import Settings
from tests.redis_server import RedisServer
from tests.shared.hand import a_search

pytestmark = pytest.mark.anyio

WITHIN_S = 10.0

Call = Callable[[ArqRedis, Settings], Awaitable[object]]
CALLS: dict[str, Call] = {
    "submit": lambda redis, settings: Queue(redis, settings).submit(a_search(), tenant="t"),
    "cancel": lambda redis, settings: Queue(redis, settings).cancel("t", "x"),
    "retry": lambda redis, settings: Queue(redis, settings).retry("t", "x"),
    "wait": lambda redis, settings: Queue(redis, settings).wait("t", "x", timeout_s=1),
    "depths": lambda redis, settings: Queue(redis, settings).depths(),
    "get": lambda redis, settings: Ledger(redis).get("t", "x"),
    "many": lambda redis, settings: Ledger(redis).many("t", ["x"]),
    "recent": lambda redis, settings: Ledger(redis).recent("t", where=JobFilter()),
    "epoch": lambda redis, settings: Events(redis).epoch(),
    "last": lambda redis, settings: Events(redis).last(),
    "follow": lambda redis, settings: Events(redis).follow("0-0", block_s=0.1),
    "between": lambda redis, settings: Events(redis).between("1-0", "2-0"),
    "sessions": lambda redis, settings: Sessions(redis, settings).create("t"),
    "touch": lambda redis, settings: Sessions(redis, settings).touch("t", "x"),
    "collections": lambda redis, settings: Collections(redis).all("t"),
    "fleet": lambda redis, settings: Fleet(redis).live(),
}


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer() as one:
        yield one


@pytest.fixture
def own(server: RedisServer) -> Settings:
    return Settings(redis_url=server.url)


async def test_every_call_says_that_redis_is_away_and_works_when_it_is_back(server: RedisServer, own: Settings) -> None:
    async with connect(own) as redis:
        queue = Queue(redis, own)
        await queue.submit(a_search(), tenant="t")
        server.stop()
        for name, call in CALLS.items():
            with pytest.raises(QueueAway) as away:
                async with asyncio.timeout(WITHIN_S):
                    await call(redis, own)
            assert (name, away.value.status, away.value.retry_after_s) == (name, 503, 1)
        server.start()
        # Its scripts and its data are gone; the same connections and the same queue go on.
        sent = await queue.submit(a_search(), tenant="t")
        assert (await queue.result("t", sent.id)).state == "queued"


async def test_a_blocking_read_ends_when_redis_goes_away(server: RedisServer, own: Settings) -> None:
    async with connect(own) as redis, connect(own, blocking=True) as blocking:
        events = Events(redis, blocking=blocking)
        reading = asyncio.create_task(events.follow(await events.last(), block_s=WITHIN_S))
        await asyncio.to_thread(server.stop)
        with pytest.raises(QueueAway):
            async with asyncio.timeout(WITHIN_S):
                await reading
    server.start()


async def test_connecting_does_not_need_redis(server: RedisServer) -> None:
    nowhere = Settings(redis_url="unix:///nonexistent/redis.sock")
    async with connect(nowhere) as redis:
        with pytest.raises(QueueAway):
            await Ledger(redis).get("t", "x")


async def test_many_calls_share_a_bounded_number_of_connections(redis: ArqRedis) -> None:
    await asyncio.gather(*(redis.ping() for _ in range(500)))
    assert int((await redis.info("clients"))["connected_clients"]) <= 70


def test_other_errors_are_not_taken_for_a_lost_connection() -> None:
    with pytest.raises(ZeroDivisionError), redis_errors():
        raise ZeroDivisionError
