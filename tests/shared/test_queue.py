"""Submitting and waiting, also by many at once: bounds, keys, slots."""

import asyncio
from typing import Any

import pytest
from arq.connections import ArqRedis

from shared import keys
from shared.connection import POOL_SIZE
from shared.errors import KeyReused, QueueFull
from shared.jobs import FINAL, CollectionTask, File, Ingest, Items, Query, Search
from shared.lanes import lane_of
from shared.queue import Queue, Submitted
from shared.settings import Settings
from tests.shared.hand import Hand, a_search
from tests.shared.queues import at_once, narrow

pytestmark = pytest.mark.anyio


# -- bounds


async def test_many_at_once_never_pass_the_bound(redis: ArqRedis, settings: Settings) -> None:
    queue = narrow(redis, settings, max_queued_interactive=7)
    answers = await at_once(*(queue.submit(a_search(), tenant=f"t{number % 3}") for number in range(60)))
    taken = [one for one in answers if isinstance(one, Submitted)]
    assert sorted(one.position or 0 for one in taken) == list(range(7))
    assert sum(isinstance(one, QueueFull) for one in answers) == 53
    assert await queue.depths() == {"interactive": 7, "bulk": 0}
    assert len(await redis.keys("arq:job:*")) == len(await redis.keys("clipline:job:*")) == 7


async def test_a_refused_job_leaves_nothing_behind(redis: ArqRedis, settings: Settings) -> None:
    queue = narrow(redis, settings, max_queued_interactive=1)
    first = await queue.submit(a_search(session="s", slot="main"), tenant="t")
    before = {key: await redis.dump(key) for key in await redis.keys("*")}
    refused = Search(collection="p", query=Query(image=b"x" * 99), session="s", slot="main")
    with pytest.raises(QueueFull):
        await queue.submit(refused, tenant="t", idempotency_key="k")
    assert {key: await redis.dump(key) for key in await redis.keys("*")} == before
    assert (await queue.result("t", first.id)).state == "queued"


async def test_one_lane_full_leaves_the_other_open(redis: ArqRedis, settings: Settings) -> None:
    queue = narrow(redis, settings, max_queued_bulk=1)
    await queue.submit(Ingest(collection="p", files=[File(source="a")]), tenant="t")
    with pytest.raises(QueueFull):
        await queue.submit(a_search(lane="bulk"), tenant="t")
    assert (await queue.submit(a_search(), tenant="t")).position == 0


async def test_a_full_queue_takes_no_retry(redis: ArqRedis, settings: Settings, hand: Hand) -> None:
    queue = narrow(redis, settings, max_queued_interactive=1)
    failed = await queue.submit(a_search(), tenant="t")
    await hand.claim()
    await hand.finish(failed.id, "failed")
    await queue.submit(a_search(), tenant="t")
    with pytest.raises(QueueFull):
        await queue.retry("t", failed.id)
    assert (await queue.result("t", failed.id)).state == "failed"


def test_what_a_person_waits_for_is_interactive() -> None:
    assert lane_of(a_search(lane="bulk")) == "bulk"
    assert lane_of(Ingest(collection="p", files=[File(source="a")])) == "bulk"
    assert (
        lane_of(CollectionTask(op="drop", collection="p")) == lane_of(Items(collection="p", ids=[1])) == "interactive"
    )


async def test_a_deferred_job_is_not_due_yet(queue: Queue, hand: Hand) -> None:
    later = await queue.submit(a_search(), tenant="t", defer_s=60)
    soon = await queue.submit(a_search(), tenant="t")
    assert await hand.claim(5) == [soon.id]
    assert (await queue.result("t", later.id)).state == "queued"


async def test_tokens_that_nobody_takes_are_bounded(redis: ArqRedis, queue: Queue) -> None:
    for _ in range(300):
        await queue.submit(a_search(), tenant="t")
    assert await redis.llen(keys.wake("interactive")) == 256


# -- Idempotency-Key


async def test_many_with_one_key_are_one_job(queue: Queue) -> None:
    answers = await at_once(*(queue.submit(a_search(), tenant="t", idempotency_key="k") for _ in range(20)))
    assert len({one.id for one in answers}) == 1
    assert sorted(one.known for one in answers) == [False] + [True] * 19
    assert (await queue.depths())["interactive"] == 1


async def test_a_key_tells_the_state_of_its_job(queue: Queue, hand: Hand) -> None:
    first = await queue.submit(a_search(), tenant="t", idempotency_key="k")
    await hand.claim()
    await hand.finish(first.id)
    again = await queue.submit(a_search(), tenant="t", idempotency_key="k")
    assert (again.id, again.state, again.known) == (first.id, "succeeded", True)


@pytest.mark.parametrize(
    "other",
    [
        a_search("dog"),
        a_search(limit=3),
        Search(collection="pictures", query=Query(text="cat", image=b"x")),
        CollectionTask(op="describe", collection="pictures"),
    ],
)
async def test_a_key_with_another_body_is_refused(queue: Queue, other: Any) -> None:
    await queue.submit(a_search(), tenant="t", idempotency_key="k")
    with pytest.raises(KeyReused):
        await queue.submit(other, tenant="t", idempotency_key="k")
    assert (await queue.submit(other, tenant="t2", idempotency_key="k")).known is False


async def test_a_key_whose_job_is_forgotten_brings_a_new_one(redis: ArqRedis, settings: Settings, hand: Hand) -> None:
    queue = narrow(redis, settings, keep_jobs=1)
    first = await queue.submit(a_search(), tenant="t", idempotency_key="k")
    await hand.claim()
    await hand.finish(first.id)
    await queue.submit(a_search(), tenant="t")
    again = await queue.submit(a_search(), tenant="t", idempotency_key="k")
    assert (again.known, again.id != first.id) == (False, True)


# -- slots


async def test_of_many_at_once_one_keeps_the_slot(queue: Queue) -> None:
    answers = await at_once(*(queue.submit(a_search(session="s", slot="main"), tenant="t") for _ in range(15)))
    states = [(await queue.result("t", one.id)).state for one in answers]
    assert sorted(states) == ["queued"] + ["superseded"] * 14
    assert (await queue.depths())["interactive"] == 1


async def test_a_slot_is_one_sessions_and_one_tenants(queue: Queue) -> None:
    for session, slot, tenant in [("s", "a", "t"), ("s", "b", "t"), ("r", "a", "t"), ("s", "a", "u")]:
        await queue.submit(a_search(session=session, slot=slot), tenant=tenant)
    assert (await queue.depths())["interactive"] == 4


async def test_slots_of_ended_jobs_are_forgotten_however_many_names_a_client_makes_up(
    queue: Queue, redis: ArqRedis, hand: Hand
) -> None:
    for number in range(200):
        await queue.submit(a_search(session="s", slot=f"s{number}"), tenant="t")
        [ended] = await hand.claim()
        assert await hand.finish(ended)
    assert await redis.hlen(keys.slots("t", "s")) < 65
    open_ = await queue.submit(a_search(session="s", slot="mine"), tenant="t")
    for number in range(200):
        await queue.submit(a_search(session="s", slot=f"r{number}"), tenant="t")
    assert await redis.hget(keys.slots("t", "s"), "mine") == open_.id.encode()


async def test_a_running_search_is_told_to_stop_when_its_slot_is_taken(queue: Queue, hand: Hand) -> None:
    older = await queue.submit(a_search(session="s", slot="main"), tenant="t")
    await hand.claim()
    assert await hand.renew(older.id) == ["ok"]
    await queue.submit(a_search(session="s", slot="main"), tenant="t")
    assert await hand.renew(older.id) == ["superseded"]
    await hand.finish(older.id, "cancelled")
    view = await queue.result("t", older.id)
    assert view.state == "superseded"
    assert view.error is not None
    assert view.error.type == "superseded"


# -- wait


async def test_waiting_ends_when_the_job_does(queue: Queue, hand: Hand) -> None:
    sent = await queue.submit(a_search(), tenant="t")
    waiting = [asyncio.create_task(queue.wait("t", sent.id, timeout_s=30)) for _ in range(5)]
    await hand.claim()
    await hand.finish(sent.id)
    async with asyncio.timeout(10):
        views = await asyncio.gather(*waiting)
    assert {view.state for view in views} == {"succeeded"}


async def test_waiting_for_an_open_job_gives_it_as_it_is(queue: Queue) -> None:
    sent = await queue.submit(a_search(), tenant="t")
    view = await queue.wait("t", sent.id, timeout_s=0.05)
    assert view.state not in FINAL


async def test_one_who_waits_again_and_again_takes_no_more_connections(queue: Queue) -> None:
    sent = await queue.submit(a_search(), tenant="t")
    for _ in range(POOL_SIZE + 1):
        await queue.wait("t", sent.id, timeout_s=0.001)
    assert len(queue.redis.connection_pool._in_use_connections) < 5
