"""What a session holds: every change against a plain model of it, undo and redo included, and the bounds."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, get_args

import msgspec
import pytest
from arq.connections import ArqRedis
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shared import keys
from shared.connection import connect
from shared.errors import NothingToUndo, SessionFull, SessionNotFound
from shared.jobs import MAX_ID
from shared.marking import STEP, Marking
from shared.marks import MAX_MARKS, GroupChange, IdChange, MarkChange, Marks, SetName, Sets
from shared.sessions import Sessions
from shared.settings import Settings
from tests.redis_server import RedisServer

pytestmark = pytest.mark.anyio

NAMES: tuple[SetName, ...] = get_args(SetName)
OPPOSITE: dict[SetName, SetName] = {"positive": "negative", "negative": "positive"}

Held = dict[SetName, set[Any]]


@pytest.fixture
def sessions(redis: ArqRedis, settings: Settings) -> Sessions:
    return Sessions(redis, settings)


@pytest.fixture
def marking(redis: ArqRedis, settings: Settings) -> Marking:
    return Marking(redis, settings)


def held(sets: Sets) -> Held:
    return {
        "seen": set(sets.seen),
        "exclude": {mark.id for mark in sets.exclude},
        "positive": {mark.id for mark in sets.positive},
        "negative": {mark.id for mark in sets.negative},
        "exclude_groups": {mark.group for mark in sets.exclude_groups},
    }


async def sets_of(marking: Marking, session: str, *, collection: str = "c") -> Sets:
    sets = (await marking.view("t", session, collection)).sets
    assert sets is not None
    return sets


async def test_deltas_add_up_and_say_how_much_there_is(sessions: Sessions, marking: Marking) -> None:
    session = await sessions.create("t")
    first = Marks(collection="c", seen=IdChange(add=[1, 2, MAX_ID]), exclude_groups=GroupChange(add=["v", 7, "7"]))
    marked = await marking.mark("t", session, first)
    assert (marked.revision, marked.counts.seen, marked.counts.exclude_groups) == (1, 3, 3)
    again = await marking.mark("t", session, first)
    assert again == marked
    less = Marks(collection="c", seen=IdChange(remove=[2, 99]), exclude_groups=GroupChange(remove=[7]))
    assert (await marking.mark("t", session, less)).revision == 2
    sets = await sets_of(marking, session)
    assert set(sets.seen) == {1, MAX_ID}
    assert {mark.group for mark in sets.exclude_groups} == {"v", "7"}
    assert sets.counts.seen == 2


async def test_an_item_is_a_good_example_or_a_bad_one(sessions: Sessions, marking: Marking) -> None:
    session = await sessions.create("t")
    await marking.mark("t", session, Marks(collection="c", positive=MarkChange(add=[5, 6])))
    marked = await marking.mark("t", session, Marks(collection="c", negative=MarkChange(add=[5])))
    assert (marked.counts.positive, marked.counts.negative) == (1, 1)
    back = await marking.undo("t", session, "c")
    assert (back.counts.positive, back.counts.negative) == (2, 0)


async def test_collections_sessions_and_tenants_do_not_mix(sessions: Sessions, marking: Marking) -> None:
    one, other = await sessions.create("t"), await sessions.create("t")
    await marking.mark("t", one, Marks(collection="c", seen=IdChange(add=[1])))
    await marking.mark("t", one, Marks(collection="d", seen=IdChange(add=[2])))
    assert (await sets_of(marking, one)).seen == [1]
    assert (await sets_of(marking, other)).seen == []
    assert (await marking.view("t", one, None)).collections == ["c", "d"]
    calls: list[Callable[[], Coroutine[Any, Any, Any]]] = [
        lambda: marking.view("u", one, "c"),
        lambda: marking.mark("u", one, Marks(collection="c", seen=IdChange(add=[9]))),
        lambda: marking.undo("u", one, "c"),
    ]
    for call in calls:
        with pytest.raises(SessionNotFound):
            await call()
    assert (await sets_of(marking, one)).seen == [1]


async def test_a_large_change_goes_in_parts_and_is_taken_back_as_one(sessions: Sessions, marking: Marking) -> None:
    session, many = await sessions.create("t"), list(range(2 * STEP + STEP // 2))
    await marking.mark("t", session, Marks(collection="c", seen=IdChange(add=[MAX_ID])))
    marked = await marking.mark("t", session, Marks(collection="c", seen=IdChange(add=many)))
    assert marked.counts.seen == len(many) + 1
    assert (await sets_of(marking, session)).seen.count(3) == 1
    assert (await marking.undo("t", session, "c")).counts.seen == 1
    assert (await marking.redo("t", session, "c")).counts.seen == len(many) + 1
    assert (await marking.mark("t", session, Marks(collection="c", clear=["seen"]))).counts.seen == 0
    assert (await marking.undo("t", session, "c")).counts.seen == len(many) + 1
    assert set((await sets_of(marking, session)).seen) == {*many, MAX_ID}


async def test_nothing_to_take_back_is_told(sessions: Sessions, marking: Marking) -> None:
    session = await sessions.create("t")
    for step in (marking.undo, marking.redo):
        with pytest.raises(NothingToUndo):
            await step("t", session, "c")
    await marking.mark("t", session, Marks(collection="c", seen=IdChange(add=[1])))
    await marking.undo("t", session, "c")
    await marking.mark("t", session, Marks(collection="c", seen=IdChange(add=[2])))
    with pytest.raises(NothingToUndo):
        await marking.redo("t", session, "c")


async def test_the_last_hundred_changes_can_be_taken_back(sessions: Sessions, marking: Marking) -> None:
    session = await sessions.create("t")
    for number in range(109):
        await marking.mark("t", session, Marks(collection="c", exclude=IdChange(add=[number])))
    assert (await marking.mark("t", session, Marks(collection="c", exclude=IdChange(add=[109])))).undo == 100
    for _ in range(99):
        await marking.undo("t", session, "c")
    marked = await marking.undo("t", session, "c")
    assert (marked.counts.exclude, marked.undo, marked.redo) == (10, 0, 100)


async def test_a_full_session_forgets_what_was_seen_first_and_says_so(redis: ArqRedis, settings: Settings) -> None:
    small = msgspec.structs.replace(settings, max_excluded_ids=50)
    marking, session = Marking(redis, small), await Sessions(redis, small).create("t")
    # 509 buckets: these share one, where the order is exact.
    ids = [509 * number for number in range(60)]
    marked = await marking.mark("t", session, Marks(collection="c", seen=IdChange(add=ids)))
    assert (marked.counts.seen, marked.forgotten) == (50, 10)
    assert set((await sets_of(marking, session)).seen) == set(ids[10:])
    marked = await marking.mark("t", session, Marks(collection="c", exclude=IdChange(add=[1, 2])))
    assert (marked.counts.seen, marked.counts.exclude, marked.forgotten) == (48, 2, 2)
    assert (await marking.undo("t", session, "c")).counts.seen == 50
    assert set((await sets_of(marking, session)).seen) == set(ids[10:])


async def test_a_set_that_is_full_refuses_and_keeps_what_it_has(redis: ArqRedis, settings: Settings) -> None:
    small = msgspec.structs.replace(settings, max_excluded_ids=1_500)
    marking, session = Marking(redis, small), await Sessions(redis, small).create("t")
    await marking.mark("t", session, Marks(collection="c", positive=MarkChange(add=list(range(MAX_MARKS)))))
    before = await sets_of(marking, session)
    for marks, field in (
        (Marks(collection="c", seen=IdChange(add=[1]), positive=MarkChange(add=[MAX_MARKS])), "positive"),
        (Marks(collection="c", exclude=IdChange(add=list(range(1_600)))), "exclude"),
    ):
        with pytest.raises(SessionFull) as refused:
            await marking.mark("t", session, marks)
        assert refused.value.field == field
    after = await sets_of(marking, session)
    assert held(after) == held(before)


async def test_marks_live_as_long_as_their_session(redis: ArqRedis, settings: Settings) -> None:
    short = msgspec.structs.replace(settings, session_ttl_s=100.0)
    sessions, marking = Sessions(redis, short), Marking(redis, short)
    session = await sessions.create("t")
    await marking.mark("t", session, Marks(collection="c", seen=IdChange(add=[1])))
    names = [name async for name in redis.scan_iter(match=keys.session("t", session) + "*")]
    assert len(names) == 3
    for name in names:
        assert 0 < await redis.ttl(name) <= 100
        await redis.expire(name, 20)
    assert await sessions.touch("t", session)
    assert all([await redis.ttl(name) > 20 for name in names])


@pytest.mark.parametrize("verb", ["mark", "undo"])
async def test_who_only_marks_uses_the_session_and_the_team_s(
    redis: ArqRedis, sessions: Sessions, marking: Marking, verb: str
) -> None:
    team = await sessions.create("t")
    ann = (await sessions.join("t", team, "Ann"))[0].session
    await marking.mark("t", ann, Marks(collection="c", seen=IdChange(add=[1])))
    for one in (team, ann):
        await redis.expire(keys.session("t", one), 10)
    if verb == "mark":
        await marking.mark("t", ann, Marks(collection="c", seen=IdChange(add=[2])))
    else:
        await marking.undo("t", ann, "c")
    for one in (team, ann):
        assert await redis.ttl(keys.session("t", one)) > 10


async def test_a_member_whose_team_has_ended_changes_nothing(
    redis: ArqRedis, sessions: Sessions, marking: Marking
) -> None:
    team = await sessions.create("t")
    ann = (await sessions.join("t", team, "Ann"))[0].session
    await redis.delete(keys.session("t", team))
    with pytest.raises(SessionNotFound):
        await marking.mark("t", ann, Marks(collection="c", seen=IdChange(add=[1])))
    assert not await redis.exists(keys.session("t", team))


async def test_members_of_a_crowd_do_not_lose_each_other_s_marks(sessions: Sessions, marking: Marking) -> None:
    session = await sessions.create("t")
    changes = [
        Marks(collection="c", seen=IdChange(add=[n, n + 1]), exclude=IdChange(add=[n])) for n in range(0, 200, 2)
    ]
    answers = await asyncio.gather(*(marking.mark("t", session, marks) for marks in changes))
    assert sorted(answer.revision for answer in answers) == list(range(1, 101))
    sets = await sets_of(marking, session)
    assert (set(sets.seen), len(sets.exclude)) == (set(range(200)), 100)


ids = st.lists(st.integers(0, 12) | st.just(MAX_ID), max_size=6, unique=True)
groups = st.lists(st.integers(0, 3) | st.sampled_from(["a", "0"]), max_size=3, unique=True)


class Model(RuleBasedStateMachine):
    """Plain Python sets beside the real thing, for two sessions that must not touch each other."""

    server: RedisServer
    settings: Settings

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.opened = self.runner.run(_opened(self.settings))
        self.sessions = [self.run(lambda marking, made: made.create("t")) for _ in range(2)]
        self.now: list[Held] = [{name: set() for name in NAMES} for _ in self.sessions]
        self.before: list[list[Held]] = [[], []]
        self.after: list[list[Held]] = [[], []]

    def run(self, call: Callable[[Marking, Sessions], Coroutine[Any, Any, Any]]) -> Any:
        return self.runner.run(call(self.opened[0], self.opened[1]))

    def teardown(self) -> None:
        self.runner.run(self.opened[2]())
        self.runner.close()

    @rule(
        which=st.integers(0, 1),
        name=st.sampled_from(NAMES),
        added=ids,
        removed=ids,
        some=groups,
        others=groups,
        cleared=st.lists(st.sampled_from(NAMES), max_size=1),
    )
    def mark(
        self,
        *,
        which: int,
        name: SetName,
        added: list[int],
        removed: list[int],
        some: list[Any],
        others: list[Any],
        cleared: list[SetName],
    ) -> None:
        add, remove = (some, others) if name == "exclude_groups" else (added, removed)
        remove = [one for one in remove if one not in add]
        kinds: dict[SetName, Any] = {"exclude_groups": GroupChange, "positive": MarkChange, "negative": MarkChange}
        change = kinds.get(name, IdChange)(add=add, remove=remove)
        marks = Marks(collection="c", clear=cleared, **{name: change})
        self.run(lambda marking, _: marking.mark("t", self.sessions[which], marks))
        self._changed(which, marks)

    def _changed(self, which: int, marks: Marks) -> None:
        old = self.now[which]
        new = {name: set() if name in marks.clear else set(old[name]) for name in NAMES}
        for name in NAMES:
            change = getattr(marks, name)
            if change is not None:
                new[name] = (new[name] - set(change.remove)) | set(change.add)
                if name in OPPOSITE:
                    new[OPPOSITE[name]] -= set(change.add)
        # A clearing is a change of its own, and what follows goes on with it.
        if new != old or (marks.clear and self._passes_through(old, marks)):
            self.before[which].append(old)
            self.after[which].clear()
        self.now[which] = new

    def _passes_through(self, old: Held, marks: Marks) -> bool:
        return any(old[name] for name in marks.clear)

    @precondition(lambda self: any(self.before))
    @rule(which=st.integers(0, 1))
    def undo(self, *, which: int) -> None:
        if self.before[which]:
            self.run(lambda marking, _: marking.undo("t", self.sessions[which], "c"))
            self.after[which].append(self.now[which])
            self.now[which] = self.before[which].pop()

    @precondition(lambda self: any(self.after))
    @rule(which=st.integers(0, 1))
    def redo(self, *, which: int) -> None:
        if self.after[which]:
            self.run(lambda marking, _: marking.redo("t", self.sessions[which], "c"))
            self.before[which].append(self.now[which])
            self.now[which] = self.after[which].pop()

    @invariant()
    def agrees(self) -> None:
        for session, wanted in zip(self.sessions, self.now, strict=True):
            sets = self.run(lambda marking, _, session=session: sets_of(marking, session))  # type: ignore[misc]
            assert held(sets) == wanted
            assert msgspec.structs.asdict(sets.counts) == {name: len(wanted[name]) for name in NAMES}


async def _opened(settings: Settings) -> tuple[Marking, Sessions, Callable[[], Coroutine[Any, Any, Any]]]:
    @asynccontextmanager
    async def opening() -> AsyncIterator[tuple[Marking, Sessions]]:
        async with connect(settings) as redis:
            yield Marking(redis, settings), Sessions(redis, settings)

    manager = opening()
    marking, sessions = await manager.__aenter__()
    return marking, sessions, lambda: manager.__aexit__(None, None, None)


def test_any_row_of_changes_undone_and_redone_agrees_with_plain_sets(settings: Settings) -> None:
    class Real(Model):
        pass

    Real.settings = settings
    case = Real.TestCase
    case.settings = hypothesis_settings(max_examples=20, stateful_step_count=20, deadline=None)
    case().runTest()
