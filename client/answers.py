"""Answers that only HTTP has, as types."""

import msgspec

from client.problems import succeeded
from shared.jobs import Collection, IngestResult, JobView


class JobPage(msgspec.Struct, frozen=True):
    """Jobs newest first; `next` is the cursor of the page after. `left_out`: tenants too many to be looked at."""

    jobs: list[JobView]
    next: str | None = None
    left_out: int = 0


class NewSession(msgspec.Struct, frozen=True):
    session: str


class CollectionList(msgspec.Struct, frozen=True):
    collections: list[Collection]


def added(total: IngestResult, job: JobView) -> IngestResult:
    """`total` and what one more job did. Raises CliplineError when it failed."""
    more = msgspec.convert(succeeded(job).result or {}, IngestResult)
    return IngestResult(
        collection=total.collection,
        added=total.added + more.added,
        updated=total.updated + more.updated,
        unchanged=total.unchanged + more.unchanged,
        skipped=[*total.skipped, *more.skipped],
        failed=[*total.failed, *more.failed],
        wanted=[*total.wanted, *more.wanted],
        count=more.count,
        took=more.took,
    )
