"""Idle tenants, old events and what stock workers ended are looked after by one worker for all."""

from typing import Any

import msgspec
import pytest
from arq.connections import ArqRedis
from arq.worker import func

from shared import keys
from shared.jobs import Query, Search
from shared.queue import Queue
from shared.settings import Settings
from tests.shared.hand import a_search
from tests.workers.fleet import stock_worker
from workers.tidying import Tidying

pytestmark = pytest.mark.anyio


async def test_an_idle_tenants_ledger_is_trimmed(redis: ArqRedis, settings: Settings) -> None:
    queue = Queue(redis, settings)
    for _ in range(40):
        sent = await queue.submit(a_search(), tenant="t")
        await queue.cancel("t", sent.id)
    small = msgspec.structs.replace(settings, keep_jobs=5)
    assert await Tidying(redis, small, worker_id="w").once() == 35
    assert await redis.zcard(keys.jobs("t")) == 5


async def test_one_worker_does_it_for_all(redis: ArqRedis, settings: Settings) -> None:
    swept: list[str] = []

    async def sweep() -> None:
        swept.append("now")

    assert await Tidying(redis, settings, worker_id="a", sweep=sweep).once() == 0
    assert await Tidying(redis, settings, worker_id="b", sweep=sweep).once() is None
    assert swept == ["now"]


async def test_a_tenant_without_jobs_is_forgotten(redis: ArqRedis, settings: Settings) -> None:
    queue = Queue(redis, settings)
    sent = await queue.submit(a_search(), tenant="t")
    await queue.cancel("t", sent.id)
    await queue.drop("t", sent.id)
    await Tidying(redis, settings, worker_id="w").once()
    assert await redis.zcard(keys.TENANTS) == 0


async def test_what_a_stock_worker_ended_no_longer_counts_as_open(redis: ArqRedis, settings: Settings) -> None:
    async def fails(ctx: dict[Any, Any], payload: dict[str, Any], **_: Any) -> None:
        if payload["limit"] == 1:
            raise ValueError("as asked")

    queue = Queue(redis, settings)
    good = await queue.submit(Search(collection="p", query=Query(text="a"), limit=2), tenant="t")
    bad = await queue.submit(Search(collection="p", query=Query(text="a"), limit=1), tenant="t")
    stock = stock_worker(redis, [func(fails, name="search")])
    await stock.async_run()
    assert await Tidying(redis, settings, worker_id="w").once() == 2
    states = [(await redis.hget(keys.record(one.id), "state")) for one in (good, bad)]
    assert states == [b"succeeded", b"failed"]
    assert await redis.zcard(keys.lane_jobs("interactive", "queued")) == 0
    assert await redis.zcard(keys.jobs_in("t", "queued")) == 0


async def test_old_events_go(redis: ArqRedis, settings: Settings) -> None:
    for number in range(300):
        await redis.xadd(keys.EVENTS, {"t": "t", "at": number}, id=f"{number + 1}-1")
    await Queue(redis, settings).submit(a_search(), tenant="t")
    await Tidying(redis, settings, worker_id="w").once()
    assert await redis.xlen(keys.EVENTS) < 150
