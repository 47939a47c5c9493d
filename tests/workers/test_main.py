"""One worker's life: waits for what it needs, joins the fleet, drains when told, and names a bad setting."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from arq.connections import ArqRedis

from shared import keys
from shared.collections import Collections
from shared.connection import connect
from shared.fleet import Fleet
from shared.jobs import CollectionSpec, CollectionTask
from shared.media import SPOOL
from shared.queue import Queue
from shared.settings import Settings, SettingsError, to_env
from tests.redis_server import RedisServer
from tests.workers.fleet import eventually
from tests.workers.models import save_model
from tests.workers.tasks.process import start
from tests.workers.tasks.stack import settings_for
from workers.__main__ import serve

pytestmark = pytest.mark.anyio

WITHIN_S = 30.0


@pytest.fixture
def own(redis_server: RedisServer, tiny_model: Path, tmp_path: Path) -> Settings:
    redis_server.flush()
    return settings_for(redis_server.url, tiny_model, tmp_path)


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[asyncio.Task[None]]:
    """Told to stop at the end of the block, which it then does."""
    stop = asyncio.Event()
    task = asyncio.create_task(serve(settings, stop=stop))
    try:
        yield task
    finally:
        stop.set()
        async with asyncio.timeout(WITHIN_S):
            await task


async def in_fleet(redis: ArqRedis) -> None:
    await eventually(Fleet(redis).live, within_s=WITHIN_S)


async def create(queue: Queue, name: str) -> None:
    task = CollectionTask(op="create", collection=name, spec=CollectionSpec(group_field="video"))
    sent = await queue.submit(task, tenant="t")
    assert (await queue.wait("t", sent.id, timeout_s=WITHIN_S)).state == "succeeded"


def said(caplog: pytest.LogCaptureFixture, words: str) -> Callable[[], bool]:
    return lambda: any(words in record.getMessage() for record in caplog.records)


async def test_a_worker_joins_the_fleet_works_and_leaves(own: Settings) -> None:
    async with connect(own) as redis:
        async with serving(own):
            await in_fleet(redis)
            [info] = await Fleet(redis).live()
            await create(Queue(redis, own), "p")
        assert await Fleet(redis).live() == []
    assert (info.state, info.pid, info.device, info.store, info.dim) == ("running", os.getpid(), "cpu", "edge", 16)
    assert info.memory_bytes > 2**20


@pytest.mark.parametrize("hears", [True, False], ids=["called", "by its heartbeat"])
async def test_a_worker_that_an_operator_drains_ends_by_itself(own: Settings, *, hears: bool) -> None:
    async with connect(own) as redis, serving(own) as task:
        await in_fleet(redis)
        [info] = await Fleet(redis).live()
        if hears:
            await Fleet(redis).drain(info.id)
        else:
            await redis.set(keys.drain(info.id), "1")
        await eventually(task.done, within_s=WITHIN_S)
        assert await Fleet(redis).live() == []


async def test_a_worker_waits_for_redis(own: Settings, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    with RedisServer() as late:
        late.stop()
        settings = msgspec.structs.replace(own, redis_url=late.url)
        async with serving(settings), connect(settings) as redis:
            await eventually(said(caplog, "waiting for Redis"))
            await asyncio.to_thread(late.start)
            await in_fleet(redis)


async def test_a_worker_that_waits_for_redis_stops_when_told(own: Settings, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with serving(msgspec.structs.replace(own, redis_url="unix:///nonexistent/redis.sock")) as task:
        await eventually(said(caplog, "waiting for Redis"))
        assert not task.done()


async def test_a_worker_that_waits_for_the_store_takes_no_jobs_and_stops_when_told(
    own: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    away = msgspec.structs.replace(own, store="http://127.0.0.1:9")
    async with connect(away) as redis:
        queue = Queue(redis, away)
        sent = await queue.submit(CollectionTask(op="create", collection="p"), tenant="t")
        async with serving(away):
            await eventually(said(caplog, "waiting for the vector store"), within_s=WITHIN_S)
        assert (await queue.result("t", sent.id)).state == "queued"
        assert await Fleet(redis).live() == []


async def test_a_start_restores_names_that_redis_lost_and_removes_old_uploads(own: Settings) -> None:
    old, fresh = [own.media_path / SPOOL / "t" / name for name in ("old", "fresh")]
    async with connect(own) as redis:
        async with serving(own):
            await create(Queue(redis, own), "p")
        for folder in (old, fresh):
            folder.mkdir(parents=True)
        os.utime(old, (1, 1))
        await redis.flushall()
        async with serving(own):
            await in_fleet(redis)
            assert (await Collections(redis).get("t", "p")).group_field == "video"
    assert (old.exists(), fresh.exists()) == (False, True)


async def ended(**variables: str) -> tuple[int | None, str]:
    """Exit code and output of a worker that cannot start."""
    process = await start(variables)
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    return process.returncode, out.decode()


async def test_a_misspelt_variable_ends_the_process_with_its_name() -> None:
    code, out = await ended(CLIPLINE_MAX_JOSB="4")
    assert code == 1
    assert out.strip() == "clipline: unknown setting CLIPLINE_MAX_JOSB"


async def test_a_model_that_is_not_there_ends_the_process_with_its_setting(own: Settings) -> None:
    missing = msgspec.structs.replace(own, model="local-dir:/nonexistent/model")
    code, out = await ended(**to_env(missing))
    assert code == 2
    assert "CLIPLINE_MODEL" in out
    assert "Traceback" not in out


async def test_a_worker_of_several_models_says_which_it_holds_and_serves_each(own: Settings, tmp_path: Path) -> None:
    other = save_model(tmp_path / "models" / "other", seed=1, embed_dim=24)
    settings = msgspec.structs.replace(own, models=f"other=local-dir:{other}")
    async with connect(settings) as redis:
        queue = Queue(redis, settings)
        async with serving(settings):
            await in_fleet(redis)
            [info] = await Fleet(redis).live()
            for name in settings.model_names:
                task = CollectionTask(op="create", collection=name, spec=CollectionSpec())
                sent = await queue.submit(task, tenant="t", model_name=name)
                assert (await queue.wait("t", sent.id, timeout_s=WITHIN_S)).state == "succeeded"
        made = {one.name: one for one in await Collections(redis).all("t")}
    assert [(one.name, one.dim) for one in info.models] == [("default", 16), ("other", 24)]
    assert (info.model, info.fingerprint, info.max_batch) == (
        info.models[0].model,
        info.models[0].fingerprint,
        info.models[0].max_batch,
    )
    assert all(one.max_batch > 0 and one.texts_s > 0 for one in info.models)
    assert {name: (one.model_name, one.model) for name, one in made.items()} == {
        one.name: (one.name, one.fingerprint) for one in info.models
    }


async def test_other_weights_under_the_same_name_are_told_of(
    own: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    changed = save_model(tmp_path / "changed", seed=1)
    newer = msgspec.structs.replace(own, model=f"local-dir:{changed}", data_dir=str(tmp_path / "newer"))
    caplog.set_level(logging.WARNING)
    async with connect(own) as redis, serving(own):
        await in_fleet(redis)
        [older] = await Fleet(redis).live()
        async with serving(newer):
            await eventually(said(caplog, f"{older.fingerprint} at worker {older.id}"), within_s=WITHIN_S)


async def test_a_model_that_cannot_be_had_is_named(own: Settings) -> None:
    for models, words in (("photo=ViT-Q-32/openai", "photo: .*no such model"), ("icons=local-dir:/none", "no folder")):
        settings = msgspec.structs.replace(own, models=models)
        with pytest.raises(SettingsError, match=f"CLIPLINE_MODELS, .*{words}"):
            await serve(settings, stop=asyncio.Event())
