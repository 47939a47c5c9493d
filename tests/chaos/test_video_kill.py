"""A worker that is killed with `kill -9` in the middle of a video."""

from pathlib import Path

import msgspec
import pytest

from shared import media
from shared.connection import connect
from shared.jobs import CollectionSpec, CollectionTask, File, Ingest, IngestResult, Items, ItemsResult
from shared.queue import Queue
from shared.settings import Settings
from tests.redis_server import RedisServer
from tests.workers.fleet import eventually
from tests.workers.ingest.clips import scenes, write_clip
from tests.workers.models import save_model
from tests.workers.tasks.process import worker_process
from tests.workers.tasks.stack import settings_for
from tests.workers.tasks.test_killed import answer
from workers.tasks.names import item_id

pytestmark = [pytest.mark.anyio, pytest.mark.slow, pytest.mark.timeout(300)]

SHOTS = 120
WITHIN_S = 120.0
NAME = "films"


def kept(settings: Settings) -> int:
    """Pictures of shots that were written so far."""
    folder = media.collection_folder(settings.media_path, "t", NAME) / "items"
    return sum(1 for _ in folder.glob("*/*.thumb.jpg"))


async def test_the_next_worker_completes_the_video_and_every_shot_is_there_once(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    redis_server.flush()
    settings = settings_for(redis_server.url, save_model(tmp_path / "tiny"), tmp_path)
    path = write_clip(settings.ingest_root_paths[0] / "long.mp4", scenes([1.0] * SHOTS))
    job = Ingest(collection=NAME, files=[File(source="long.mp4", path=str(path))])
    async with connect(settings) as redis:
        queue = Queue(redis, settings)
        async with worker_process(settings) as first:
            spec = CollectionSpec(group_field="video")
            await answer(queue, CollectionTask(op="create", collection=NAME, spec=spec))
            sent = await queue.submit(job, tenant="t")
            await eventually(lambda: kept(settings) > 0, within_s=WITHIN_S)
            first.kill()
            await first.wait()
        left = kept(settings)
        assert left < SHOTS, "all was done before anything could be killed"
        async with worker_process(settings):
            view = await queue.wait("t", sent.id, timeout_s=WITHIN_S)
            assert (view.state, view.attempts) == ("succeeded", 2), view
            result = msgspec.convert(view.result, IngestResult)
            assert (result.added, result.count, result.skipped, result.partial) == (1, SHOTS, [], [])
            ids = [item_id(f"long.mp4#{position}") for position in range(SHOTS)]
            stored = msgspec.convert(await answer(queue, Items(collection=NAME, ids=ids)), ItemsResult).items
            assert [item.moment.position for item in stored if item.moment] == list(range(SHOTS))
            assert kept(settings) == SHOTS
            again = msgspec.convert(await answer(queue, job), IngestResult)
            assert (again.unchanged, again.frames, again.count) == (1, 0, SHOTS)
