"""What the client says after which answer, told by a server that a test plays."""

import asyncio
from asyncio import Task
from collections.abc import AsyncIterator

import pytest

from client import AsyncClipline, SearchResult
from shared.errors import SessionNotFound, StoreAway, TooLarge, Unauthorized
from tests.client.conftest import SOON
from tests.client.scripted import Scripted, scripted

pytestmark = pytest.mark.anyio

LOST = {"type": "session-not-found", "title": "No such session", "status": 404}


@pytest.fixture
async def server() -> AsyncIterator[Scripted]:
    async with scripted() as one:
        yield one


@pytest.fixture
async def clipline(server: Scripted) -> AsyncIterator[AsyncClipline]:
    async with AsyncClipline(server.url, key="secret", backoff=SOON, patience_s=30) as one:
        yield one


def searching(clipline: AsyncClipline, text: str = "a cat", slot: str | None = None) -> Task[SearchResult]:
    return asyncio.create_task(clipline.search("things", text, slot=slot))


async def test_the_key_is_a_header_and_never_in_the_address(clipline: AsyncClipline, server: Scripted) -> None:
    search = searching(clipline)
    visit = await server.welcomed()
    assert (visit.headers["Authorization"], visit.path) == ("Bearer secret", "/v1/ws")
    asked = await visit.next()
    assert len(asked.pop("key")) == 32
    assert asked == {"op": "search", "id": "c1", "search": {"collection": "things", "query": {"text": "a cat"}}}
    await visit.answer("c1", "found")
    assert (await search).model == "found"


async def test_a_session_resumes_after_the_last_frame(clipline: AsyncClipline, server: Scripted) -> None:
    search = searching(clipline)
    visit = await server.welcomed()
    await visit.next()
    await visit.say("accepted", id="c1", job="job-c1")
    await visit.say("event", id="c1", seq="41", job="job-c1", state="running")
    visit.drop()
    again = await server.visit()
    assert again.query == {"session": "s1", "after": "41"}
    await again.welcome(recovered=True, seq="99")
    await again.answer("c1", "found", seq="42")
    assert (await search).model == "found"
    assert again.heard.empty()


async def test_what_the_replay_tells_of_is_not_asked_again_and_what_it_does_not_is(
    clipline: AsyncClipline, server: Scripted
) -> None:
    taken, lost = searching(clipline, "taken"), searching(clipline, "lost")
    visit = await server.welcomed()
    first = {frame["search"]["query"]["text"]: frame for frame in (await visit.next(), await visit.next())}
    names = {text: frame["id"] for text, frame in first.items()}
    visit.drop()
    again = await server.visit()
    await again.welcome(recovered=True)
    await again.say("event", id=names["taken"], seq="41", job="j", state="queued")
    asked = await again.next()
    assert asked["search"]["query"]["text"] == "lost"
    assert asked["id"] not in names.values()
    assert asked["key"] == first["lost"]["key"] != first["taken"]["key"]
    await again.answer(asked["id"], "lost")
    await again.answer(names["taken"], "taken", seq="51")
    assert [(await one).model for one in (taken, lost)] == ["taken", "lost"]
    assert again.heard.empty()


async def test_what_cannot_be_recovered_is_asked_again_and_its_old_end_is_no_answer(
    clipline: AsyncClipline, server: Scripted
) -> None:
    search = searching(clipline, slot="main")
    visit = await server.welcomed()
    assert (await visit.next())["search"]["slot"] == "main"
    await visit.say("accepted", id="c1", job="old")
    visit.drop()
    again = await server.visit()
    await again.welcome("s2")
    asked = await again.next()
    await again.say("result", id="c1", seq="5", job="old", state="superseded")
    await again.answer(asked["id"], "found", seq="6")
    assert (await search).model == "found"


async def test_a_session_that_the_server_forgot_is_renewed_once(clipline: AsyncClipline, server: Scripted) -> None:
    search = searching(clipline)
    visit = await server.welcomed()
    await visit.say("error", id=(await visit.next())["id"], error=LOST)
    again = await server.visit()
    assert again.query == {}
    await again.welcome("s2")
    await again.say("error", id=(await again.next())["id"], error=LOST)
    with pytest.raises(SessionNotFound):
        await search


async def test_a_search_that_is_too_large_is_not_sent_again(clipline: AsyncClipline, server: Scripted) -> None:
    search = searching(clipline)
    visit = await server.welcomed()
    await visit.next()
    await visit.close(1009)
    with pytest.raises(TooLarge):
        await search
    again = await server.welcomed()
    other = searching(clipline, "small")
    assert (await again.next())["search"]["query"]["text"] == "small"
    other.cancel()


async def test_a_job_s_own_failure_is_told_however_it_may_pass(clipline: AsyncClipline, server: Scripted) -> None:
    search = searching(clipline)
    visit = await server.welcomed()
    name = (await visit.next())["id"]
    away = {"type": "store-away", "title": "x", "status": 503, "retry_after_s": 1}
    await visit.say("result", id=name, seq="1", job="j", state="dead", error=away)
    with pytest.raises(StoreAway):
        await search


async def test_after_a_refused_key_the_next_search_tries_again(clipline: AsyncClipline, server: Scripted) -> None:
    search = searching(clipline)
    await (await server.visit()).close(1008)
    with pytest.raises(Unauthorized):
        await search
    search = searching(clipline)
    visit = await server.welcomed()
    await visit.answer((await visit.next())["id"], "found")
    assert (await search).model == "found"


async def test_frames_that_are_none_are_passed_over(clipline: AsyncClipline, server: Scripted) -> None:
    search = searching(clipline)
    visit = await server.welcomed()
    name = (await visit.next())["id"]
    await visit.say("later", seq="9")
    await visit.say("pulse")
    await visit.say("event", id=name)
    await visit.answer(name, "found")
    assert (await search).model == "found"
