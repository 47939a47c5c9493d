"""Everything of a worker but its process: tiny real model, real embedded store, real Redis, real files."""

import itertools
import zlib
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from PIL import Image

from shared.connection import connect
from shared.errors import Problem
from shared.jobs import (
    Collection,
    CollectionSpec,
    CollectionTask,
    File,
    Ingest,
    IngestResult,
    Item,
    Items,
    ItemsResult,
    Job,
    JobView,
    Query,
    Search,
    SearchResult,
)
from shared.model_names import DEFAULT_MODEL
from shared.queue import Queue
from shared.settings import Settings
from tests.workers.fleet import running_worker
from workers.decoders import FEW
from workers.encoders.load import load_encoder
from workers.functions import functions
from workers.held import Load
from workers.parts import Parts, open_parts
from workers.tasks.names import stored_name

WITHIN_S = 60.0

_numbers = itertools.count()


def fresh_name() -> str:
    """A collection that no other test uses."""
    return f"c{next(_numbers)}"


def write_picture(path: Path, *, seed: int) -> Path:
    """Random squares, 48 × 40 pixels."""
    path.parent.mkdir(parents=True, exist_ok=True)
    squares = np.random.default_rng(seed).integers(0, 256, (5, 6, 3), dtype=np.uint8)
    Image.fromarray(squares.repeat(8, axis=0).repeat(8, axis=1)).save(path)
    return path


class Stack:
    """Submits jobs for one model, as the API does, and returns what their worker answered."""

    def __init__(self, parts: Parts, queue: Queue, folder: Path, *, model_name: str = DEFAULT_MODEL) -> None:
        self.model_name = model_name
        self.parts = parts
        self.queue = queue
        self.folder = folder

    async def run(self, job: Job, *, tenant: str = "t") -> JobView:
        sent = await self.queue.submit(job, tenant=tenant, model_name=self.model_name)
        view = await self.queue.wait(tenant, sent.id, timeout_s=WITHIN_S)
        assert view.finished_at is not None, f"still {view.state}"
        return view

    async def answer(self, job: Job, *, tenant: str = "t") -> dict[str, Any]:
        view = await self.run(job, tenant=tenant)
        assert view.state == "succeeded", view.error
        assert view.result is not None
        return view.result

    async def problem(self, job: Job, *, tenant: str = "t") -> Problem:
        view = await self.run(job, tenant=tenant)
        assert view.state == "failed", view.state
        assert view.error is not None
        return view.error

    async def create(self, *, tenant: str = "t", name: str | None = None, **spec: Any) -> str:
        collection = name or fresh_name()
        job = CollectionTask(op="create", collection=collection, spec=CollectionSpec(**spec))
        await self.answer(job, tenant=tenant)
        return collection

    async def describe(self, collection: str) -> Collection:
        return msgspec.convert(await self.answer(CollectionTask(op="describe", collection=collection)), Collection)

    async def ingest(self, collection: str, files: Sequence[File], **more: Any) -> IngestResult:
        job = Ingest(collection=collection, files=list(files), **more)
        return msgspec.convert(await self.answer(job), IngestResult)

    async def search(self, collection: str, query: Query, **more: Any) -> SearchResult:
        return msgspec.convert(await self.answer(Search(collection=collection, query=query, **more)), SearchResult)

    async def items(self, collection: str, ids: Sequence[int]) -> list[Item]:
        answer = await self.answer(Items(collection=collection, ids=list(ids)))
        return msgspec.convert(answer, ItemsResult).items

    async def all_items(self, collection: str) -> dict[str, Item]:
        """By source."""
        everything = await self.search(collection, Query(text="anything"), limit=1_000, payload=False)
        ids = [hit.id for hit in everything.hits or []]
        return {item.source: item for item in await self.items(collection, ids)} if ids else {}

    async def vectors(self, collection: str, ids: Sequence[int]) -> dict[int, npt.NDArray[np.float32]]:
        known = await self.parts.collections.get("t", collection)
        found = await self.parts.store.retrieve(stored_name("t", known), ids, vectors=True)
        return {one: np.frombuffer(point.vector or b"", dtype="<f4") for one, point in found.items()}

    def picture(self, name: str, *, seed: int | None = None) -> Path:
        """A picture in the folder that the worker may read; without a seed its name decides what it shows."""
        return write_picture(self.folder / name, seed=zlib.crc32(name.encode()) if seed is None else seed)

    def file(self, name: str, *, seed: int | None = None, **more: Any) -> File:
        return File(source=name, path=str(self.picture(name, seed=seed)), **more)


def settings_for(
    redis_url: str, model: Path, folder: Path, *, search_retry_s: float = WITHIN_S, **more: Any
) -> Settings:
    """A machine that stands still for seconds does not use up a search's time for another try.

    Decoders are threads, or each stack would start as many processes as there are CPUs.
    """
    (folder / "pictures").mkdir(parents=True, exist_ok=True)
    return Settings(
        redis_url=redis_url,
        data_dir=str(folder / "data"),
        ingest_roots=str(folder / "pictures"),
        model=f"local-dir:{model}",
        device="cpu",
        precision="fp32",
        search_retry_s=search_retry_s,
        **{"decoders": FEW, **more},
    )


@asynccontextmanager
async def working(settings: Settings, *, load: Load = load_encoder) -> AsyncIterator[Stack]:
    """A worker that takes jobs until the block ends."""
    async with (
        connect(settings) as redis,
        open_parts(settings, redis, load=load) as parts,
        running_worker(settings, functions(settings), ctx={"parts": parts}),
    ):
        yield Stack(parts, Queue(redis, settings), settings.ingest_root_paths[0])
