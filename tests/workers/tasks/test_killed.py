"""A worker that is killed with `kill -9` in the middle of an ingest."""

import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared import media
from shared.connection import connect
from shared.fleet import Fleet
from shared.jobs import CollectionTask, File, Ingest, IngestResult, Items, ItemsResult, Job
from shared.queue import Queue
from shared.settings import Settings
from tests.redis_server import RedisServer
from tests.workers.fleet import eventually
from tests.workers.tasks.process import worker_process
from tests.workers.tasks.stack import settings_for, write_picture
from workers.tasks.names import item_id

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

COUNT = 300
WITHIN_S = 90.0


async def answer(queue: Queue, job: Job) -> dict[str, Any]:
    sent = await queue.submit(job, tenant="t")
    view = await queue.wait("t", sent.id, timeout_s=WITHIN_S)
    assert view.state == "succeeded", view
    assert view.result is not None
    return view.result


def thumbnails(settings: Settings) -> int:
    folder = media.collection_folder(settings.media_path, "t", "many") / "items"
    return sum(1 for _ in folder.glob("*/*.thumb.jpg"))


def pictures(folder: Path) -> list[File]:
    names = [f"{number}.png" for number in range(COUNT)]
    return [File(source=name, path=str(write_picture(folder / name, seed=n))) for n, name in enumerate(names)]


async def test_the_next_worker_completes_what_was_left(
    redis_server: RedisServer, tiny_model: Path, tmp_path: Path
) -> None:
    redis_server.flush()
    settings = settings_for(redis_server.url, tiny_model, tmp_path)
    files = pictures(settings.ingest_root_paths[0])
    async with connect(settings) as redis:
        queue = Queue(redis, settings)
        async with worker_process(settings) as first:
            await answer(queue, CollectionTask(op="create", collection="many"))
            sent = await queue.submit(Ingest(collection="many", files=files), tenant="t")
            # The second chunk is on its way, so the first one is stored.
            await eventually(lambda: thumbnails(settings) > 40, within_s=WITHIN_S)
            first.kill()
            await first.wait()
        async with worker_process(settings) as second:
            view = await queue.wait("t", sent.id, timeout_s=WITHIN_S)
            assert (view.state, view.attempts) == ("succeeded", 2), view
            result = msgspec.convert(view.result, IngestResult)
            assert result.unchanged >= 32
            assert (result.added + result.unchanged, result.updated, result.count) == (COUNT, 0, COUNT)
            again = msgspec.convert(await answer(queue, Ingest(collection="many", files=files)), IngestResult)
            assert (again.unchanged, again.count) == (COUNT, COUNT)
            ids = [item_id(file.source) for file in files]
            stored = msgspec.convert(await answer(queue, Items(collection="many", ids=ids)), ItemsResult).items
            assert [item.source for item in stored] == [file.source for file in files]
            for size in media.SIZES:
                for one in ids:
                    path = media.path_of(settings.media_path, "t", "many", one, size)
                    assert path.read_bytes().startswith(b"\xff\xd8")
            assert len(await Fleet(redis).live()) >= 1
            second.send_signal(signal.SIGTERM)
            assert await second.wait() == 0
        # The killed one's last beat goes by itself.
        assert {one.pid for one in await Fleet(redis).live()} <= {first.pid}
