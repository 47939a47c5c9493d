"""What sessions hold, through the clients."""

import asyncio

import pytest

from client import Archive, AsyncClipline, Clipline, IdChange, MarkChange, Marks, SetChange
from shared.archive import ArchivedSets
from shared.errors import CollectionNotFound, NothingToContinue, NothingToUndo, SessionNotFound
from tests.api.serving import Api
from tests.api.stand_in import StandIn
from tests.client.conftest import SOON
from tests.client.processes import ApiProcess

pytestmark = pytest.mark.anyio


async def test_marks_are_made_shown_and_taken_back(clipline: AsyncClipline, things: str, worker: StandIn) -> None:
    assert clipline.session is None
    await clipline.search(things, "a cat", limit=1, remember=True, marks=False)
    session = clipline.session
    assert session is not None
    [searched] = worker.searched
    assert (searched.session, searched.remember, searched.marks) == (session, True, False)
    marks = Marks(collection=things, seen=IdChange(add=[1, 2]), positive=MarkChange(add=[3]))
    assert (await clipline.mark(session, marks)).counts.seen == 2
    assert (await clipline.undo(session, things)).counts.seen == 0
    assert (await clipline.redo(session, things)).counts.positive == 1
    with pytest.raises(NothingToUndo):
        await clipline.redo(session, things)
    seat = await clipline.join(session, "Ann")
    view = await clipline.session_view(seat.session, things)
    assert view.sets is not None
    assert (sorted(view.sets.seen), view.team, view.members) == ([1, 2], session, ["Ann"])
    assert await clipline.history(session) == []
    assert await clipline.create_session() not in {session, seat.session}


async def test_a_session_goes_into_a_new_one_or_into_one_that_there_is(clipline: AsyncClipline, things: str) -> None:
    one, other = await clipline.create_session(), await clipline.create_session()
    marks = Marks(collection=things, seen=IdChange(add=[2, 1]), positive=MarkChange(add=[3]))
    await clipline.mark(one, marks)
    await clipline.mark(other, Marks(collection=things, seen=IdChange(add=[9])))
    taken = await clipline.export_session(one)
    assert [(sets.collection, sets.seen) for sets in taken.collections] == [(things, [1, 2])]
    made = await clipline.import_session(taken)
    assert made not in {one, other}
    assert await clipline.import_session(taken, other) == other
    assert [await clipline.export_session(session) for session in (made, other)] == [taken, taken]
    assert (await clipline.undo(other, things)).counts.seen == 1
    unknown = Archive(collections=[ArchivedSets(collection="unknown")])
    with pytest.raises(CollectionNotFound):
        await clipline.import_session(unknown)


async def test_a_page_without_a_query_before_it_is_refused(
    clipline: AsyncClipline, things: str, worker: StandIn
) -> None:
    with pytest.raises(NothingToContinue):
        await clipline.next_page(things)


async def test_what_a_team_s_others_do_is_heard(clipline: AsyncClipline, api: Api, things: str) -> None:
    team = await clipline.create_session()
    seat = (await clipline.join(team, "Ann")).session
    async with AsyncClipline(api.url, session=seat) as ann:
        heard = ann.changes()
        assert await anext(heard) is None
        assert ann.session == seat
        await clipline.mark(team, Marks(collection=things, positive=MarkChange(add=[3])))
        change = await anext(heard)
    assert change is not None
    assert (change.session, change.collection, change.revision, change.by) == (team, things, 1, None)
    assert change.changes == [SetChange(set="positive", add=[3])]


async def test_changes_go_on_after_a_connection_was_lost(
    clipline: AsyncClipline, process: ApiProcess, things: str
) -> None:
    team = await clipline.create_session()
    async with AsyncClipline(process.url, session=team, backoff=SOON) as away:
        heard = away.changes()
        assert await anext(heard) is None
        process.kill()
        for item in (3, 4):
            await clipline.mark(team, Marks(collection=things, positive=MarkChange(add=[item])))
        process.start()
        missed = [await anext(heard), await anext(heard)]
    assert [change.revision for change in missed if change is not None] == [1, 2]


async def test_sessions_are_listed_and_ended_and_a_search_goes_on_in_a_new_one(
    clipline: AsyncClipline, api: Api, things: str, worker: StandIn
) -> None:
    older = await clipline.create_session()
    heard = clipline.changes()
    assert await anext(heard) is None
    session = clipline.session
    assert session is not None
    page = await clipline.sessions(limit=1)
    assert [one.session for one in page.sessions] == [session]
    assert [one.session for one in (await clipline.sessions(before=page.next)).sessions] == [older]
    await clipline.drop_session(session)
    told = await anext(heard)
    assert told is not None
    assert (told.ended, told.session) == (True, session)
    with pytest.raises(SessionNotFound):
        await clipline.session_view(session)
    assert (await clipline.search(things, "a cat", limit=1)).hits
    assert clipline.session not in {None, session}
    assert await anext(heard) is None


async def test_the_blocking_client_has_the_same_verbs(api: Api, things: str, worker: StandIn) -> None:
    def sit() -> int:
        with Clipline(api.url) as blocking:
            session = blocking.create_session()
            blocking.mark(session, Marks(collection=things, seen=IdChange(add=[1])))
            blocking.undo(session, things)
            blocking.redo(session, things)
            assert blocking.history(session) == []
            taken = blocking.export_session(session)
            assert blocking.export_session(blocking.import_session(taken)) == taken
            heard = Clipline(api.url, session=session)
            with heard:
                assert next(heard.changes()) is None
            view = blocking.session_view(blocking.join(session, "Ben").session, things)
            assert view.sets is not None
            before = len(blocking.sessions().sessions)
            blocking.drop_session(session)
            # Ben's goes with it.
            assert len(blocking.sessions().sessions) == before - 2
            return view.sets.counts.seen

    assert await asyncio.to_thread(sit) == 1
