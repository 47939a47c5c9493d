"""Connections are cut at random points, an API process is killed: each search is answered once, in order per job."""

import asyncio
import logging
import os
from collections import defaultdict
from random import Random

import pytest

from client import AsyncClipline, JobFrame, JobResult
from client.backoff import Backoff
from shared.settings import Settings
from tests.api.conftest import make_collection
from tests.api.stand_in import working
from tests.chaos.cutting import cutting
from tests.client.processes import ApiProcess

pytestmark = pytest.mark.anyio

logger = logging.getLogger(__name__)

SEARCHES = int(os.environ.get("CLIPLINE_TEST_CHAOS_SEARCHES", "400"))
CLIENTS = 8
AT_ONCE = 8
MEAN_BYTES = 12_000
DEATH_EVERY = 300
ANSWER_S = 240.0
RANK = {"queued": 0, "running": 1}


async def follow(clipline: AsyncClipline, text: str) -> list[JobFrame]:
    run = clipline.submit("things", text, limit=1, timeout_s=ANSWER_S)
    frames = [frame async for frame in run]
    found = await run.result()
    assert (found.hits or [])[0].payload == {"label": text}, "another's answer"
    return frames


def check(frames: list[JobFrame]) -> None:
    """One result, at the end; within a job, steps as they happened."""
    assert [isinstance(frame, JobResult) for frame in frames] == [False] * (len(frames) - 1) + [True]
    told: dict[str, list[JobFrame]] = defaultdict(list)
    for frame in frames:
        told[frame.job].append(frame)
    for steps in told.values():
        ranks = [RANK.get(step.state, 2) for step in steps]
        assert ranks == sorted(ranks)
        assert [step.seq for step in steps] == sorted({step.seq for step in steps}), "told twice, or out of order"


class Progress:
    """Which texts were answered; `more` has a permit for each, and enough of them at the end."""

    def __init__(self) -> None:
        self.answered: list[str] = []
        self.more = asyncio.Semaphore(0)
        self.over = False

    def tell(self, text: str) -> None:
        self.answered.append(text)
        self.more.release()

    def end(self) -> None:
        self.over = True
        for _ in range(DEATH_EVERY):
            self.more.release()


async def searching(url: str, texts: list[str], progress: Progress, random: Random) -> None:
    soon = Backoff(base_s=0.02, cap_s=0.5, random_=random.random)
    async with AsyncClipline(url, backoff=lambda: soon, patience_s=ANSWER_S) as clipline:
        left = iter(texts)

        async def one_after_the_other() -> None:
            for text in left:
                check(await follow(clipline, text))
                progress.tell(text)

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(one_after_the_other())


async def dying(process: ApiProcess, progress: Progress, random: Random) -> None:
    """Killed and started again, each time after another number of answers."""
    while not progress.over:
        for _ in range(random.randint(1, DEATH_EVERY)):
            await progress.more.acquire()
        await asyncio.to_thread(process.kill)
        await asyncio.to_thread(process.start)


@pytest.mark.timeout(900)
async def test_every_search_is_answered_once_whatever_is_cut(settings: Settings) -> None:
    random, progress = Random(4), Progress()
    await make_collection(settings, "default", "things")
    texts = [f"picture {number}" for number in range(SEARCHES)]
    with ApiProcess(settings) as one, ApiProcess(settings) as two:
        urls = [one.url, two.url]
        async with working(settings) as worker, cutting(urls, random, mean_bytes=MEAN_BYTES) as (url, proxy):
            trouble = asyncio.create_task(dying(two, progress, random))
            try:
                async with asyncio.TaskGroup() as group:
                    for client in range(CLIENTS):
                        group.create_task(searching(url, texts[client::CLIENTS], progress, random))
            finally:
                progress.end()
                await trouble
            jobs = len(worker.searched)
    logger.info("%d searches, %d jobs, %d cuts", len(progress.answered), jobs, proxy.cuts)
    assert sorted(progress.answered) == sorted(texts)
    assert jobs == len(texts), "what was asked again is the same job"
    assert proxy.cuts > 0
