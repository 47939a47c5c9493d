"""The real worker class over tasks without a model: what the API needs to be answered, and nothing else."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from arq.worker import func

from shared.clock import now_iso
from shared.collections import Collections, from_spec, require_same
from shared.connection import connect
from shared.errors import BadPicture
from shared.fleet import Fleet, HeldModel, WorkerInfo
from shared.jobs import (
    CollectionSpec,
    CollectionTask,
    Facet,
    Facets,
    FacetsResult,
    FacetValue,
    Hit,
    Ingest,
    IngestResult,
    Item,
    Items,
    ItemsResult,
    Neighbours,
    NeighboursResult,
    Reindex,
    ReindexResult,
    Search,
    SearchResult,
    SearchTook,
)
from shared.media import SPOOL
from shared.settings import Settings
from workers.worker import Worker

Context = dict[Any, Any]
KNOWN_ITEMS = 100


class StandIn:
    """A search for "wait …" runs until `gate` opens, one for "fail …" fails, one for "large …" has large payloads."""

    def __init__(self, settings: Settings, collections: Collections) -> None:
        self.settings = settings
        self.collections = collections
        self.gate = asyncio.Event()
        self.waiting = asyncio.Semaphore(0)
        self.searched: list[Search] = []
        self.ingested: list[Ingest] = []
        self.contents: dict[str, bytes] = {}

    def functions(self) -> list[Any]:
        names = ("search", "collection", "items", "facets", "neighbours", "ingest", "reindex")
        return [func(getattr(self, name), name=name) for name in names]

    async def reindex(self, ctx: Context, payload: dict[str, Any], **call: Any) -> Any:
        job = msgspec.convert(payload, Reindex)
        known = await self.collections.get(call["tenant"], job.collection)
        result = ReindexResult(collection=job.collection, model=known.model or "", switched=not job.leave_out)
        return msgspec.to_builtins(result)

    async def search(self, ctx: Context, payload: dict[str, Any], **call: Any) -> Any:
        job = msgspec.convert(payload, Search)
        self.searched.append(job)
        text = job.query.text or ""
        if text.startswith("wait"):
            self.waiting.release()
            await self.gate.wait()
        if text.startswith("fail"):
            raise BadPicture("as asked")
        filler = {"filler": "x" * 100_000} if text.startswith("large") else {"label": text}
        hits = [Hit(id=number, score=1 - number / 1000, payload=filler) for number in range(job.limit)]
        return msgspec.to_builtins(SearchResult(took=SearchTook(), model="stand-in", exhausted=False, hits=hits))

    async def collection(self, ctx: Context, payload: dict[str, Any], *, tenant: str, **call: Any) -> Any:
        job = msgspec.convert(payload, CollectionTask)
        made = from_spec(job.collection, job.spec or CollectionSpec())
        if job.op == "drop":
            await self.collections.remove(tenant, job.collection)
        elif (known := await self.collections.find(tenant, job.collection)) is not None:
            require_same(known, job.spec or CollectionSpec())
        else:
            await self.collections.put(tenant, made)
        return msgspec.to_builtins(made)

    async def items(self, ctx: Context, payload: dict[str, Any], **call: Any) -> Any:
        job = msgspec.convert(payload, Items)
        return msgspec.to_builtins(ItemsResult(items=_known(job.ids)))

    async def facets(self, ctx: Context, payload: dict[str, Any], **call: Any) -> Any:
        job = msgspec.convert(payload, Facets)
        values = [FacetValue(value="cat", count=3), FacetValue(value=True, count=1)][: job.limit]
        return msgspec.to_builtins(FacetsResult(facets=[Facet(field=field, values=values) for field in job.fields]))

    async def neighbours(self, ctx: Context, payload: dict[str, Any], **call: Any) -> Any:
        job = msgspec.convert(payload, Neighbours)
        before, after = range(max(0, job.id - job.before), job.id), range(job.id + 1, job.id + job.after + 1)
        item = next(iter(_known([job.id])), None)
        return msgspec.to_builtins(
            NeighboursResult(item=item, group="v", before=_known([*before]), after=_known([*after]))
        )

    async def ingest(self, ctx: Context, payload: dict[str, Any], **call: Any) -> Any:
        job = msgspec.convert(payload, Ingest)
        self.ingested.append(job)
        if job.spool is not None:
            folder = self.settings.media_path / SPOOL / job.spool
            self.contents |= {file.source: (folder / (file.path or "")).read_bytes() for file in job.files}
            shutil.rmtree(folder)
        return msgspec.to_builtins(IngestResult(collection=job.collection, added=len(job.files), skipped=job.rejected))


def _known(ids: list[int]) -> list[Item]:
    known = [number for number in ids if number < KNOWN_ITEMS]
    return [Item(id=number, source="a", hash="b", width=1, height=1, payload={"n": number}) for number in known]


@asynccontextmanager
async def working(settings: Settings, *, models: Sequence[str] = ()) -> AsyncIterator[StandIn]:
    """Of the default model, or of those named."""
    async with connect(settings) as redis, connect(settings, blocking=True) as blocking:
        stand_in = StandIn(settings, Collections(redis))
        functions = stand_in.functions()
        worker = Worker(
            functions,
            redis=redis,
            blocking=blocking,
            settings=settings,
            worker_id="w1",
            places=dict.fromkeys(models, 8),
        )
        await Fleet(redis).beat(heartbeat(*models))
        running = asyncio.create_task(worker.async_run())
        try:
            yield stand_in
        finally:
            stand_in.gate.set()
            await worker.drain()
            await asyncio.gather(running, return_exceptions=True)
            await worker.close()


def heartbeat(*models: str) -> WorkerInfo:
    held = [HeldModel(name=name, model=name, fingerprint="f", dim=4, precision="fp32") for name in models]
    return WorkerInfo(
        id="w1",
        host="here",
        pid=1,
        state="running",
        device="cpu",
        model="stand-in",
        fingerprint="f",
        dim=4,
        precision="fp32",
        store="none",
        started_at=now_iso(),
        last_seen_at=now_iso(),
        max_jobs=8,
        models=held,
    )
