"""What reads a collection goes on in its successor when it is reindexed at that moment."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from shared.errors import CollectionNotFound
from shared.jobs import Facets, Items, Neighbours, Search
from workers.parts import Parts
from workers.tasks.call import Call

J = TypeVar("J", Search, Items, Facets, Neighbours)
R = TypeVar("R", bound=msgspec.Struct)


def following(task: Callable[[J, Call, Parts], Awaitable[R]]) -> Callable[[J, Call, Parts], Awaitable[R]]:
    """The task, run once more when the vectors went that it had begun to read, and the collection is still there."""

    async def run(job: J, call: Call, parts: Parts) -> R:
        try:
            return await task(job, call, parts)
        except CollectionNotFound:
            if await parts.collections.find(call.tenant, job.collection) is None:
                raise
            return await task(job, call, parts)

    return run
