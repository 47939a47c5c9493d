"""Pictures of an ingest job: compare, decode, encode and store them, a chunk at a time."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from shared.jobs import File, Ingest, Payload
from workers.decoders import decoded
from workers.ingest.prepare import Looked, Prepared, Recipe, prepare
from workers.ingest.sources import Place, Readable
from workers.parts import Parts
from workers.stores.protocol import Point
from workers.tasks.call import Call
from workers.tasks.names import INTERNAL, public
from workers.tasks.payloads import same_json
from workers.tasks.tally import REFUSALS, Tally
from workers.tasks.target import Target


class _Work(msgspec.Struct, frozen=True, kw_only=True):
    """One file that must be encoded."""

    file: File
    place: Place
    hash: str
    size_bytes: int


class Pictures:
    """The pictures of one job; what becomes of them is told to `tally`."""

    def __init__(self, job: Ingest, call: Call, parts: Parts, tally: Tally, target: Target, may_read: Readable) -> None:
        self.job, self.parts, self.tally, self.target = job, parts, tally, target
        self._recipe = Recipe(
            readable=may_read,
            max_pixels=parts.settings.max_pixels,
            max_bytes=parts.settings.max_file_bytes,
            media=parts.media,
            tenant=call.tenant,
            collection=job.collection,
            preprocess=parts.encoder.preprocess,
        )

    async def index(self, files: Sequence[tuple[File, Looked]]) -> None:
        """Files of different sources."""
        async with self.target.writing():
            await self._index(files)

    async def _index(self, files: Sequence[tuple[File, Looked]]) -> None:
        where = await self.target.places(file.source for file, _ in files)
        changed, same = [], []
        for file, looked in files:
            place = where[file.source]
            if looked.hash is None:
                continue  # asked about, without what to ask by
            if place.hash == looked.hash:
                same.append((file, place))
            else:
                changed.append(_Work(file=file, place=place, hash=looked.hash, size_bytes=looked.size_bytes))
        await self._refresh(same)
        self.tally.wanted += [work.file.source for work in changed if work.file.path is None]
        await self._store([work for work in changed if work.file.path is not None])

    async def _refresh(self, same: Sequence[tuple[File, Place]]) -> None:
        """Pictures that are stored already: only a payload that differs is written."""
        changed: dict[int, Payload] = {}
        for file, place in same:
            assert place.point is not None, "a hash was found, so the point was"
            given = public(file.payload)
            if given is not None and not same_json(given, public(place.point.payload)):
                changed[place.id] = {**given, INTERNAL: place.point.payload[INTERNAL]}
        if changed:
            await self.parts.store.set_payloads(self.target.stored, changed)
        self.tally.updated += len(changed)
        self.tally.unchanged += len(same) - len(changed)

    async def _store(self, works: Sequence[_Work]) -> None:
        points = await asyncio.gather(*(self._point(work) for work in works))
        stored = [point for point in points if point is not None]
        if stored:
            await self.parts.store.upsert(self.target.stored, stored)
        self.tally.added += len(stored)

    async def _point(self, work: _Work) -> Point | None:
        try:
            ready = await self._prepared(work)
        except REFUSALS as error:
            self.tally.refuse(work.file, error)
            return None
        embedded = await self.parts.batcher.image(ready.pixels, lane="bulk")
        return Point(id=work.place.id, vector=embedded.vector.tobytes(), payload=self._payload(work, ready))

    async def _prepared(self, work: _Work) -> Prepared:
        """By a GPU where there is one that does it and is quicker, else by a CPU."""
        assert work.file.path is not None, "files known by hash alone are not read"
        what = (work.file.path, work.place.id, work.hash, self._recipe)
        gpu = self.parts.gpu
        ready = await gpu.prepare(*what) if gpu is not None and gpu.is_worth(work.size_bytes) else None
        self.parts.metrics.prepared("cpu" if ready is None else "gpu")
        return await decoded(self.parts.indexing, prepare, *what) if ready is None else ready

    def _payload(self, work: _Work, ready: Prepared) -> Payload:
        """The given payload, or the one that is there already, with our own facts beside it."""
        kept = public(work.place.point.payload) if work.place.point is not None else {}
        given: dict[str, Any] = work.file.payload if work.file.payload is not None else kept or {}
        ours = {"source": work.file.source, "hash": work.hash, "width": ready.width, "height": ready.height}
        if self.job.spool is None and work.file.path != work.file.source:
            # Where to find it again.
            ours["path"] = str(work.file.path)
        return {**public(given), INTERNAL: ours}  # type: ignore[dict-item]
