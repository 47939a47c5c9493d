"""Who is alive."""

from typing import Any

import pytest
from arq.connections import ArqRedis

from shared import keys
from shared.clock import now_ms
from shared.fleet import BEAT_S, GONE_S, Fleet, WorkerInfo

pytestmark = pytest.mark.anyio


@pytest.fixture
def fleet(redis: ArqRedis) -> Fleet:
    return Fleet(redis)


def worker(id_: str, **more: Any) -> WorkerInfo:
    return WorkerInfo(
        id=id_,
        host="h",
        pid=1,
        state="running",
        device="cpu",
        model="m",
        fingerprint="f",
        dim=4,
        precision="fp32",
        store="edge",
        started_at="",
        last_seen_at="",
        max_jobs=8,
        **more,
    )


async def test_a_worker_is_alive_from_its_first_beat(fleet: Fleet) -> None:
    assert await fleet.live() == []
    await fleet.beat(worker("a"))
    await fleet.beat(worker("b"))
    await fleet.beat(worker("a", running=3))
    # Two beats of one millisecond have no order.
    assert sorted(await fleet.live(), key=lambda one: one.id) == [worker("a", running=3), worker("b")]


async def test_a_worker_that_misses_three_beats_is_gone(fleet: Fleet, redis: ArqRedis) -> None:
    await fleet.beat(worker("a"))
    left_ms = await redis.pttl(keys.worker("a"))
    assert 2 * BEAT_S * 1000 < left_ms <= GONE_S * 1000
    await redis.pexpire(keys.worker("a"), 0)
    assert await fleet.live() == []


async def test_a_worker_that_leaves_is_gone_at_once(fleet: Fleet, redis: ArqRedis) -> None:
    await fleet.beat(worker("a"))
    await fleet.leave("a")
    await fleet.leave("never there")
    assert await fleet.live() == []
    assert await redis.keys("*") == []


async def test_workers_that_died_long_ago_leave_nothing_behind(fleet: Fleet, redis: ArqRedis) -> None:
    await fleet.beat(worker("dead"))
    await redis.delete(keys.worker("dead"))
    await redis.zadd(keys.WORKERS, {"dead": now_ms() - int(11 * GONE_S * 1000)})
    await fleet.beat(worker("a"))
    assert await redis.zrange(keys.WORKERS, 0, -1) == [b"a"]
