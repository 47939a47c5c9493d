"""Pictures of an ingest job: hash, compare, decode, encode and store them, a chunk at a time."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from shared.jobs import File, Ingest, Payload
from workers.encoders.protocol import Pixels
from workers.ingest.decode import decode_reduced
from workers.ingest.sources import Place, content_hash, locate
from workers.ingest.thumbnails import NEEDED_PX
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


class _Ready(msgspec.Struct, frozen=True, kw_only=True):
    """A decoded picture: the model's input and its original size in pixels."""

    pixels: Pixels
    width: int
    height: int


class Pictures:
    """The pictures of one job; what becomes of them is told to `tally`."""

    def __init__(self, job: Ingest, call: Call, parts: Parts, tally: Tally, target: Target) -> None:
        self.job, self.call, self.parts, self.tally, self.target = job, call, parts, tally, target

    async def index(self, files: Sequence[File]) -> None:
        """Files of different sources."""
        async with self.target.writing():
            await self._index(files)

    async def _index(self, files: Sequence[File]) -> None:
        hashes = await asyncio.gather(*(self._hash(file) for file in files))
        known = {file.source: (file, hash_) for file, hash_ in zip(files, hashes, strict=True) if hash_ is not None}
        where = await self.target.places(known)
        changed = [
            _Work(file=file, place=where[source], hash=hash_)
            for source, (file, hash_) in known.items()
            if where[source].hash != hash_
        ]
        await self._refresh(
            [(file, where[source]) for source, (file, hash_) in known.items() if where[source].hash == hash_]
        )
        self.tally.wanted += [work.file.source for work in changed if work.file.path is None]
        await self._store([work for work in changed if work.file.path is not None])

    async def _hash(self, file: File) -> str | None:
        """The content's hash, or None for a file that cannot be had, which is noted."""
        if file.path is None:
            return file.hash
        try:
            path = locate(file, self.job, self.parts.settings)
            return await self.parts.decoding.run(content_hash, path, max_bytes=self.parts.settings.max_file_bytes)
        except REFUSALS as error:
            self.tally.refuse(file, error)
            return None

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
            ready = await self.parts.decoding.run(self._prepare, work)
        except REFUSALS as error:
            self.tally.refuse(work.file, error)
            return None
        embedded = await self.parts.batcher.image(ready.pixels, lane="bulk")
        return Point(id=work.place.id, vector=embedded.vector.tobytes(), payload=self._payload(work, ready))

    def _prepare(self, work: _Work) -> _Ready:
        """Runs on a decoding thread: decode, write thumbnails, bring to the model's size."""
        settings = self.parts.settings
        path = locate(work.file, self.job, settings)
        limits = {"max_pixels": settings.max_pixels, "max_bytes": settings.max_file_bytes}
        picture = decode_reduced(path, **limits, needed_px=NEEDED_PX)
        self.parts.media.store(self.call.tenant, self.job.collection, work.place.id, work.hash, picture.pixels)
        ready = self.parts.encoder.preprocess(picture.pixels)
        return _Ready(pixels=ready, width=picture.width, height=picture.height)

    def _payload(self, work: _Work, ready: _Ready) -> Payload:
        """The given payload, or the one that is there already, with our own facts beside it."""
        kept = public(work.place.point.payload) if work.place.point is not None else {}
        given: dict[str, Any] = work.file.payload if work.file.payload is not None else kept or {}
        ours = {"source": work.file.source, "hash": work.hash, "width": ready.width, "height": ready.height}
        if self.job.spool is None and work.file.path != work.file.source:
            # Where to find it again.
            ours["path"] = str(work.file.path)
        return {**public(given), INTERNAL: ours}  # type: ignore[dict-item]
