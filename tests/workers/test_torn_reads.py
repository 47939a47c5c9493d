"""Whoever looks at a job just when it ends sees it before its end or after it, never half of it."""

import asyncio
from typing import Any

import pytest
from arq.worker import func

from shared.connection import connect
from shared.errors import BadPicture
from shared.jobs import FINAL, JobView, Query, Search
from shared.ledger import Ledger
from shared.queue import Queue
from shared.settings import Settings
from tests.workers.fleet import running_worker

pytestmark = pytest.mark.anyio

JOBS = 600


async def fails(ctx: dict[Any, Any], payload: dict[str, Any], **_: Any) -> None:
    raise BadPicture("as asked")


async def test_a_job_that_ends_while_it_is_read_is_read_whole(settings: Settings) -> None:
    ended: list[JobView] = []
    async with connect(settings) as redis, connect(settings) as other:
        queue, ledger = Queue(redis, settings), Ledger(other)
        async with running_worker(settings, [func(fails, name="search")]), asyncio.timeout(200):
            for _ in range(JOBS):
                sent = await queue.submit(Search(collection="c", query=Query(text="cat")), tenant="t")
                while (view := await ledger.get("t", sent.id)).state not in FINAL:
                    pass
                ended.append(view)
    assert {(view.state, view.error is None, view.finished_at is None) for view in ended} == {("failed", False, False)}
