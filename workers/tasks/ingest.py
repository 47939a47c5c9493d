"""The `ingest` job: index pictures and videos, chunk by chunk.

An item's media is written before its point and a chunk's points in one durable call, so a worker killed at any moment
leaves whole items; running the job again adds what is missing.
"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from itertools import chain, islice

from shared.jobs import File, Ingest, IngestResult, Took
from workers.ingest.kinds import kind_by_name
from workers.ingest.prepare import Looked, look_at
from workers.ingest.sources import Readable, readable, remove_spool
from workers.parts import Parts
from workers.sizing import QUEUED_PER_BULK_JOB
from workers.tasks.call import Call, Stopwatch
from workers.tasks.collection import refresh_count
from workers.tasks.names import require_model, stored_name
from workers.tasks.pictures import Pictures
from workers.tasks.tally import Refusal, Tally
from workers.tasks.target import Target
from workers.tasks.videos import Videos

logger = logging.getLogger(__name__)

# Files that go from stage to stage together. Decoders wait between two chunks, so each shall have some in between.
LEAST_CHUNK, MOST_CHUNK = 32, QUEUED_PER_BULK_JOB
# Files that one decoder looks at before it answers.
TOGETHER = 8


async def ingest(job: Ingest, call: Call, parts: Parts) -> IngestResult:
    """Index the job's files. Raises CollectionNotFound, ModelMismatch, StoreAway, EncoderAway."""
    collection = await parts.collections.get(call.tenant, job.collection)
    require_model(collection, parts)
    may_read = await parts.decoding.run(readable, parts.settings, spool=job.spool)
    run, watch = _Run(job, call, parts, may_read), Stopwatch()
    files, done = iter(job.files), 0
    chunk_size = min(MOST_CHUNK, max(LEAST_CHUNK, 2 * parts.indexing.in_flight))
    while chunk := list(islice(files, chunk_size)):
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

    def __init__(self, job: Ingest, call: Call, parts: Parts, may_read: Readable) -> None:
        self.job, self.parts = job, parts
        self.tally = Tally()
        target = Target(job, call, parts)
        self._may_read = may_read
        self._pictures = Pictures(job, call, parts, self.tally, target, may_read)
        self._videos = Videos(job, call, parts, self.tally, target, may_read)

    async def chunk(self, files: Sequence[File]) -> None:
        """Files of different sources: pictures together, then one video after the other."""
        known = await self._look(files)
        if pictures := [(file, one) for file, one in known if one.kind == "picture"]:
            await self._pictures.index(pictures)
        for file, one in known:
            if one.kind == "video":
                await self._videos.index(file)

    async def _look(self, files: Sequence[File]) -> list[tuple[File, Looked]]:
        """Without those that cannot be had, which is noted."""
        known = [(file, Looked(kind_by_name(file.source), file.hash)) for file in files if file.path is None]
        there = [(file, file.path) for file in files if file.path is not None]
        groups = [there[start : start + TOGETHER] for start in range(0, len(there), TOGETHER)]
        answers = await asyncio.gather(*(self._look_at([path for _, path in group]) for group in groups))
        for (file, _), answer in zip(there, chain.from_iterable(answers), strict=True):
            if isinstance(answer, Looked):
                known.append((file, answer))
            else:
                self.tally.refuse(file, answer)
        return known

    async def _look_at(self, paths: Sequence[str]) -> list[Looked | Refusal]:
        max_bytes = self.parts.settings.max_file_bytes
        return await self.parts.indexing.run(look_at, paths, self._may_read, max_bytes=max_bytes)
