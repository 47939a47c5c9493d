"""Searches over the client's websocket, against a real API, Redis and worker."""

import asyncio
from typing import cast

import msgspec
import pytest

from client import (
    AsyncClipline,
    Closed,
    JobEvent,
    JobResult,
    NoAnswer,
    Query,
    Superseded,
    TooManyRequests,
    Unauthorized,
    Unreachable,
)
from shared.errors import BadPicture, Cancelled, CollectionNotFound, Invalid, JobNotFound
from shared.settings import Settings
from tests.api.conftest import MakeKey, make_collection
from tests.api.serving import Api, serving
from tests.api.stand_in import StandIn
from tests.client.conftest import SOON, states_of
from tests.workers.fleet import eventually

pytestmark = pytest.mark.anyio


async def test_words_bring_hits(clipline: AsyncClipline, things: str, worker: StandIn) -> None:
    found = await clipline.search(things, "a cat", limit=3)
    assert [hit.payload for hit in found.hits or []] == [{"label": "a cat"}] * 3
    assert found.model == "stand-in"


async def test_every_option_reaches_the_worker(clipline: AsyncClipline, things: str, worker: StandIn) -> None:
    query = Query(item=7, positive=[1], negative=[2])
    await clipline.search(things, query, seen=[3], group_by="video", group_size=2, payload=False, deadline_ms=9_000)
    [search] = worker.searched
    assert (search.query, search.seen, search.group_by) == (query, [3], "video")
    assert (search.group_size, search.payload, search.deadline_ms) == (2, False, 9_000)


async def test_many_searches_at_once_are_answered_each_by_its_own(
    clipline: AsyncClipline, things: str, worker: StandIn
) -> None:
    texts = [f"picture {number}" for number in range(40)]
    found = await asyncio.gather(*(clipline.search(things, text, limit=1) for text in texts))
    assert [(one.hits or [])[0].payload for one in found] == [{"label": text} for text in texts]


async def test_a_search_can_be_followed_step_by_step(clipline: AsyncClipline, things: str, worker: StandIn) -> None:
    run = clipline.submit(things, "a cat", limit=1)
    frames = [frame async for frame in run]
    assert states_of(frames) == ["queued", "running", "succeeded"]
    assert isinstance(frames[0], JobEvent)
    assert isinstance(frames[-1], JobResult)
    assert (await run.result()).hits is not None


async def test_a_job_s_failure_is_the_error_that_the_worker_raised(
    clipline: AsyncClipline, things: str, worker: StandIn
) -> None:
    with pytest.raises(BadPicture, match="as asked"):
        await clipline.search(things, "fail")
    run = clipline.submit(things, "fail")
    assert [frame.state async for frame in run][-1] == "failed"
    with pytest.raises(BadPicture):
        await run.result()


@pytest.mark.parametrize(
    ("collection", "text", "kind"), [("nothing", "x", CollectionNotFound), ("things", " ", Invalid)]
)
async def test_a_refused_search_says_why_and_leaves_the_others_alone(
    clipline: AsyncClipline, things: str, worker: StandIn, collection: str, text: str, kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        await clipline.search(collection, text)
    assert (await clipline.search(things, "a cat")).hits


async def test_a_newer_search_of_a_slot_ends_the_older_one_here_and_there(
    clipline: AsyncClipline, things: str, worker: StandIn
) -> None:
    older = asyncio.create_task(clipline.search(things, "wait for it", slot="main"))
    await worker.waiting.acquire()
    assert (await clipline.search(things, "newer", slot="main", limit=1)).hits
    with pytest.raises(Superseded):
        await older
    await eventually(lambda: _states(clipline, "superseded"))


async def _states(clipline: AsyncClipline, state: str) -> bool:
    return any(job.state == state for job in (await clipline.jobs()).jobs)


async def test_of_what_is_typed_only_the_newest_is_answered(
    clipline: AsyncClipline, things: str, worker: StandIn
) -> None:
    typing = clipline.typeahead(things, limit=1)
    other = clipline.typeahead(things, limit=1)
    asked = [asyncio.create_task(typing.ask("wait" + "x" * length)) for length in range(4)]
    beside = asyncio.create_task(other.ask("beside"))
    await worker.waiting.acquire()
    asked.append(asyncio.create_task(typing.ask("at last")))
    *older, newest = await asyncio.gather(*asked)
    assert older == [None] * 4
    assert newest is not None
    assert await beside is not None, "another's typing is its own"


async def test_a_search_that_is_taken_back_is_cancelled_at_the_server(
    clipline: AsyncClipline, things: str, worker: StandIn
) -> None:
    run = clipline.submit(things, "wait for it")
    await worker.waiting.acquire()
    run.cancel()
    with pytest.raises(Cancelled):
        await run.result()
    await eventually(lambda: _states(clipline, "cancelled"))


async def test_a_search_without_an_answer_in_time_is_given_up(
    clipline: AsyncClipline, things: str, worker: StandIn
) -> None:
    assert (await clipline.search(things, "the connection stands")).hits
    with pytest.raises(NoAnswer):
        await clipline.search(things, "wait for it", timeout_s=0.5)


async def test_a_job_can_be_followed_by_its_id_and_cancelled(
    clipline: AsyncClipline, things: str, worker: StandIn
) -> None:
    run = clipline.submit(things, "wait for it")
    await worker.waiting.acquire()
    job = (await clipline.jobs()).jobs[0].id
    frames = []
    async for frame in clipline.follow(job):
        frames.append(frame)
        if len(frames) == 1:
            await clipline.cancel(job)
    assert states_of(frames) == ["running", "cancelled"]
    with pytest.raises(Cancelled):
        await run.result()


async def test_a_job_that_ended_long_ago_is_told_at_once(clipline: AsyncClipline, things: str, worker: StandIn) -> None:
    await clipline.search(things, "a cat", limit=1)
    job = (await clipline.jobs()).jobs[0].id
    [frame] = [frame async for frame in clipline.follow(job)]
    assert cast(JobResult, frame).result is not None


async def test_a_job_that_nobody_knows_cannot_be_followed(clipline: AsyncClipline) -> None:
    with pytest.raises(JobNotFound):
        await anext(aiter(clipline.follow("nothing")))


async def test_a_wrong_key_is_refused_and_the_right_one_is_not(
    keyed: Api, settings: Settings, make_key: MakeKey, worker: StandIn
) -> None:
    await make_collection(settings, "ours", "things")
    async with AsyncClipline(keyed.url, key="wrong", backoff=SOON) as stranger:
        with pytest.raises(Unauthorized):
            await stranger.search("things", "a cat")
        with pytest.raises(Unauthorized):
            await stranger.collections()
    async with AsyncClipline(keyed.url, key=make_key("ours", "user"), backoff=SOON) as known:
        assert (await known.search("things", "a cat", limit=1)).hits
        assert [one.name for one in await known.collections()] == ["things"]


async def test_a_limit_is_waited_for_as_the_server_says_and_no_longer_than_patience(
    settings: Settings, things: str, worker: StandIn
) -> None:
    limited = msgspec.structs.replace(settings, tenant_rate=1.0, tenant_burst=1)
    with serving(limited) as api:
        async with AsyncClipline(api.url, backoff=SOON, patience_s=0) as hasty:
            asked = (hasty.search(things, f"hasty {one}", limit=1) for one in range(20))
            outcomes = await asyncio.gather(*asked, return_exceptions=True)
        refused = [outcome for outcome in outcomes if isinstance(outcome, TooManyRequests)]
        assert refused
        assert all(error.retry_after_s is not None for error in refused)
        async with AsyncClipline(api.url, backoff=SOON, patience_s=120) as patient:
            asked = (patient.search(things, f"n{one}", limit=1, timeout_s=120) for one in range(3))
            assert all(one.hits for one in await asyncio.gather(*asked))
    assert len(worker.searched) == 20 - len(refused) + 3, "a refused search leaves nothing behind"


async def test_what_is_open_at_the_end_says_that_it_was_closed(api: Api, things: str, worker: StandIn) -> None:
    async with AsyncClipline(api.url, backoff=SOON) as clipline:
        run = clipline.submit(things, "wait for it")
        await worker.waiting.acquire()
    with pytest.raises(Closed):
        await run.result()


async def test_a_server_that_is_not_there_is_told_apart_from_one_that_is_slow() -> None:
    async with AsyncClipline("http://127.0.0.1:1", backoff=SOON, patience_s=0.2) as clipline:
        with pytest.raises(Unreachable):
            await clipline.search("things", "a cat", timeout_s=0.3)
        with pytest.raises(Unreachable, match=r"127\.0\.0\.1:1"):
            await clipline.collections()


async def test_more_than_may_be_open_at_once_is_refused_on_this_side(
    clipline: AsyncClipline, things: str, worker: StandIn
) -> None:
    open_ = [asyncio.create_task(clipline.search(things, "wait")) for _ in range(64)]
    await worker.waiting.acquire()
    with pytest.raises(TooManyRequests, match="64"):
        await clipline.search(things, "one too many")
    worker.gate.set()
    assert all(one.hits for one in await asyncio.gather(*open_))
