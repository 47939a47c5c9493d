"""Queries that are ready at the same time go to the store in one call.

The vectors of a micro-batch come together, so their queries do: one call brings all that one turn of the event loop
has for a collection, and while calls are under way, what comes waits for the next one. No timer: a lone query leaves at
the end of the turn.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec

from shared.errors import CollectionNotFound, StoreAway
from shared.turns import spread
from workers.stores.protocol import Answer, VectorQuery, VectorStore

QUERIES_AT_MOST = 32
# One is answered while the next one is on its way.
CALLS_AT_MOST = 2
WAITING_AT_MOST = 4_096
# A query with more exclusions, or for more hits, would hold its companions up; it goes alone.
HEAVY_IDS = 500
HEAVY_LIMIT = 200


class _Waiting(msgspec.Struct, eq=False):
    query: VectorQuery
    answer: "asyncio.Future[Answer]"


@dataclass(slots=True)
class _Line:
    """What one collection has to answer."""

    waiting: deque[_Waiting] = field(default_factory=deque)
    calls: int = 0


class Searches:
    """Belongs to one event loop."""

    def __init__(self, store: VectorStore) -> None:
        self._store = store
        self._lines: dict[str, _Line] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def one(self, name: str, query: VectorQuery) -> Answer:
        """As `VectorStore.search` for one query. Raises StoreAway as well when too many wait."""
        if _is_heavy(query):
            [found] = await self._store.search(name, [query])
            return found
        line = self._lines.setdefault(name, _Line())
        if len(line.waiting) >= WAITING_AT_MOST:
            raise StoreAway(f"{WAITING_AT_MOST:,} queries already wait for the vector store")
        asked = _Waiting(query, asyncio.get_running_loop().create_future())
        line.waiting.append(asked)
        if line.calls < CALLS_AT_MOST and len(line.waiting) == 1:
            self._start(name, line)
        return await asked.answer

    def _start(self, name: str, line: _Line) -> None:
        line.calls += 1
        # It begins when those that this turn has woken have asked too.
        task = asyncio.create_task(self._serve(name, line))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, name: str, line: _Line) -> None:
        """Call until nobody waits."""
        try:
            while asked := _next(line):
                if line.waiting and line.calls < CALLS_AT_MOST:
                    self._start(name, line)
                await self._call(name, asked)
        finally:
            line.calls -= 1
            if not line.calls and not line.waiting:
                self._lines.pop(name, None)

    async def _call(self, name: str, asked: Sequence[_Waiting]) -> None:
        try:
            found = await self._store.search(name, [one.query for one in asked])
            async for one, hits in spread(zip(asked, found, strict=True)):
                if not one.answer.done():
                    one.answer.set_result(hits)
        except Exception as error:  # noqa: BLE001 - it belongs to those who asked
            await self._failed(name, asked, error)
        except BaseException:
            for one in asked:
                one.answer.cancel()
            raise

    async def _failed(self, name: str, asked: Sequence[_Waiting], error: Exception) -> None:
        """A bad query must not fail its companions: they go again, each alone."""
        if len(asked) == 1 or isinstance(error, StoreAway | CollectionNotFound):
            for one in asked:
                if not one.answer.done():
                    one.answer.set_exception(error)
            return
        for one in asked:
            if not one.answer.done():
                await self._call(name, [one])


def _next(line: _Line) -> list[_Waiting]:
    asked: list[_Waiting] = []
    while line.waiting and len(asked) < QUERIES_AT_MOST:
        one = line.waiting.popleft()
        if not one.answer.done():  # its job was stopped meanwhile
            asked.append(one)
    return asked


def _is_heavy(query: VectorQuery) -> bool:
    return query.limit > HEAVY_LIMIT or len(query.exclude_ids) + len(query.exclude_groups) > HEAVY_IDS
