"""Where an ingest job writes: the collection as it is at each write, which a reindex may replace between two."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from shared.jobs import Ingest
from workers.ingest.sources import Place, places
from workers.parts import Parts
from workers.tasks.call import Call
from workers.tasks.names import require_model, stored_name


class Target:
    """`stored` is the name in the store, inside of `writing` and of nothing else."""

    def __init__(self, job: Ingest, call: Call, parts: Parts) -> None:
        self._job, self._call, self._parts = job, call, parts
        self._ids: set[int] = set()
        self.stored = ""

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[None]:
        """Around a piece that takes seconds: a reindex that is done waits for it. Not within another one.

        Raises CollectionNotFound, ModelMismatch.
        """
        tenant, name = self._call.tenant, self._job.collection
        async with self._parts.rebuilds.writing(tenant, name, job=self._call.job_id) as write:
            require_model(write.collection, self._parts)
            self.stored, self._ids = stored_name(tenant, write.collection), write.ids
            yield

    async def places(self, sources: Iterable[str]) -> dict[str, Place]:
        """Of what may be written: also of what turns out to be there, as an attempt before may have told nobody."""
        where = await places(self.stored, sources, self._parts.store)
        self._ids.update(place.id for place in where.values())
        return where
