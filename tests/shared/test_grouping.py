"""Grouped calls: few round trips, everyone's own answer, everyone's own error."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from arq.connections import ArqRedis
from redis import exceptions

from shared import scripts
from shared.connection import connect
from shared.grouping import CALLS_AT_MOST, GroupedScript, Grouping
from shared.settings import Settings
from tests.redis_server import RedisServer

pytestmark = pytest.mark.anyio


@pytest.fixture
async def redis(settings: Settings) -> AsyncIterator[ArqRedis]:
    async with connect(settings) as client:
        yield client


async def reads(redis: ArqRedis) -> int:
    found: int = (await redis.info("stats"))["total_reads_processed"]
    return found


async def test_everyone_gets_their_own_answer_from_few_round_trips(redis: ArqRedis) -> None:
    grouping = Grouping(redis)
    before = await reads(redis)
    calls = (grouping.run(("SET", f"key-{number}", number), ("GET", f"key-{number}")) for number in range(400))
    answers = await asyncio.gather(*calls)
    assert [found[1] for found in answers] == [b"%d" % number for number in range(400)]
    assert await reads(redis) - before < 400 / 4


async def test_a_call_alone_leaves_at_once(redis: ArqRedis) -> None:
    assert await Grouping(redis).run(("ECHO", "now")) == [b"now"]


async def test_an_error_is_its_callers_alone(redis: ArqRedis) -> None:
    grouping = Grouping(redis)
    await redis.set("text", "no number")
    calls = [grouping.run(command) for command in (("ECHO", "a"), ("INCR", "text"), ("ECHO", "b"))]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert answers[::2] == [[b"a"], [b"b"]]
    assert isinstance(answers[1], exceptions.ResponseError)


async def test_a_caller_who_leaves_takes_nobody_along(redis: ArqRedis) -> None:
    grouping = Grouping(redis)
    calls = [asyncio.create_task(grouping.run(("ECHO", str(number)))) for number in range(2 * CALLS_AT_MOST)]
    await asyncio.sleep(0)
    for call in calls[::2]:
        call.cancel()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert answers[1::2] == [[b"%d" % number] for number in range(1, 2 * CALLS_AT_MOST, 2)]
    assert all(isinstance(left, asyncio.CancelledError) for left in answers[::2])


async def test_a_script_that_redis_forgot_is_brought_again(redis: ArqRedis, settings: Settings) -> None:
    renew = GroupedScript(Grouping(redis), scripts.source("renew", settings))
    for _ in range(2):
        assert await renew(keys=[], args=["w1", 1_000, "no-such-job", "interactive"]) == [b"lost"]
        await redis.script_flush()


async def test_all_hear_of_a_lost_redis_and_the_next_call_works() -> None:
    with RedisServer() as server:
        async with connect(Settings(redis_url=server.url)) as redis:
            grouping = Grouping(redis)
            await grouping.run(("PING",))
            server.stop()
            lost = await asyncio.gather(*(grouping.run(("PING",)) for _ in range(10)), return_exceptions=True)
            assert all(isinstance(error, exceptions.ConnectionError) for error in lost)
            server.start()
            assert await grouping.run(("ECHO", "back")) == [b"back"]
