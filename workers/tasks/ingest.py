"""The `ingest` job: index pictures and videos, chunk by chunk.

An item's media is written before its point and a chunk's points in one durable call, so a worker killed at any moment
leaves whole items; running the job again adds what is missing.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from itertools import islice

from shared.errors import NotVisible
from shared.jobs import File, Ingest, IngestResult, Took
from shared.media import Kind
from workers.ingest.kinds import kind_by_name, kind_of
from workers.ingest.sources import locate, remove_spool
from workers.parts import Parts
from workers.tasks.call import Call, Stopwatch
from workers.tasks.collection import refresh_count
from workers.tasks.names import require_model, stored_name
from workers.tasks.pictures import Pictures
from workers.tasks.tally import Tally
from workers.tasks.target import Target
from workers.tasks.videos import Videos

logger = logging.getLogger(__name__)

CHUNK = 32


async def ingest(job: Ingest, call: Call, parts: Parts) -> IngestResult:
    """Index the job's files. Raises CollectionNotFound, ModelMismatch, StoreAway, EncoderAway."""
    collection = await parts.collections.get(call.tenant, job.collection)
    require_model(collection, parts)
    run, watch = _Run(job, call, parts), Stopwatch()
    files, done = iter(job.files), 0
    while chunk := list(islice(files, CHUNK)):
        parts.stages.enter(call.job_id, "ingest", done=done, total=len(job.files))
        for wave in waves(chunk):
            await run.chunk(wave)
        done += len(chunk)
    counted = await refresh_count(call.tenant, job.collection, parts)
    parts.upkeep.optimize(stored_name(call.tenant, counted))
    if job.spool is not None:
        await parts.decoding.run(remove_spool, parts.settings, job.spool)
    tally = run.tally
    tally.as_given(job.files)
    logger.info("ingest %s ← %d added, %d unchanged", job.collection, tally.added, tally.unchanged)
    return IngestResult(
        collection=job.collection,
        added=tally.added,
        updated=tally.updated,
        unchanged=tally.unchanged,
        frames=tally.frames,
        skipped=[*job.rejected, *tally.skipped],
        failed=tally.failed,
        partial=tally.partial,
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


class _Run:
    """One ingest job on its way through its chunks."""

    def __init__(self, job: Ingest, call: Call, parts: Parts) -> None:
        self.job, self.parts = job, parts
        self.tally = Tally()
        target = Target(job, call, parts)
        self._pictures = Pictures(job, call, parts, self.tally, target)
        self._videos = Videos(job, call, parts, self.tally, target)

    async def chunk(self, files: Sequence[File]) -> None:
        """Files of different sources: pictures together, then one video after the other."""
        kinds = await asyncio.gather(*(self._kind(file) for file in files))
        pictures = [file for file, kind in zip(files, kinds, strict=True) if kind == "picture"]
        if pictures:
            await self._pictures.index(pictures)
        for file, kind in zip(files, kinds, strict=True):
            if kind == "video":
                await self._videos.index(file)

    async def _kind(self, file: File) -> Kind | None:
        """None for a file that cannot be had, which is noted."""
        if file.path is None:
            return kind_by_name(file.source)
        try:
            path = locate(file, self.job, self.parts.settings)
            return await self.parts.decoding.run(kind_of, path)
        except NotVisible as error:
            self.tally.refuse(file, error)
        except OSError as error:
            self.tally.refuse(file, NotVisible(f"the workers cannot read it: {error.strerror}"))
        return None
