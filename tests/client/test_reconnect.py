"""An API process is killed and comes back: what was asked is answered, once, and nobody asks twice."""

import asyncio

import pytest

from client import AsyncClipline
from shared.settings import Settings
from tests.api.stand_in import StandIn
from tests.client.conftest import SOON, states_of
from tests.client.late import late
from tests.client.processes import ApiProcess
from tests.workers.fleet import eventually

pytestmark = pytest.mark.anyio


async def test_searches_that_run_while_the_api_dies_are_answered_when_it_is_back(
    process: ApiProcess, things: str, worker: StandIn
) -> None:
    async with AsyncClipline(process.url, backoff=SOON) as clipline:
        runs = [clipline.submit(things, f"wait {number}", limit=1, timeout_s=120) for number in range(8)]
        for _ in runs:
            await worker.waiting.acquire()
        process.kill()
        worker.gate.set()
        await asyncio.to_thread(process.start)
        found = [(await run.result()).hits for run in runs]
        seen = [states_of([frame async for frame in run]) for run in runs]

    assert [(hits or [])[0].payload for hits in found] == [{"label": f"wait {number}"} for number in range(8)]
    assert seen == [["queued", "running", "succeeded"]] * 8, "what was missed is told, and nothing twice"
    assert len(worker.searched) == 8


async def test_what_is_asked_while_the_api_is_away_goes_out_when_it_is_back(
    process: ApiProcess, things: str, worker: StandIn
) -> None:
    async with AsyncClipline(process.url, backoff=SOON, patience_s=120) as clipline:
        assert (await clipline.search(things, "before", limit=1, timeout_s=120)).hits
        process.kill()
        asked = asyncio.gather(*(clipline.search(things, f"n{one}", limit=1, timeout_s=120) for one in range(4)))
        listing = asyncio.create_task(clipline.collections())
        await eventually(lambda: not clipline.live.is_open)
        await asyncio.to_thread(process.start)
        assert all(one.hits for one in await asked)
        assert [one.name for one in await listing] == [things]
    assert len(worker.searched) == 5


async def test_a_job_is_followed_across_the_api_s_death(
    process: ApiProcess, settings: Settings, things: str, worker: StandIn
) -> None:
    async with AsyncClipline(process.url, backoff=SOON) as asking, AsyncClipline(process.url, backoff=SOON) as watching:
        run = asking.submit(things, "wait", limit=1, timeout_s=120)
        await worker.waiting.acquire()
        job = (await asking.jobs()).jobs[0].id
        frames = []
        async for frame in watching.follow(job):
            frames.append(frame)
            if len(frames) == 1:
                process.kill()
                await asyncio.to_thread(process.start)
                worker.gate.set()
        await run.result()
    assert states_of(frames) == ["running", "succeeded"]


async def test_typing_goes_on_after_a_reconnect(process: ApiProcess, things: str, worker: StandIn) -> None:
    async with AsyncClipline(process.url, backoff=SOON) as clipline:
        typing = clipline.typeahead(things, limit=1, timeout_s=120)
        older = asyncio.create_task(typing.ask("wait"))
        await worker.waiting.acquire()
        process.kill()
        newer = asyncio.create_task(typing.ask("newer"))
        await asyncio.to_thread(process.start)
        assert await older is None
        assert await newer is not None


async def test_a_search_that_arrives_after_it_was_asked_again_is_the_same_job(
    process: ApiProcess, things: str, worker: StandIn
) -> None:
    async with late(process.url) as (url, proxy), AsyncClipline(url, backoff=SOON) as clipline:
        found = await clipline.search(things, "a cat", limit=1, timeout_s=120)
        await proxy.deliver(until=b'"op":"accepted"')
        [job] = (await clipline.jobs()).jobs
    assert (found.hits or [])[0].payload == {"label": "a cat"}
    assert (job.state, len(worker.searched)) == ("succeeded", 1)
