"""Reads job records for everybody who waits for one: together in one call, each once."""

import asyncio
from asyncio import Future, Task

from shared.errors import CliplineError, QueueAway
from shared.jobs import JobView
from shared.ledger import Ledger
from shared.turns import spread

BATCH = 64

Wanted = dict[tuple[str, str], "Future[JobView | None]"]


class Results:
    """While one call is under way the next one gathers; two who want the same job share its record.

    Bounded by those who wait: a caller that goes away costs one read at most.
    """

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self._wanted: Wanted = {}
        self._reader: Task[None] | None = None

    async def get(self, tenant: str, job_id: str) -> JobView | None:
        """The job as it is, at the earliest, when this was called; None for unknown and foreign ones."""
        future = self._wanted.get((tenant, job_id))
        if future is None:
            future = asyncio.get_running_loop().create_future()
            self._wanted[tenant, job_id] = future
        if self._reader is None:
            self._reader = asyncio.create_task(self._read_all())
        # Shielded: the one who gives up must not take the answer from the others.
        return await asyncio.shield(future)

    async def _read_all(self) -> None:
        try:
            while self._wanted:
                batch = dict(list(self._wanted.items())[:BATCH])
                for key in batch:
                    del self._wanted[key]
                await self._read(batch)
        finally:
            self._reader = None

    async def _read(self, batch: Wanted) -> None:
        for tenant in {tenant for tenant, _ in batch}:
            ids = [job_id for owner, job_id in batch if owner == tenant]
            try:
                found = await self.ledger.many(tenant, ids)
                async for job_id in spread(ids):
                    _settle(batch[tenant, job_id], found.get(job_id))
            except CliplineError as error:
                _fail([batch[tenant, job_id] for job_id in ids], error)
            except BaseException:
                _fail(list(batch.values()), QueueAway("the read was broken off"))
                raise


def _settle(future: "Future[JobView | None]", view: JobView | None) -> None:
    if not future.done():
        future.set_result(view)


def _fail(futures: "list[Future[JobView | None]]", error: CliplineError) -> None:
    for future in futures:
        if not future.done():
            future.set_exception(error)
            # Marks it as seen: nobody may be left to look.
            future.exception()
