"""What sessions hold, through the clients."""

import asyncio

import pytest

from client import AsyncClipline, Clipline, IdChange, MarkChange, Marks
from shared.errors import NothingToContinue, NothingToUndo
from tests.api.serving import Api
from tests.api.stand_in import StandIn

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


async def test_a_page_without_a_query_before_it_is_refused(
    clipline: AsyncClipline, things: str, worker: StandIn
) -> None:
    with pytest.raises(NothingToContinue):
        await clipline.next_page(things)


async def test_the_blocking_client_has_the_same_verbs(api: Api, things: str, worker: StandIn) -> None:
    def sit() -> int:
        with Clipline(api.url) as blocking:
            session = blocking.create_session()
            blocking.mark(session, Marks(collection=things, seen=IdChange(add=[1])))
            blocking.undo(session, things)
            blocking.redo(session, things)
            assert blocking.history(session) == []
            view = blocking.session_view(blocking.join(session, "Ben").session, things)
            assert view.sets is not None
            return view.sets.counts.seen

    assert await asyncio.to_thread(sit) == 1
