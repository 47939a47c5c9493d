"""Several models on one fleet: each collection is served by the workers that hold its model, and can be moved."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from qdrant_client import AsyncQdrantClient

from shared import keys
from shared.connection import connect
from shared.errors import ModelMismatch
from shared.jobs import Items, JobView, Query, Reindex, ReindexResult, Search
from shared.lanes import lane_name, lanes_of
from shared.model_names import DEFAULT_MODEL
from shared.queue import Queue
from shared.settings import Settings
from tests.redis_server import RedisServer
from tests.workers.fleet import eventually, running_worker
from tests.workers.models import save_model
from tests.workers.tasks.stack import WITHIN_S, Stack, settings_for
from workers.backgrounds import Backgrounds
from workers.functions import functions
from workers.parts import Parts, open_parts
from workers.stores.protocol import VectorStore
from workers.stores.qdrant_server import QdrantServerStore
from workers.stores.searches import Searches
from workers.tasks.names import require_model
from workers.upkeep import Upkeep

pytestmark = pytest.mark.anyio

OTHER = "other"
Start = Callable[..., Any]


@pytest.fixture(scope="module")
def other_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("models") / "other", seed=1, embed_dim=24)


@pytest.fixture
def fleet_settings(redis_server: RedisServer, tiny_model: Path, other_model: Path, tmp_path: Path) -> Settings:
    redis_server.flush()
    models, media = f"{OTHER}=local-dir:{other_model}", str(tmp_path / "media")
    return settings_for(redis_server.url, tiny_model, tmp_path, models=models, media_dir=media)


def sharing(parts: Parts, store: VectorStore) -> Parts:
    """The same parts, of every model, over a store that other workers have too."""
    models: dict[str, Parts] = {}
    more: dict[str, Any] = {
        "store": store,
        "searches": Searches(store),
        "upkeep": Upkeep(store),
        "backgrounds": Backgrounds(store),
        "models": models,
    }
    models |= {name: replace(one, **more) for name, one in parts.models.items()}
    return replace(parts, **more)


class Fleet:
    """Workers that hold some models each, over one store."""

    def __init__(self, settings: Settings, store: VectorStore, queue: Queue, opened: AsyncExitStack) -> None:
        self.settings, self.store, self.queue, self._opened = settings, store, queue, opened

    async def start(self, name: str, *models: str) -> Stack:
        """A worker of that name; what is returned asks for its first model."""
        # The embedded store that it opens beside is its own, and not used.
        folder = str(Path(self.settings.data_dir) / name)
        settings = msgspec.structs.replace(self.settings, worker_models=",".join(models), data_dir=folder)
        redis = await self._opened.enter_async_context(connect(settings))
        parts = sharing(await self._opened.enter_async_context(open_parts(settings, redis)), self.store)
        places = dict.fromkeys(models, 8)
        worker = running_worker(settings, functions(settings), worker_id=name, ctx={"parts": parts}, places=places)
        await self._opened.enter_async_context(worker)
        return Stack(parts, self.queue, settings.ingest_root_paths[0], model_name=models[0])


@pytest.fixture
async def fleet(fleet_settings: Settings) -> AsyncIterator[Fleet]:
    store = QdrantServerStore(AsyncQdrantClient(":memory:"), indexed=False)
    async with AsyncExitStack() as opened:
        opened.push_async_callback(store.close)
        redis = await opened.enter_async_context(connect(fleet_settings))
        yield Fleet(fleet_settings, store, Queue(redis, fleet_settings), opened)


async def filled(stack: Stack, count: int = 4) -> str:
    """A collection of the stack's model with pictures in it."""
    name = await stack.create()
    files = [stack.file(f"p{number}.png", payload={"n": number}) for number in range(count)]
    assert (await stack.ingest(name, files)).added == count
    return name


def cat(name: str) -> Search:
    return Search(collection=name, query=Query(text="a cat"))


def model_in(view: JobView) -> str:
    assert view.state == "succeeded", view.error
    assert view.result is not None
    return str(view.result["model"])


async def nothing_is_left(queue: Queue) -> None:
    """In no lane's queue or index."""
    for lane in lanes_of(queue.settings.model_names):
        assert await queue.redis.zcard(keys.queue(lane)) == 0
        for state in ("queued", "running"):
            assert await queue.redis.zcard(keys.lane_jobs(lane, state)) == 0


async def test_each_collection_is_served_by_the_worker_that_holds_its_model(fleet: Fleet) -> None:
    mine, theirs = await fleet.start("a", DEFAULT_MODEL), await fleet.start("b", OTHER)
    first, second = await filled(mine), await filled(theirs)
    views = [await mine.run(cat(first)), await theirs.run(cat(second))]
    assert [view.worker for view in views] == ["a", "b"]
    assert [view.model_name for view in views] == [DEFAULT_MODEL, OTHER]
    assert [view.lane for view in views] == ["interactive", "interactive"]
    assert [model_in(view) for view in views] == [one.parts.encoder.info.fingerprint for one in (mine, theirs)]
    made = [await mine.describe(first), await theirs.describe(second)]
    assert [(one.model_name, one.dim, one.count) for one in made] == [(DEFAULT_MODEL, 16, 4), (OTHER, 24, 4)]
    # What needs no encoder, any worker can do.
    ids = [item.id for item in (await theirs.all_items(second)).values()]
    read = await mine.run(Items(collection=second, ids=ids))
    assert (read.state, read.worker) == ("succeeded", "a")
    await nothing_is_left(fleet.queue)


async def test_one_worker_may_hold_two_and_keeps_their_vectors_apart(fleet: Fleet) -> None:
    both = await fleet.start("ab", DEFAULT_MODEL, OTHER)
    theirs = Stack(both.parts.models[OTHER], fleet.queue, both.folder, model_name=OTHER)
    first, second = await filled(both), await filled(theirs)
    for stack, name in ((both, first), (theirs, second)) * 2:
        assert model_in(await stack.run(cat(name))) == stack.parts.encoder.info.fingerprint
    assert both.parts.batcher is not theirs.parts.batcher
    assert [one.parts.batcher.stats().failed for one in (both, theirs)] == [0, 0]
    # Each text of each model once: what is known of a text is told apart by the model.
    assert [one.parts.batcher.stats().texts for one in (both, theirs)] == [1, 1]
    found = [
        (await stack.search(name, Query(text="p"))).hits or [] for stack, name in ((both, first), (theirs, second))
    ]
    assert [len(hits) for hits in found] == [4, 4]


async def test_jobs_of_a_model_that_nobody_holds_wait_and_hold_up_no_others(fleet: Fleet) -> None:
    mine = await fleet.start("a", DEFAULT_MODEL)
    first = await filled(mine)
    waits = await fleet.queue.submit(cat(first), tenant="t", model_name=OTHER)
    assert (await mine.run(cat(first))).state == "succeeded"
    assert (await fleet.queue.result("t", waits.id)).state == "queued"
    assert (await fleet.queue.depths())[lane_name("interactive", OTHER)] == 1
    await fleet.start("b", OTHER)
    view = await fleet.queue.wait("t", waits.id, timeout_s=WITHIN_S)
    # It was the wrong lane for that collection: whoever took it passed it on.
    assert (view.state, view.worker, view.model_name, view.attempts) == ("succeeded", "a", DEFAULT_MODEL, 1)
    await nothing_is_left(fleet.queue)


async def reindex(stack: Stack, name: str) -> ReindexResult:
    return msgspec.convert(await stack.answer(Reindex(collection=name, model_name=stack.model_name)), ReindexResult)


@asynccontextmanager
async def searched(fleet: Fleet, name: str) -> AsyncIterator[list[JobView]]:
    """Again and again until the block ends, each time in the lane of the model that the collection has then."""
    # Told rather than cancelled: redis-py 5 can swallow a cancellation, and then this would never end.
    answers, enough = list[JobView](), asyncio.Event()
    registry = (await fleet.start("c", DEFAULT_MODEL)).parts.collections

    async def ask() -> None:
        while not enough.is_set():
            known = await registry.get("t", name)
            sent = await fleet.queue.submit(cat(name), tenant="t", model_name=known.model_name)
            answers.append(await fleet.queue.wait("t", sent.id, timeout_s=WITHIN_S))

    asking = asyncio.create_task(ask())
    try:
        await eventually(lambda: answers)
        yield answers
        before = len(answers)
        await eventually(lambda: len(answers) > before + 2 or asking.done())
    finally:
        enough.set()
        await asking


async def test_a_collection_moves_to_another_model_while_it_is_searched(fleet: Fleet) -> None:
    mine, theirs = await fleet.start("a", DEFAULT_MODEL), await fleet.start("b", OTHER)
    name = await filled(mine, 8)
    async with searched(fleet, name) as answers:
        result = await reindex(theirs, name)
    assert (result.switched, result.encoded, result.count) == (True, 8, 8)
    assert {view.state for view in answers} == {"succeeded"}
    assert {model_in(view) for view in answers} == {one.parts.encoder.info.fingerprint for one in (mine, theirs)}
    moved = await theirs.describe(name)
    assert (moved.model_name, moved.dim, moved.generation) == (OTHER, 24, 1)
    assert moved.model == theirs.parts.encoder.info.fingerprint
    # And what is added goes there.
    assert (await theirs.ingest(name, [theirs.file("new.png")])).count == 9


@pytest.mark.parametrize("kind", ["interactive", "bulk"])
async def test_a_job_that_waited_while_its_collection_moved_goes_on_in_the_other_lane(fleet: Fleet, kind: str) -> None:
    mine, theirs = await fleet.start("a", DEFAULT_MODEL), await fleet.start("b", OTHER)
    name = await filled(mine)
    await fleet.queue.redis.hset(keys.lane(kind), "paused", "1")
    sent = await fleet.queue.submit(msgspec.structs.replace(cat(name), lane=kind), tenant="t")
    assert (await reindex(theirs, name)).switched
    assert (await fleet.queue.result("t", sent.id)).state == "queued"
    await fleet.queue.redis.hdel(keys.lane(kind), "paused")
    view = await fleet.queue.wait("t", sent.id, timeout_s=WITHIN_S)
    assert (view.worker, view.model_name, view.lane, view.attempts) == ("b", OTHER, kind, 1)
    assert model_in(view) == theirs.parts.encoder.info.fingerprint
    await nothing_is_left(fleet.queue)


async def test_a_reindex_goes_to_the_model_that_it_names_or_to_its_collections_own(fleet: Fleet) -> None:
    mine, theirs = await fleet.start("a", DEFAULT_MODEL), await fleet.start("b", OTHER)
    name = await filled(mine)
    # Each in the lane of the other model, as a stock client may put it.
    moved = await mine.run(Reindex(collection=name, model_name=OTHER))
    again = await mine.run(Reindex(collection=name))
    assert [(view.state, view.worker) for view in (moved, again)] == [("succeeded", "b"), ("succeeded", "b")]
    known = await theirs.describe(name)
    assert (known.model_name, known.generation) == (OTHER, 2)
    lost = await mine.problem(Reindex(collection=name, model_name="gone"))
    assert (lost.type, "gone" in lost.detail) == ("model-mismatch", True)
    await nothing_is_left(fleet.queue)


async def test_a_worker_that_holds_both_goes_on_by_itself(fleet: Fleet) -> None:
    both = await fleet.start("ab", DEFAULT_MODEL, OTHER)
    theirs = Stack(both.parts.models[OTHER], fleet.queue, both.folder, model_name=OTHER)
    name = await filled(both)
    assert (await reindex(theirs, name)).switched
    view = await both.run(cat(name))
    assert model_in(view) == theirs.parts.encoder.info.fingerprint
    # The job stayed where it was queued.
    assert view.model_name == DEFAULT_MODEL
    assert (await both.ingest(name, [both.file("new.png")])).count == 5


async def test_the_fingerprint_still_decides_within_a_model(fleet: Fleet, tiny_model: Path, other_model: Path) -> None:
    mine = await fleet.start("a", DEFAULT_MODEL)
    name = await filled(mine)
    fleet.settings = msgspec.structs.replace(fleet.settings, model=f"local-dir:{other_model}", models="")
    async with AsyncExitStack() as opened:
        redis = await opened.enter_async_context(connect(fleet.settings))
        parts = await opened.enter_async_context(open_parts(fleet.settings, redis))
        other = sharing(parts, fleet.store)
    known = await mine.parts.collections.get("t", name)
    with pytest.raises(ModelMismatch, match=f"clipline collections reindex {name}"):
        require_model(known, other)
    # A model that the fleet has no more is told of as such a difference.
    with pytest.raises(ModelMismatch, match="made with"):
        require_model(msgspec.structs.replace(known, model_name="gone"), other)
