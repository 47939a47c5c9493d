"""The `ingest` job: hash, compare, decode, encode and store pictures, chunk by chunk.

An item's media is written before its point and a chunk's points in one durable call, so a worker killed at any moment
leaves whole items; running the job again adds what is missing.
"""

import asyncio
import logging
import math
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec

from shared.errors import BadPicture, NotVisible
from shared.jobs import File, Ingest, IngestResult, Payload, Skipped, Took
from workers.encoders.protocol import Pixels
from workers.ingest.decode import decode_reduced
from workers.ingest.sources import Place, content_hash, locate, places, remove_spool
from workers.ingest.thumbnails import NEEDED_PX
from workers.parts import Parts
from workers.stores.protocol import Point
from workers.tasks.call import Call, Stopwatch
from workers.tasks.collection import refresh_count
from workers.tasks.names import INTERNAL, public, require_model, stored_name

logger = logging.getLogger(__name__)

CHUNK = 32


class _Tally(msgspec.Struct):
    """What happened so far."""

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: list[Skipped] = msgspec.field(default_factory=list)
    failed: list[Skipped] = msgspec.field(default_factory=list)
    wanted: list[str] = msgspec.field(default_factory=list)

    def refuse(self, file: File, error: BadPicture | NotVisible) -> None:
        row = Skipped(source=file.source, reason=error.detail, type=error.slug)
        (self.failed if isinstance(error, NotVisible) else self.skipped).append(row)


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


async def ingest(job: Ingest, call: Call, parts: Parts) -> IngestResult:
    """Index the job's files. Raises CollectionNotFound, ModelMismatch, StoreAway, EncoderAway."""
    collection = await parts.collections.get(call.tenant, job.collection)
    require_model(collection, parts.encoder.info)
    run, watch = _Run(job, call, parts), Stopwatch()
    files, done = iter(job.files), 0
    while chunk := list(islice(files, CHUNK)):
        parts.stages.enter(call.job_id, "ingest", done=done, total=len(job.files))
        for wave in waves(chunk):
            await run.chunk(wave)
        done += len(chunk)
    parts.upkeep.optimize(run.stored)
    counted = await refresh_count(call.tenant, job.collection, parts)
    if job.spool is not None:
        await parts.decoding.run(remove_spool, parts.settings, job.spool)
    tally = run.tally
    logger.info("ingest %s ← %d added, %d unchanged", job.collection, tally.added, tally.unchanged)
    return IngestResult(
        collection=job.collection,
        added=tally.added,
        updated=tally.updated,
        unchanged=tally.unchanged,
        skipped=[*job.rejected, *tally.skipped],
        failed=tally.failed,
        wanted=tally.wanted,
        count=counted.count,
        took=Took(queue_ms=call.queued_ms, encode_ms=watch.lap_ms(), total_ms=call.total_ms()),
    )


def waves(files: Sequence[File]) -> Iterator[list[File]]:
    """The files in rounds with no source twice, so that each file finds what the one before it left and is counted."""
    while files:
        first: dict[str, File] = {}
        later = [file for file in files if first.setdefault(file.source, file) is not file]
        yield list(first.values())
        files = later


def same_json(one: object, other: object) -> bool:
    """Whether two payloads say the same: true is not 1, and floats may differ in the last digit (Qdrant's JSON)."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same_json(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same_json, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-15)
    return isinstance(one, bool) == isinstance(other, bool) and one == other


class _Run:
    """One ingest job on its way through its chunks."""

    def __init__(self, job: Ingest, call: Call, parts: Parts) -> None:
        self.job, self.call, self.parts = job, call, parts
        self.stored = stored_name(call.tenant, job.collection)
        self.tally = _Tally()

    async def chunk(self, files: Sequence[File]) -> None:
        """Files of different sources."""
        hashes = await asyncio.gather(*(self._hash(file) for file in files))
        known = {file.source: (file, hash_) for file, hash_ in zip(files, hashes, strict=True) if hash_ is not None}
        where = await places(self.stored, known, self.parts.store)
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
        except (BadPicture, NotVisible) as error:
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
            await self.parts.store.set_payloads(self.stored, changed)
        self.tally.updated += len(changed)
        self.tally.unchanged += len(same) - len(changed)

    async def _store(self, works: Sequence[_Work]) -> None:
        points = await asyncio.gather(*(self._point(work) for work in works))
        stored = [point for point in points if point is not None]
        if stored:
            await self.parts.store.upsert(self.stored, stored)
        self.tally.added += len(stored)

    async def _point(self, work: _Work) -> Point | None:
        try:
            ready = await self.parts.decoding.run(self._prepare, work)
        except (BadPicture, NotVisible) as error:
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
        return {**public(given), INTERNAL: ours}  # type: ignore[dict-item]
