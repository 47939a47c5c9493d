"""What the stream tells of sessions leads from each revision to the next, or says that it does not."""

from typing import Any, get_args

import pytest
from arq.connections import ArqRedis
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import NothingToUndo
from shared.events import START, Events
from shared.marking import Marking
from shared.marks import GroupChange, IdChange, MarkChange, Marks, SetName, Sets
from shared.session_changes import SessionChange
from shared.sessions import Sessions
from shared.settings import Settings
from tests.shared.examples import few

pytestmark = pytest.mark.anyio

NAMES: tuple[SetName, ...] = get_args(SetName)
Held = dict[SetName, set[Any]]

keys = {name: st.integers(0, 9) for name in NAMES} | {"exclude_groups": st.sampled_from(["a", "b", 1, "1"])}
one_set = st.one_of([st.tuples(st.just(name), st.sets(keys[name]), st.sets(keys[name])) for name in NAMES])
step = st.tuples(st.integers(0, 2), st.one_of(one_set, st.sampled_from(["undo", "redo"])))


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


def change_of(name: SetName, added: set[Any], removed: set[Any]) -> Marks:
    kinds: dict[SetName, Any] = {"positive": MarkChange, "negative": MarkChange, "exclude_groups": GroupChange}
    change = kinds.get(name, IdChange)(add=list(added), remove=list(removed - added))
    return Marks(collection="c", **{name: change})


async def sets_of(marking: Marking, session: str) -> Sets:
    sets = (await marking.view("t", session, "c")).sets
    assert sets is not None
    return sets


async def told(events: Events, after: str) -> list[SessionChange]:
    found = await events.between(after, await events.last())
    return [one for one in found if isinstance(one, SessionChange) and one.collection == "c"]


@few
@given(st.lists(step, max_size=12))
async def test_changes_lead_from_each_revision_to_the_next(
    sessions: Sessions, marking: Marking, events: Events, steps: list[Any]
) -> None:
    owner = await sessions.create("t")
    seats = [owner, *[(await sessions.join("t", owner, name))[0].session for name in ("Ann", "Ben")]]
    now: Held = {name: set() for name in NAMES}
    revision, place = 0, await events.last()
    for who, what in steps:
        try:
            if isinstance(what, str):
                await getattr(marking, what)("t", seats[who], "c")
            else:
                await marking.mark("t", seats[who], change_of(*what))
        except NothingToUndo:
            continue
        sets = await sets_of(marking, owner)
        for change in await told(events, place):
            place, revision = change.offset, revision + 1
            assert (change.session, change.revision) == (owner, revision)
            assert change.by == (None, "Ann", "Ben")[who]
            if change.changes is None:
                now = held(sets)
            for one in change.changes or ():
                now[one.set] = (now[one.set] | set(one.add)) - set(one.remove)
        assert (revision, now) == (sets.revision, held(sets))


async def test_of_a_large_change_is_told_that_there_was_one(
    sessions: Sessions, marking: Marking, events: Events
) -> None:
    session = await sessions.create("t")
    await marking.mark("t", session, Marks(collection="c", seen=IdChange(add=list(range(60)))))
    await marking.mark("t", session, Marks(collection="c", exclude=IdChange(add=list(range(500)))))
    small, large = await told(events, START)
    assert [len(one.add) for one in small.changes or ()] == [60]
    assert (large.revision, large.changes) == (2, None)


async def test_a_mark_that_comes_back_as_another_member_s_is_not_told_as_one_s_own(
    sessions: Sessions, marking: Marking, events: Events
) -> None:
    owner = await sessions.create("t")
    ann = (await sessions.join("t", owner, "Ann"))[0].session
    await marking.mark("t", ann, Marks(collection="c", positive=MarkChange(add=[1])))
    await marking.mark("t", owner, Marks(collection="c", positive=MarkChange(remove=[1])))
    await marking.undo("t", owner, "c")
    assert [one.changes is None for one in await told(events, START)] == [False, False, True]
    [mark] = (await sets_of(marking, owner)).positive
    assert mark.by == "Ann"


async def test_a_member_who_joins_is_told_of_once(sessions: Sessions, events: Events) -> None:
    owner = await sessions.create("t")
    for _ in range(2):
        await sessions.join("t", owner, "Ann")
    [joined] = await events.between(START, await events.last())
    assert isinstance(joined, SessionChange)
    assert (joined.session, joined.by, joined.collection, joined.changes) == (owner, "Ann", None, None)
