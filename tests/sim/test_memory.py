"""However many jobs go through, Redis keeps as many keys as the settings allow."""

import asyncio

from arq.connections import ArqRedis

from shared import keys
from shared.connection import connect
from shared.jobs import Query, Search
from shared.queue import Queue
from shared.settings import Settings
from tests.redis_server import RedisServer
from tests.sim.hands import Hands

KEPT = 40
# Streams are trimmed by whole nodes, of 100 entries unless Redis is told otherwise (stream-node-max-entries).
NODE = 100
ROUND = 4


async def some_jobs(queue: Queue, worker: Hands, rounds: int) -> None:
    """Jobs that succeed, fail, are handed back, cancelled and superseded; none is left open."""
    for number in range(rounds):
        texts = [f"{number} {index}" for index in range(ROUND)]
        sent = [
            await queue.submit(
                Search(collection="sim", query=Query(text=text), session="s", slot=f"slot-{index % 3}"), tenant="ann"
            )
            for index, text in enumerate(texts)
        ]
        await queue.cancel("ann", sent[1].id)
        first, second = await worker.claim({"interactive": ROUND})
        await worker.hand_back(first, delay_s=0.0, counted=True)
        await worker.fail(second)
        [again] = await worker.claim({"interactive": ROUND})
        await worker.succeed(again)


async def size(redis: ArqRedis) -> tuple[int, int]:
    """Keys without those that count by time, and events."""
    found = [key async for key in redis.scan_iter(count=1_000)]
    return sum(b":out:" not in key for key in found), await redis.xlen(keys.EVENTS)


def test_keys_do_not_grow_with_the_number_of_jobs(redis_server: RedisServer) -> None:
    async def grown() -> None:
        settings = Settings(redis_url=redis_server.url, keep_jobs=KEPT, keep_dead=KEPT, keep_events=NODE)
        async with connect(settings) as redis:
            await redis.flushdb()
            queue, worker = Queue(redis, settings), Hands(redis, settings, name="w", lease_s=60.0)
            await some_jobs(queue, worker, KEPT)
            full, _ = await size(redis)
            await some_jobs(queue, worker, 4 * KEPT)
            later, events = await size(redis)
        # A kept job has a record, and a body or a result.
        assert abs(later - full) <= ROUND, (
            f"{full} keys when the ledger was full, {later} after five times as many jobs"
        )
        assert events <= 2 * NODE + 1

    asyncio.run(grown())
