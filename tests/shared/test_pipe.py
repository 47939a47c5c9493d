"""One connection for many tasks: few round trips, everyone's own answer, everyone's own error."""

import asyncio
from collections import Counter
from time import sleep

import pytest
from arq.connections import ArqRedis
from hypothesis import given
from hypothesis import strategies as st
from redis import exceptions

from shared import pipe as pipe_module
from shared import scripts
from shared.connection import connect
from shared.pipe import WOKEN_AT_ONCE, Pipe, Script
from shared.settings import Settings
from tests.redis_server import RedisServer
from tests.shared.examples import some
from tests.ticking import Clock, ticking

pytestmark = pytest.mark.anyio

# After so many turns of the loop, what was asked in the first one has left.
LEFT = 4


async def reads(redis: ArqRedis) -> int:
    found: int = (await redis.info("stats"))["total_reads_processed"]
    return found


async def test_everyone_gets_their_own_answer_from_few_round_trips(redis: ArqRedis) -> None:
    pipe = Pipe(redis)
    await pipe.call("PING")
    before = await reads(redis)
    calls = (pipe.calls(("SET", f"key-{number}", number), ("GET", f"key-{number}")) for number in range(400))
    answers = await asyncio.gather(*calls)
    assert [found[1] for found in answers] == [b"%d" % number for number in range(400)]
    assert await reads(redis) - before < 400 / 4


@some
@given(values=st.lists(st.binary(max_size=100_000), max_size=20))
def test_answers_of_any_size_and_content_come_back_whole(values: list[bytes], redis_url: str) -> None:
    async def echoed() -> list[bytes]:
        async with connect(Settings(redis_url=redis_url)) as redis:
            pipe = Pipe(redis)
            return list(await asyncio.gather(*(pipe.call("ECHO", value) for value in values)))

    assert asyncio.run(echoed()) == values


async def test_an_error_is_its_callers_alone(redis: ArqRedis) -> None:
    pipe = Pipe(redis)
    await redis.set("text", "no number")
    calls = [pipe.call(*command) for command in (("ECHO", "a"), ("INCR", "text"), ("ECHO", "b"))]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert answers[::2] == [b"a", b"b"]
    assert isinstance(answers[1], exceptions.ResponseError)
    with pytest.raises(exceptions.ResponseError):
        await pipe.calls(("ECHO", "a"), ("INCR", "text"))


async def test_a_caller_who_leaves_takes_nobody_along(redis: ArqRedis) -> None:
    pipe = Pipe(redis)
    await pipe.call("PING")
    calls = [asyncio.create_task(pipe.call("ECHO", str(number))) for number in range(200)]
    await asyncio.sleep(0)
    for call in calls[::2]:
        call.cancel()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert answers[1::2] == [b"%d" % number for number in range(1, 200, 2)]
    assert all(isinstance(left, asyncio.CancelledError) for left in answers[::2])


async def test_a_script_that_redis_forgot_is_brought_again(redis: ArqRedis, settings: Settings) -> None:
    renew = Script(Pipe(redis), scripts.source("renew", settings))
    for _ in range(2):
        assert await renew(keys=[], args=["w1", 1_000, "no-such-job", "interactive"]) == [b"lost"]
        await redis.script_flush()


async def test_more_calls_than_the_bound_are_refused_and_the_others_answered(
    redis: ArqRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipe_module, "CALLS_AT_MOST", 5)
    monkeypatch.setattr(pipe_module, "TRIES", 1)
    pipe = Pipe(redis)
    await pipe.call("PING")
    answers = await asyncio.gather(*(pipe.call("ECHO", "a") for _ in range(8)), return_exceptions=True)
    assert answers[:5] == [b"a"] * 5
    assert all(isinstance(refused, exceptions.ConnectionError) for refused in answers[5:])


async def test_an_answer_that_does_not_come_ends_the_connection(redis: ArqRedis) -> None:
    pipe = Pipe(redis, timeout_s=0.2)
    with pytest.raises(exceptions.TimeoutError):
        await pipe.call("BLPOP", "no-such-list", 60)
    assert await pipe.call("ECHO", "next") == b"next"


async def test_whoever_closes_a_pipe_tells_those_who_wait(redis: ArqRedis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipe_module, "TRIES", 1)
    pipe = Pipe(redis)
    await pipe.call("PING")
    waiting = asyncio.create_task(pipe.call("BLPOP", "no-such-list", 60))
    await asyncio.sleep(0)
    pipe.close()
    with pytest.raises(exceptions.ConnectionError):
        await waiting
    assert await pipe.call("ECHO", "next") == b"next"


async def test_a_lost_connection_is_made_again_and_its_calls_repeated(redis: ArqRedis) -> None:
    pipe = Pipe(redis)
    number = await pipe.call("CLIENT", "ID")
    waiting = asyncio.create_task(pipe.call("BLPOP", "list", 30))
    await asyncio.sleep(0)
    await redis.client_kill_filter(_id=number)
    await redis.rpush("list", "value")
    assert await waiting == [b"list", b"value"]


async def test_all_hear_of_a_lost_redis_and_the_next_call_works() -> None:
    with RedisServer() as server:
        async with connect(Settings(redis_url=server.url)) as redis:
            pipe = Pipe(redis)
            await pipe.call("PING")
            server.stop()
            lost = await asyncio.gather(*(pipe.call("PING") for _ in range(10)), return_exceptions=True)
            assert all(isinstance(error, exceptions.ConnectionError) for error in lost)
            server.start()
            assert await pipe.call("ECHO", "back") == b"back"


async def test_few_of_those_whose_answers_come_together_go_on_in_one_turn_of_the_loop(redis: ArqRedis) -> None:
    """In their order; what waits for several answers is one of them."""
    pipe = Pipe(redis)
    went: list[tuple[int, int]] = []

    async def ask(number: int, clock: Clock) -> None:
        if number % 2:
            assert await pipe.calls(("ECHO", number), ("ECHO", number)) == [b"%d" % number] * 2
        else:
            assert await pipe.call("ECHO", number) == b"%d" % number
        went.append((number, clock.turn))

    await pipe.call("PING")
    async with ticking() as clock:
        asking = [asyncio.create_task(ask(number, clock)) for number in range(50)]
        for _ in range(LEFT):
            await asyncio.sleep(0)
        # All answers are there when the loop looks again.
        asyncio.get_running_loop().call_soon(sleep, 0.2)
        await asyncio.gather(*asking)
    assert [number for number, _ in went] == list(range(50))
    # What is counted for a turn may be the parts of two.
    assert max(Counter(turn for _, turn in went).values()) <= 2 * WOKEN_AT_ONCE


async def test_no_command_at_all_is_no_call(redis: ArqRedis) -> None:
    assert await Pipe(redis).calls() == []


async def test_what_was_answered_before_the_connection_was_lost_is_given_out(redis: ArqRedis) -> None:
    """And not asked for again: all of them come in one piece, of which the first turn gives out a part."""
    pipe = Pipe(redis)
    await pipe.call("SET", "counted", 0)
    calls = [asyncio.create_task(pipe.call("INCR", "counted")) for _ in range(20)]
    calls.append(asyncio.create_task(pipe.call("QUIT")))
    answers = await asyncio.gather(*calls)
    assert answers == [*range(1, 21), b"OK"]
    assert await pipe.call("GET", "counted") == b"20"


async def test_of_several_that_a_replica_refuses_the_refusal_is_told(redis: ArqRedis) -> None:
    """Not that its connection was closed, which is done so that the next call may find the master."""
    pipe = Pipe(redis)
    await pipe.call("PING")
    await redis.replicaof("127.0.0.1", "1")
    try:
        with pytest.raises(exceptions.ReadOnlyError):
            await pipe.calls(("SET", "key", 1), ("GET", "key"))
    finally:
        await redis.replicaof("NO", "ONE")
    assert await pipe.calls(("SET", "key", 1), ("GET", "key")) == [b"OK", b"1"]
