"""How a reindex and those who write into the collection meanwhile keep out of each other's way.

Searches never wait. Writers register, and what they changed is remembered while a reindex goes on; for the moment of
the switch, the last of them are waited for and new ones wait.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, Literal, cast

import msgspec
from arq.connections import ArqRedis

from shared import keys, scripts
from shared.connection import redis_errors
from shared.errors import CollectionNotFound, ReindexRunning
from shared.jobs import Collection
from shared.pipe import Pipe, Script

Switch = Literal["switched", "writing", "changed", "lost", "gone"]

# A switch waits for the writes under way, each a chunk of pictures.
PAUSE_S = 0.05
WAIT = 1


class Write:
    """One write under way: into which collection, and the ids that it may change."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self.ids: set[int] = set()


class Rebuilds:
    """Both sides: `begin`, `changed`, `switch` and `end` are the reindex's, `writing` is everybody else's."""

    def __init__(self, redis: ArqRedis) -> None:
        self._redis = redis
        pipe = Pipe(redis)
        names = ("begin_rebuild", "end_rebuild", "begin_write", "end_write", "switch_collection")
        self._scripts = {name: Script(pipe, scripts.alone(name)) for name in names}

    @asynccontextmanager
    async def writing(self, tenant: str, name: str, *, job: str) -> AsyncIterator[Write]:
        """Around a write; waits while a reindex switches. Raises CollectionNotFound."""
        write = Write(await self._begun(tenant, name, job))
        try:
            yield write
        finally:
            names = [keys.rebuild(tenant, name), keys.writers(tenant, name), keys.changed(tenant, name)]
            await self._call("end_write", names, [job, *write.ids])

    async def _begun(self, tenant: str, name: str, job: str) -> Collection:
        names = [keys.collections(tenant), keys.rebuild(tenant, name), keys.writers(tenant, name)]
        answer = await self._call("begin_write", names, [name, job])
        while answer == WAIT:
            await asyncio.sleep(PAUSE_S)
            answer = await self._call("begin_write", names, [name, job])
        if not isinstance(answer, bytes):
            raise CollectionNotFound(f"no collection {name!r}", field="collection")
        return msgspec.msgpack.decode(answer, type=Collection)

    async def begin(self, tenant: str, name: str, *, job: str) -> None:
        """Remember what changes from now on. Raises ReindexRunning when another job does already."""
        other = await self._call("begin_rebuild", [keys.rebuild(tenant, name), keys.changed(tenant, name)], [job])
        if other:
            raise ReindexRunning(f"job {other.decode()} is at it", field="collection")

    async def changed(self, tenant: str, name: str, *, at_most: int) -> list[int]:
        """Ids that were written since; each is told once."""
        with redis_errors():
            found = cast(list[bytes], await self._redis.spop(keys.changed(tenant, name), at_most))
        return sorted(int(one) for one in found)

    async def switch(self, tenant: str, before: Collection, after: Collection, *, job: str) -> Switch:
        """Let `after` take the place of `before`, if nothing is left to copy. Nobody begins to write from now on."""
        name = before.name
        names = [
            keys.collections(tenant),
            keys.rebuild(tenant, name),
            keys.writers(tenant, name),
            keys.changed(tenant, name),
        ]
        args = [name, job, msgspec.msgpack.encode(after), before.generation, before.created_at]
        answer: Switch = (await self._call("switch_collection", names, args)).decode()
        return answer

    async def end(self, tenant: str, name: str, *, job: str) -> None:
        await self._call("end_rebuild", [keys.rebuild(tenant, name), keys.changed(tenant, name)], [job])

    async def _call(self, script: str, names: Sequence[str], args: Sequence[Any]) -> Any:
        with redis_errors():
            return await self._scripts[script](keys=names, args=args)
