"""Sessions belong to a tenant and end by themselves."""

import msgspec
import pytest
from arq.connections import ArqRedis

from shared import keys
from shared.errors import SessionNotFound
from shared.sessions import Sessions
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
