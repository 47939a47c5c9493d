"""The stream of events: ordered, gapless or honest about it."""

import asyncio
from typing import Any

import msgspec
import pytest
from arq.connections import ArqRedis
from hypothesis import given
from hypothesis import strategies as st

from shared import keys
from shared.connection import connect
from shared.events import BATCH, START, Events, Gap, of_jobs, order
from shared.jobs import STATES
from shared.queue import Queue
from shared.settings import Settings
from tests.shared.examples import some
from tests.shared.hand import Hand, a_search

pytestmark = pytest.mark.anyio

parts = st.integers(0, 2**64 - 1)


def entry(number: int) -> dict[Any, Any]:
    return {"t": "t", "j": f"j{number}", "s": "", "c": "", "st": STATES[number % len(STATES)], "at": number}


async def write(redis: ArqRedis, count: int, *, start: int = 1) -> list[str]:
    async with redis.pipeline(transaction=True) as pipe:
        for number in range(start, start + count):
            pipe.xadd(keys.EVENTS, entry(number), id=f"{number // 7 + 1}-{number % 7}")
        return [offset.decode() for offset in await pipe.execute()]


@some
@given(st.tuples(parts, parts), st.tuples(parts, parts))
def test_offsets_order_as_redis_orders_them(one: tuple[int, int], other: tuple[int, int]) -> None:
    assert (order(f"{one[0]}-{one[1]}") < order(f"{other[0]}-{other[1]}")) == (one < other)


@pytest.mark.parametrize("wrong", ["", "a", "1-b", "-1-", "1-2-3"])
def test_what_is_no_offset_is_told(wrong: str) -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        order(wrong)


async def test_an_empty_stream_starts_at_zero(events: Events) -> None:
    assert await events.last() == START
    assert await events.between(START, START) == []


async def test_an_event_tells_job_session_and_client(queue: Queue, events: Events, hand: Hand) -> None:
    sent = await queue.submit(a_search(session="s1"), tenant="t1", client_id="c7")
    [queued] = of_jobs(await events.follow(START, block_s=0.01))
    assert (queued.job, queued.tenant, queued.state) == (sent.id, "t1", "queued")
    assert (queued.session, queued.client_id) == ("s1", "c7")
    await hand.claim()
    await hand.finish(sent.id)
    told = of_jobs(await events.between(queued.offset, await events.last()))
    assert [(event.state, event.session, event.client_id) for event in told] == [
        ("running", "s1", "c7"),
        ("succeeded", "s1", "c7"),
    ]


async def test_whatever_happened_between_two_offsets_is_read_once_and_in_order(redis: ArqRedis, events: Events) -> None:
    offsets = await write(redis, 2 * BATCH + 3)
    for after, until in [(0, 1), (3, 2 * BATCH + 2), (BATCH - 1, BATCH), (5, 5), (BATCH, 2 * BATCH)]:
        found = await events.between(offsets[after], offsets[until])
        assert [event.offset for event in found] == offsets[after + 1 : until + 1]
    assert len(await events.between(START, offsets[-1])) == len(offsets)


async def test_an_offset_that_was_trimmed_is_a_gap(redis: ArqRedis, events: Events) -> None:
    offsets = await write(redis, 20)
    await redis.xtrim(keys.EVENTS, maxlen=10, approximate=False)
    for lost in (offsets[0], offsets[8]):
        with pytest.raises(Gap):
            await events.between(lost, offsets[-1])
    assert [event.offset for event in await events.between(offsets[10], offsets[-1])] == offsets[11:]


async def test_an_offset_of_a_stream_that_is_gone_is_a_gap(redis: ArqRedis, events: Events) -> None:
    [offset] = await write(redis, 1)
    await redis.delete(keys.EVENTS)
    with pytest.raises(Gap):
        await events.between(offset, await events.last())


class Trimming(ArqRedis):
    """Trims the stream behind the back of who reads it, after the first batch."""

    async def xrange(self, name: str, *args: Any, **kwargs: Any) -> Any:
        rows = await super().xrange(name, *args, **kwargs)
        if len(rows) == BATCH:
            await self.xtrim(keys.EVENTS, maxlen=10, approximate=False)
        return rows


async def test_events_that_are_trimmed_while_they_are_read_are_a_gap(redis: ArqRedis) -> None:
    offsets = await write(redis, 3 * BATCH)
    with pytest.raises(Gap):
        await Events(Trimming(redis.connection_pool)).between(offsets[0], offsets[-1])


async def test_the_stream_stays_bounded(redis: ArqRedis, settings: Settings) -> None:
    queue = Queue(redis, msgspec.structs.replace(settings, keep_events=50))
    for _ in range(300):
        await queue.submit(a_search(), tenant="t1")
    # Redis trims whole nodes of 100 entries.
    assert await redis.xlen(keys.EVENTS) <= 50 + 100


async def test_the_epoch_changes_when_redis_lost_the_stream(redis: ArqRedis, events: Events) -> None:
    first = await events.epoch()
    assert await events.epoch() == first
    assert await asyncio.gather(*(Events(redis).epoch() for _ in range(5))) == [first] * 5
    await redis.flushall()
    assert await events.epoch() != first


async def test_following_waits_for_the_next_event(redis: ArqRedis, settings: Settings, queue: Queue) -> None:
    async with connect(settings, blocking=True) as blocking:
        events = Events(redis, blocking=blocking)
        assert await events.follow(START, block_s=0.01) == []
        reading = asyncio.create_task(events.follow(START, block_s=10))
        sent = await queue.submit(a_search(), tenant="t1")
        [event] = of_jobs(await reading)
    assert (event.job, event.state) == (sent.id, "queued")


async def test_what_is_asked_with_the_events_is_answered_after_the_wait(
    redis: ArqRedis, settings: Settings, queue: Queue
) -> None:
    async with connect(settings, blocking=True) as blocking:
        for events in (Events(redis, blocking=blocking), Events(redis)):
            after = await events.last()
            asks = ("GET", "answer"), ("STRLEN", "answer")
            assert await events.follow_with(after, *asks, block_s=0.01) == ([], [None, 0])
            reading = asyncio.create_task(events.follow_with(after, *asks, block_s=10))
            # As the scripts do: the change before its event.
            await redis.set("answer", "yes")
            sent = await queue.submit(a_search(), tenant="t1")
            news, answers = await reading
            assert [event.job for event in of_jobs(news)] == [sent.id]
            assert answers == [b"yes", 3]
            await redis.delete("answer")
