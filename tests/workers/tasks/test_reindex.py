"""Encoding a collection anew beside it, and switching, over each store."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from qdrant_client import AsyncQdrantClient

from shared import keys, media
from shared.clock import now_ms
from shared.connection import connect
from shared.errors import CollectionNotFound, EncoderAway, ReindexRunning, StoreAway
from shared.jobs import CollectionTask, File, Lane, Query, Reindex, ReindexResult, Search
from shared.queue import Queue
from shared.settings import Settings
from shared.stages import Stage
from tests.redis_server import RedisServer
from tests.workers.fleet import running_worker
from tests.workers.tasks.stack import Stack, fresh_name, settings_for
from workers.backgrounds import Backgrounds
from workers.batcher import Batcher
from workers.encoders.protocol import Pixels
from workers.encoding import Embedded
from workers.functions import functions
from workers.parts import open_parts
from workers.sizing import assumed
from workers.stages import Stages
from workers.stores.protocol import Point, VectorStore
from workers.stores.qdrant_server import QdrantServerStore
from workers.stores.searches import Searches
from workers.tasks import reencoding
from workers.tasks.call import Call
from workers.tasks.collection import restore_registry
from workers.tasks.names import item_id
from workers.tasks.reindex import PAGE
from workers.tasks.reindex import reindex as run
from workers.upkeep import Upkeep

pytestmark = pytest.mark.anyio

STORES = ["edge", "memory"]


@asynccontextmanager
async def stacked(settings: Settings, store: VectorStore | None) -> AsyncIterator[Stack]:
    """A worker on the embedded store, or on the one given."""
    async with connect(settings) as redis, open_parts(settings, redis) as opened:
        parts = opened
        if store is not None:
            beside = {"searches": Searches(store), "upkeep": Upkeep(store), "backgrounds": Backgrounds(store)}
            parts = replace(opened, store=store, **beside)  # type: ignore[arg-type]
        async with running_worker(settings, functions(settings), ctx={"parts": parts}):
            yield Stack(parts, Queue(redis, settings), settings.ingest_root_paths[0])


@asynccontextmanager
async def store_of(kind: str) -> AsyncIterator[VectorStore | None]:
    if kind == "edge":
        yield None
        return
    store = QdrantServerStore(AsyncQdrantClient(":memory:"), indexed=False)
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture(scope="module", params=STORES)
async def stack(
    request: pytest.FixtureRequest,
    redis_server: RedisServer,
    tiny_model: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Stack]:
    redis_server.flush()
    settings = settings_for(redis_server.url, tiny_model, tmp_path_factory.mktemp("reindex"))
    async with store_of(request.param) as store, stacked(settings, store) as one:
        yield one


async def reindex(stack: Stack, name: str, **more: Any) -> ReindexResult:
    return msgspec.convert(await stack.answer(Reindex(collection=name, **more)), ReindexResult)


def files(stack: Stack, count: int, prefix: str = "p") -> list[File]:
    return [stack.file(f"{prefix}{number}.png", payload={"n": number}) for number in range(count)]


async def filled(stack: Stack, count: int = 5, **spec: Any) -> str:
    name = await stack.create(**spec)
    await stack.ingest(name, files(stack, count))
    return name


async def names_of(stack: Stack, name: str) -> list[str]:
    return [stored for stored in await stack.parts.store.names() if stored.split(".")[1] == name]


async def test_everything_is_encoded_anew_and_nothing_else_changes(stack: Stack) -> None:
    name = await filled(stack, group_field="n", payload={"n": "integer"})
    items, query = await stack.all_items(name), Query(text="cat")
    before, known = await stack.search(name, query), await stack.describe(name)
    result = await reindex(stack, name)
    assert (result.switched, result.encoded, result.from_copies, result.count) == (True, 5, 0, 5)
    assert (result.unreadable, result.failed, result.kept) == (0, [], 0)
    after = await stack.search(name, query)
    assert [hit.id for hit in after.hits or []] == [hit.id for hit in before.hits or []]
    assert await stack.all_items(name) == items
    assert await stack.describe(name) == msgspec.structs.replace(known, generation=1)
    assert await names_of(stack, name) == [f"t.{name}.1"]
    grouped = await stack.search(name, query, group_by="n")
    assert {group.group for group in grouped.groups or []} == set(range(5))
    assert (await reindex(stack, name)).switched
    assert await names_of(stack, name) == [f"t.{name}.2"]
    assert (await stack.ingest(name, files(stack, 6))).added == 1


async def test_searches_and_ingests_go_on_meanwhile(stack: Stack) -> None:
    name = await filled(stack, 3 * PAGE)
    ids = {item_id(f"p{number}.png") for number in range(3 * PAGE)}
    running = asyncio.create_task(reindex(stack, name))
    job, round_ = Search(collection=name, query=Query(text="cat"), limit=1_000, payload=False), 0
    while not running.done():
        round_ += 1
        view, added = await asyncio.gather(
            stack.run(job), stack.ingest(name, [stack.file(f"new{round_}.png"), stack.file("changed.png", seed=round_)])
        )
        assert view.state == "succeeded", view.error
        assert view.result is not None
        assert ids <= {hit["id"] for hit in view.result["hits"]}
        assert added.added == 2
    assert (await running).switched
    items = await stack.all_items(name)
    # Nothing that was ingested at any moment is missing, and the last of what came again is there.
    assert len(items) == 3 * PAGE + round_ + 1
    assert (await stack.ingest(name, [stack.file("changed.png", seed=round_)])).unchanged == 1
    assert not await stack.parts.redis.keys(keys.tenant("t") + "[rwc][ehr][bia][utn]*:" + name)


async def test_what_was_uploaded_is_read_from_its_copy(stack: Stack) -> None:
    name = await filled(stack, 3)
    (stack.folder / "p0.png").unlink()
    stack.picture("p1.png", seed=77)
    # As an earlier version named it.
    copy = media.path_of(stack.parts.settings.media_path, "t", name, item_id("p1.png"), "full")
    copy.rename(copy.with_suffix(".webp"))
    before = await stack.vectors(name, [item_id("p0.png")])
    result = await reindex(stack, name)
    assert (result.switched, result.encoded, result.from_copies) == (True, 3, 2)
    after = await stack.vectors(name, [item_id("p0.png")])
    assert float(after[item_id("p0.png")] @ before[item_id("p0.png")]) > 0.9


def lose(stack: Stack, name: str, source: str) -> None:
    """The original and our copy."""
    (stack.folder / source).unlink()
    media.path_of(stack.parts.settings.media_path, "t", name, item_id(source), "full").unlink()


async def test_the_same_model_keeps_the_vectors_of_what_is_lost(stack: Stack) -> None:
    name = await filled(stack, 3)
    lose(stack, name, "p2.png")
    result = await reindex(stack, name)
    assert (result.switched, result.encoded, result.kept, result.count) == (True, 2, 1, 3)


class Failing(Batcher):
    """The real one, which gives up after some pictures."""

    left = 0

    async def image(self, pixels: Pixels, *, lane: Lane = "interactive", started: Any = None) -> Embedded:
        if self.left <= 0:
            raise EncoderAway("enough")
        self.left -= 1
        return await super().image(pixels, lane=lane, started=started)


async def test_an_attempt_that_was_cut_off_is_completed_by_the_next(stack: Stack) -> None:
    name = await filled(stack, PAGE + 10)
    failing = Failing(stack.parts.encoder, budget=assumed(stack.parts.settings), max_queued=1_000)
    failing.left = PAGE + 3
    settings = msgspec.structs.replace(stack.parts.settings, ingest_retry_s=0.001)
    call = Call(job_id="cut-off", tenant="t", attempt=1, due_ms=now_ms(), queued_ms=0.0)
    with pytest.raises(EncoderAway):
        await run(Reindex(collection=name), call, replace(stack.parts, batcher=failing, settings=settings))
    await asyncio.to_thread(failing.close)
    # It goes before the next attempt.
    await stack.parts.store.delete(f"t.{name}", [item_id("p0.png")])
    assert len((await stack.search(name, Query(text="cat"), limit=200)).hits or []) == PAGE + 9
    result = await reindex(stack, name)
    assert (result.switched, result.count) == (True, PAGE + 9)
    assert 0 < result.encoded <= 10
    assert item_id("p0.png") not in {item.id for item in (await stack.all_items(name)).values()}


class Faltering:
    """The real store, which goes away at the first write of pictures, before it took them or after."""

    def __init__(self, store: VectorStore, *, takes: bool) -> None:
        self._store, self._takes = store, takes
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    async def upsert(self, name: str, points: Sequence[Point]) -> None:
        self.calls += 1
        if self._takes or self.calls > 1:
            await self._store.upsert(name, points)
        if self.calls == 1:
            raise StoreAway("for a moment")


@pytest.mark.parametrize("takes", [False, True])
async def test_a_page_that_is_tried_again_counts_once(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, *, takes: bool
) -> None:
    monkeypatch.setattr(reencoding, "AWAY_PAUSE_S", 0.0)
    name = await filled(stack, 5)
    lose(stack, name, "p0.png")
    (stack.folder / "p1.png").unlink()
    store = Faltering(stack.parts.store, takes=takes)
    call = Call(job_id=f"page-{name}", tenant="t", attempt=1, due_ms=now_ms(), queued_ms=0.0)
    await stack.parts.redis.set(keys.ARQ_LEASE + call.job_id, "w1")
    result = await run(Reindex(collection=name), call, replace(stack.parts, store=store))
    assert store.calls == (1 if takes else 2)
    assert (result.switched, result.count) == (True, 5)
    assert (result.encoded, result.from_copies, result.kept, result.unreadable) == (4, 1, 1, 0)


async def test_a_repeated_attempt_after_the_switch_changes_nothing(stack: Stack) -> None:
    name = await filled(stack, 2)
    call = Call(job_id=f"again-{name}", tenant="t", attempt=1, due_ms=now_ms(), queued_ms=0.0)
    await stack.parts.redis.set(keys.ARQ_LEASE + call.job_id, "w1")
    first = await run(Reindex(collection=name), call, stack.parts)
    again = await run(Reindex(collection=name), call, stack.parts)
    assert (first.switched, first.encoded, again.switched, again.encoded) == (True, 2, True, 0)
    assert await names_of(stack, name) == [f"t.{name}.1"]


async def test_only_one_job_reindexes_a_collection(stack: Stack) -> None:
    name = await filled(stack, 1)
    rebuilds = stack.parts.rebuilds
    await stack.parts.redis.set(keys.ARQ_LEASE + "first", "w0")
    await rebuilds.begin("t", name, job="first")
    with pytest.raises(ReindexRunning, match="first"):
        await rebuilds.begin("t", name, job="second")
    assert (await stack.problem(Reindex(collection=name))).type == "reindex-running"
    # Its worker is gone.
    await stack.parts.redis.delete(keys.ARQ_LEASE + "first")
    assert (await reindex(stack, name)).switched


async def test_a_switch_waits_for_writes_and_holds_up_new_ones(stack: Stack) -> None:
    name = await filled(stack, 1)
    rebuilds, redis = stack.parts.rebuilds, stack.parts.redis
    before = await stack.parts.collections.get("t", name)
    after = msgspec.structs.replace(before, generation=1)
    for job in ("r", "w"):
        await redis.set(keys.ARQ_LEASE + job, "w0")
    await rebuilds.begin("t", name, job="r")
    async with rebuilds.writing("t", name, job="w") as write:
        write.ids.add(7)
        assert await rebuilds.switch("t", before, after, job="r") == "writing"
    assert await rebuilds.switch("t", before, after, job="r") == "changed"
    waiting = asyncio.create_task(_write(stack, name))
    await asyncio.sleep(0)
    assert await rebuilds.changed("t", name, at_most=10) == [7]
    assert not waiting.done()
    assert await rebuilds.switch("t", before, after, job="r") == "switched"
    assert await waiting == 1
    await redis.delete(keys.ARQ_LEASE + "r", keys.ARQ_LEASE + "w")


async def _write(stack: Stack, name: str) -> int:
    async with stack.parts.rebuilds.writing("t", name, job="w") as write:
        return write.collection.generation


async def test_a_write_that_a_lost_reindex_did_not_see_makes_it_begin_anew(stack: Stack) -> None:
    name = await filled(stack, 1)
    rebuilds = stack.parts.rebuilds
    before = await stack.parts.collections.get("t", name)
    after = msgspec.structs.replace(before, generation=1)
    await rebuilds.begin("t", name, job="r")
    await _write(stack, name)
    assert await rebuilds.switch("t", before, after, job="r") == "lost"


async def test_a_count_from_before_does_not_undo_the_switch(stack: Stack) -> None:
    name = await filled(stack, 1)
    before = await stack.parts.collections.get("t", name)
    await reindex(stack, name)
    await stack.parts.collections.update("t", before)
    assert (await stack.parts.collections.get("t", name)).generation == 1


async def test_a_collection_that_is_dropped_meanwhile_stays_dropped(stack: Stack) -> None:
    name = await filled(stack, 2)
    rebuilds = stack.parts.rebuilds
    before = await stack.parts.collections.get("t", name)
    await stack.parts.store.create(f"t.{name}.1", dim=4, indexes={}, meta={"draft": "yes"})
    await rebuilds.begin("t", name, job="r")
    await stack.answer(CollectionTask(op="drop", collection=name))
    assert await names_of(stack, name) == []
    after = msgspec.structs.replace(before, generation=1)
    assert await rebuilds.switch("t", before, after, job="r") == "gone"
    await stack.create(name=name)
    assert await rebuilds.switch("t", before, after, job="r") == "gone"
    with pytest.raises(CollectionNotFound):
        async with rebuilds.writing("t", fresh_name(), job="w"):
            pass


async def test_a_redis_that_started_empty_learns_the_newest_name(stack: Stack) -> None:
    name, draft = await filled(stack, 2), await filled(stack, 3)
    await reindex(stack, name)
    await stack.parts.store.create(f"t.{draft}.1", dim=4, indexes={}, meta={"draft": "yes"})
    await stack.parts.redis.flushall()
    assert await restore_registry(stack.parts) >= 2
    restored = {one.name: one for one in await stack.parts.collections.all("t")}
    assert (restored[name].generation, restored[name].count) == (1, 2)
    assert (restored[draft].generation, restored[draft].count) == (0, 3)
    assert len((await stack.search(name, Query(text="cat"))).hits or []) == 2


class Noting(Stages):
    """What it was told, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.noted: list[tuple[str, int | None, int | None]] = []

    def enter(self, job_id: str, stage: Stage, *, done: int | None = None, total: int | None = None) -> None:
        self.noted.append((stage, done, total))
        super().enter(job_id, stage, done=done, total=total)


async def test_how_far_it_is_is_told_page_by_page(stack: Stack) -> None:
    name, stages = await filled(stack, PAGE + 2), Noting()
    call = Call(job_id=f"told-{name}", tenant="t", attempt=1, due_ms=now_ms(), queued_ms=0.0)
    await run(Reindex(collection=name), call, replace(stack.parts, stages=stages))
    assert stages.noted == [("reindex", PAGE, PAGE + 2), ("reindex", PAGE + 2, PAGE + 2)]
