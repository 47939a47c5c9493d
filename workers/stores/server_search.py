"""Searching on a Qdrant server, by plans that are learned for each collection."""

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Sequence

import msgspec
from qdrant_client import AsyncQdrantClient, models

from workers.stores import server_dialect as dialect
from workers.stores.plan import Ask, Situation
from workers.stores.plan_payloads import filled, lacking
from workers.stores.planner import Planner
from workers.stores.protocol import Answer, Scored, VectorQuery

logger = logging.getLogger(__name__)

# How many points pass a filter is asked anew after a while; the filters used longest ago are forgotten first.
PASSING_TTL_S = 10.0
MAX_FILTERS = 256
# Collections whose plans are remembered.
MAX_PLANNERS = 256
# Questions that only teach a planner are asked one at a time, with such a pause before each.
PAUSE_S = 0.05


class ServerSearch:
    """Runs the planner's rounds. `indexed=False` is for clients without an engine: they know no search parameters."""

    def __init__(self, client: AsyncQdrantClient, *, indexed: bool) -> None:
        self._client = client
        self._indexed = indexed
        self._planners: OrderedDict[tuple[str, int], Planner] = OrderedDict()
        self._passing: OrderedDict[tuple[str, bytes], tuple[float, int]] = OrderedDict()
        self._trials: asyncio.Task[None] | None = None

    async def run(self, name: str, queries: Sequence[VectorQuery], *, dim: int, size: int) -> list[Answer]:
        situations = [await self._situation(name, query, dim=dim, size=size) for query in queries]
        rounds = self._planner(name, dim).rounds(queries, situations)
        try:
            asks = next(rounds)
            while True:
                asks = rounds.send(await self._ask(name, asks, dim=dim))
        except StopIteration as done:
            self.try_later()
            return await self._with_payloads(name, queries, done.value)

    def try_later(self) -> None:
        """Beside searches, what the planners put off."""
        if self._due() and (self._trials is None or self._trials.done()):
            self._trials = asyncio.create_task(self._try_all(), name="plan-trials")

    async def settled(self) -> None:
        """Until nothing is left to try."""
        if self._trials is not None:
            await self._trials

    async def close(self) -> None:
        if self._trials is not None:
            self._trials.cancel()
            await asyncio.wait([self._trials])

    def _due(self) -> list[tuple[str, int]]:
        return [key for key, planner in self._planners.items() if planner.waiting]

    async def _try_all(self) -> None:
        while due := self._due():
            await asyncio.sleep(PAUSE_S)
            name, dim = due[-1]
            planner = self._planners.get((name, dim))
            if planner is None or not planner.waiting:
                continue
            later = planner.later
            try:
                [hits] = await self._ask(name, [later.ask()], dim=dim)
                later.take(hits)
            except Exception:
                logger.exception("a trial of a plan failed")
                later.give_up()

    def forget(self, name: str) -> None:
        """The collection is gone; another one may come under its name."""
        for key in [key for key in self._planners if key[0] == name]:
            del self._planners[key]

    def _planner(self, name: str, dim: int) -> Planner:
        planner = self._planners.pop((name, dim), None) or Planner()
        self._planners[name, dim] = planner
        if len(self._planners) > MAX_PLANNERS:
            self._planners.popitem(last=False)
        return planner

    async def _situation(self, name: str, query: VectorQuery, *, dim: int, size: int) -> Situation:
        where = dialect.narrowing(query)
        passing = size if where is None else min(size, await self._count(name, where))
        return Situation(size, dim, passing, len(query.exclude_ids))

    async def _count(self, name: str, where: models.Filter) -> int:
        """About how many points pass, by the payload indexes, as it was some seconds ago."""
        key = name, msgspec.msgpack.encode(where.model_dump(exclude_none=True, mode="json"))
        known_at_s, count = self._passing.get(key, (float("-inf"), 0))
        if time.monotonic() - known_at_s > PASSING_TTL_S:
            count = (await self._client.count(name, count_filter=where, exact=False)).count
            self._passing[key] = time.monotonic(), count
            if len(self._passing) > MAX_FILTERS:
                self._passing.popitem(last=False)
        return count

    async def _ask(self, name: str, asks: Sequence[Ask], *, dim: int) -> list[list[Scored]]:
        requests = [dialect.request(ask.query, ask.plan if self._indexed else None, dim=dim) for ask in asks]
        responses = await self._client.query_batch_points(name, requests)
        return [[dialect.scored(hit) for hit in response.points] for response in responses]

    async def _with_payloads(self, name: str, queries: Sequence[VectorQuery], answers: list[Answer]) -> list[Answer]:
        wanted = lacking(queries, answers)
        if not wanted:
            return answers
        records = await self._client.retrieve(name, wanted, with_payload=True)
        points = {one.id: one for one in (dialect.stored(record, vectors=False) for record in records)}
        return filled(queries, answers, points)
