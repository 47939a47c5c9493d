"""Sessions belong to a tenant and end by themselves."""

import asyncio

import msgspec
import pytest
from arq.connections import ArqRedis

from shared import keys
from shared.errors import SessionNotFound, TooManySessions
from shared.sessions import RETRY_S, Sessions
from shared.settings import Settings

pytestmark = pytest.mark.anyio


@pytest.fixture
def sessions(redis: ArqRedis, settings: Settings) -> Sessions:
    return Sessions(redis, settings)


async def test_a_session_is_found_by_its_tenant_alone(sessions: Sessions) -> None:
    session = await sessions.create("t1")
    await sessions.require("t1", session)
    with pytest.raises(SessionNotFound):
        await sessions.require("t2", session)


@pytest.mark.parametrize("unknown", ["", "nonsense", "*", "a b", "../x"])
async def test_a_session_that_nobody_made_is_not_found(sessions: Sessions, unknown: str) -> None:
    await sessions.create("t1")
    with pytest.raises(SessionNotFound):
        await sessions.require("t1", unknown)


async def test_two_sessions_never_share_a_name(sessions: Sessions) -> None:
    made = {await sessions.create("t1") for _ in range(50)}
    assert len(made) == 50


async def test_a_tenant_has_so_many_sessions_and_no_more_however_many_come_at_once(
    redis: ArqRedis, settings: Settings
) -> None:
    sessions = Sessions(redis, msgspec.structs.replace(settings, tenant_max_sessions=5))
    made = await asyncio.gather(*(sessions.create("t1") for _ in range(20)), return_exceptions=True)
    refused = [error for error in made if isinstance(error, TooManySessions)]
    assert len(refused) == 15
    assert (refused[0].status, refused[0].retry_after_s) == (429, RETRY_S)
    assert "5 sessions" in refused[0].detail
    await sessions.create("t2")


async def test_members_count_and_one_who_comes_back_does_not(redis: ArqRedis, settings: Settings) -> None:
    sessions = Sessions(redis, msgspec.structs.replace(settings, tenant_max_sessions=2))
    team = await sessions.create("t1")
    seat, new = await sessions.join("t1", team, "Ann")
    assert new
    assert await sessions.join("t1", team, "Ann") == (seat, False)
    with pytest.raises(TooManySessions):
        await sessions.join("t1", team, "Ben")
    with pytest.raises(TooManySessions):
        await sessions.create("t1")


async def test_a_session_that_ended_makes_room_and_one_in_use_does_not(redis: ArqRedis, settings: Settings) -> None:
    sessions = Sessions(redis, msgspec.structs.replace(settings, tenant_max_sessions=2))
    used, unused = await sessions.create("t1"), await sessions.create("t1")
    # As if both had been made long ago, and one of them is used once more.
    await redis.zadd(keys.sessions("t1"), {used: 1, unused: 1})
    await redis.expire(keys.session("t1", used), 10)
    await redis.pexpire(keys.session("t1", unused), 0)
    await sessions.require("t1", used)
    await sessions.create("t1")
    with pytest.raises(TooManySessions):
        await sessions.create("t1")
    assert await redis.zcard(keys.sessions("t1")) == 2


async def test_use_prolongs_a_sessions_life(redis: ArqRedis, settings: Settings) -> None:
    sessions = Sessions(redis, msgspec.structs.replace(settings, session_ttl_s=100.0))
    session = await sessions.create("t1")
    assert 0 < await redis.ttl(keys.session("t1", session)) <= 100
    await redis.expire(keys.session("t1", session), 10)
    assert await sessions.touch("t1", session)
    assert await redis.ttl(keys.session("t1", session)) > 10


async def test_a_session_that_expired_is_not_found(redis: ArqRedis, sessions: Sessions) -> None:
    session = await sessions.create("t1")
    await redis.pexpire(keys.session("t1", session), 0)
    assert not await sessions.touch("t1", session)
    with pytest.raises(SessionNotFound):
        await sessions.require("t1", session)
