"""Sessions belong to a tenant and end by themselves."""

import asyncio

import msgspec
import pytest
from arq.connections import ArqRedis

from shared import keys
from shared.errors import SessionNotFound, TooManySessions
from shared.marking import Marking
from shared.marks import GroupChange, IdChange, MarkChange, Marks
from shared.queue import Queue
from shared.session_list import ListedSession
from shared.sessions import RETRY_S, Sessions
from shared.settings import Settings
from tests.shared.hand import a_search

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
    assert "DELETE /v1/sessions/ID" in refused[0].detail
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


async def every(sessions: Sessions, tenant: str, *, limit: int = 200) -> list[ListedSession]:
    """All pages, one after the other."""
    found: list[ListedSession] = []
    before: str | None = None
    while True:
        page = await sessions.recent(tenant, before=before, limit=limit)
        found += page.sessions
        if (before := page.next) is None:
            return found


async def test_a_tenant_s_sessions_are_listed_newest_first_each_once(sessions: Sessions) -> None:
    made = [await sessions.create("t1") for _ in range(7)]
    await sessions.create("t2")
    for limit in (1, 3, 7, 200):
        assert [one.session for one in await every(sessions, "t1", limit=limit)] == made[::-1]
    assert len((await sessions.recent("t1", limit=3)).sessions) == 3
    assert await every(sessions, "t3") == []


async def test_a_list_tells_what_a_session_is_and_prolongs_no_life(
    redis: ArqRedis, sessions: Sessions, settings: Settings
) -> None:
    team = await sessions.create("t1")
    await Marking(redis, settings).mark("t1", team, Marks(collection="c", seen=IdChange(add=[1])))
    seat, _ = await sessions.join("t1", team, "Ann")
    await redis.expire(keys.session("t1", team), 10)
    member, owner = await every(sessions, "t1")
    assert (member.session, member.team, member.member, member.collections) == (seat.session, team, "Ann", [])
    assert (owner.session, owner.team, owner.member, owner.collections) == (team, None, None, ["c"])
    assert owner.created_at < owner.ends_at < member.ends_at
    assert await redis.ttl(keys.session("t1", team)) <= 10


async def test_what_has_ended_is_listed_no_more_however_much_that_is(redis: ArqRedis, sessions: Sessions) -> None:
    made = [await sessions.create("t1") for _ in range(300)]
    for session in made[1:-1]:
        await redis.pexpire(keys.session("t1", session), 0)
    assert [one.session for one in await every(sessions, "t1")] == [made[-1], made[0]]
    assert await redis.zcard(keys.sessions_made("t1")) == await redis.zcard(keys.sessions("t1")) == 2


async def test_a_dropped_session_makes_room_and_leaves_nothing_behind(redis: ArqRedis, settings: Settings) -> None:
    sessions = Sessions(redis, msgspec.structs.replace(settings, tenant_max_sessions=2))
    marking = Marking(redis, settings)
    session, other = await sessions.create("t1"), await sessions.create("t1")
    changes = (
        Marks(collection="c", seen=IdChange(add=[1]), positive=MarkChange(add=[2])),
        Marks(collection="d", exclude_groups=GroupChange(add=["g"])),
    )
    for marks in changes:
        await marking.mark("t1", session, marks)
    await marking.undo("t1", session, "c")
    await Queue(redis, settings).submit(a_search(session=session, slot="main"), tenant="t1")
    assert await redis.exists(keys.slots("t1", session))
    with pytest.raises(SessionNotFound):
        await sessions.drop("t2", session)
    await sessions.drop("t1", session)
    assert await redis.keys(f"*{session}*") == []
    assert [one.session for one in await every(sessions, "t1")] == [other]
    for again in (
        sessions.drop("t1", session),
        sessions.require("t1", session),
        marking.mark("t1", session, changes[0]),
    ):
        with pytest.raises(SessionNotFound):
            await again
    assert await redis.keys(f"*{session}*") == []
    await sessions.create("t1")


async def test_a_team_ends_with_its_members_and_a_member_alone(redis: ArqRedis, sessions: Sessions) -> None:
    team = await sessions.create("t1")
    ann, ben = [(await sessions.join("t1", team, name))[0].session for name in ("Ann", "Ben")]
    await sessions.drop("t1", ann)
    assert {one.session for one in await every(sessions, "t1")} == {team, ben}
    seat, new = await sessions.join("t1", team, "Ann")
    assert (new, seat.session != ann) == (True, True)
    await sessions.drop("t1", team)
    assert await every(sessions, "t1") == []
    for gone in (team, ben, seat.session):
        assert await redis.keys(f"*{gone}*") == []
