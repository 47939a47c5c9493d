"""A worker that is killed with `kill -9` in the middle of a reindex."""

from pathlib import Path

import msgspec
import pytest

from shared import keys
from shared.connection import connect
from shared.jobs import Collection, CollectionTask, Ingest, Query, Reindex, ReindexResult, Search
from shared.queue import Queue
from tests.redis_server import RedisServer
from tests.workers.fleet import eventually
from tests.workers.tasks.process import worker_process
from tests.workers.tasks.stack import settings_for
from tests.workers.tasks.test_killed import COUNT, WITHIN_S, answer, pictures

pytestmark = [pytest.mark.anyio, pytest.mark.slow]


async def test_the_next_worker_switches_to_what_both_have_encoded(
    redis_server: RedisServer, tiny_model: Path, tmp_path: Path
) -> None:
    redis_server.flush()
    settings = settings_for(redis_server.url, tiny_model, tmp_path)
    async with connect(settings) as redis:
        queue = Queue(redis, settings)
        everything = Search(collection="many", query=Query(text="cat"), limit=1_000, payload=False)
        async with worker_process(settings) as first:
            await answer(queue, CollectionTask(op="create", collection="many"))
            await answer(queue, Ingest(collection="many", files=pictures(settings.ingest_root_paths[0])))
            before = await answer(queue, everything)
            sent = await queue.submit(Reindex(collection="many"), tenant="t")
            await eventually(lambda: redis.exists(keys.rebuild("t", "many")), within_s=WITHIN_S)
            first.kill()
            await first.wait()
        assert msgspec.msgpack.decode(await redis.hget(keys.collections("t"), "many"), type=Collection).generation == 0
        async with worker_process(settings):
            while_it_runs = await answer(queue, everything)
            view = await queue.wait("t", sent.id, timeout_s=WITHIN_S)
            assert (view.state, view.attempts) == ("succeeded", 2), view
            result = msgspec.convert(view.result, ReindexResult)
            assert (result.switched, result.count) == (True, COUNT)
            after = await answer(queue, everything)
    # What was encoded in other company differs in the last digits, so two that are equally near may change places.
    first_scores, *others = (
        {hit["id"]: hit["score"] for hit in found["hits"]} for found in (before, while_it_runs, after)
    )
    assert len(first_scores) == COUNT
    assert all(scores == pytest.approx(first_scores, abs=1e-5) for scores in others)
