"""Queries that are ready together travel together, and stay apart in what goes wrong. Over the real embedded store."""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from shared.errors import CollectionNotFound, Invalid, StoreAway
from shared.settings import Settings
from shared.turns import AT_ONCE
from tests.ticking import Clock, ticking
from workers.stores.protocol import Answer, Point, VectorQuery
from workers.stores.qdrant_edge import QdrantEdgeStore
from workers.stores.searches import CALLS_AT_MOST, HEAVY_IDS, QUERIES_AT_MOST, WAITING_AT_MOST, Searches

pytestmark = pytest.mark.anyio
WITHIN_S = 60.0
DIM, COUNT = 8, 60


class Counted(QdrantEdgeStore):
    """Remembers how many queries each call brought, and how many calls were under way at most."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.sizes: list[int] = []
        self.under_way = self.most = 0

    async def search(self, name: str, queries: Sequence[VectorQuery]) -> list[Answer]:
        self.sizes.append(len(queries))
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            return await super().search(name, queries)
        finally:
            self.under_way -= 1


def unit(seed: int) -> bytes:
    vector = np.random.default_rng(seed).standard_normal(DIM).astype(np.float32)
    return bytes((vector / np.linalg.norm(vector)).tobytes())


def nearest(seed: int, **more: object) -> VectorQuery:
    return VectorQuery(vector=unit(seed), limit=1, **more)  # type: ignore[arg-type]


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Counted]:
    made = Counted(Settings(data_dir=str(tmp_path)))
    await made.start()
    for name in ("t.a", "t.b"):
        await made.create(name, dim=DIM, indexes={}, meta={})
        await made.upsert(name, [Point(id=number, vector=unit(number), payload={}) for number in range(COUNT)])
    try:
        async with asyncio.timeout(WITHIN_S):
            yield made
    finally:
        await made.close()


async def test_queries_of_one_turn_are_one_call_for_each_collection(store: Counted) -> None:
    searches = Searches(store)
    asked = [searches.one(name, nearest(number)) for number in range(10) for name in ("t.a", "t.b")]
    found = await asyncio.gather(*asked)
    assert store.sizes == [10, 10]
    assert [one.hits[0].id for one in found] == [number for number in range(10) for _ in range(2)]


async def test_few_of_a_calls_searches_go_on_in_one_turn_of_the_loop(store: Counted) -> None:
    searches = Searches(store)
    went: list[int] = []

    async def ask(number: int, clock: Clock) -> None:
        await searches.one("t.a", nearest(number))
        went.append(clock.turn)

    async with ticking() as clock:
        await asyncio.gather(*(ask(number, clock) for number in range(QUERIES_AT_MOST)))
    assert store.sizes == [QUERIES_AT_MOST]
    # What is counted for a turn may be the parts of two.
    assert max(Counter(went).values()) <= 2 * AT_ONCE < QUERIES_AT_MOST


async def test_what_comes_while_calls_are_under_way_waits_for_the_next(store: Counted) -> None:
    searches = Searches(store)
    tasks = []
    for number in range(COUNT):
        tasks.append(asyncio.create_task(searches.one("t.a", nearest(number))))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    found = await asyncio.gather(*tasks)
    assert [one.hits[0].id for one in found] == list(range(COUNT))
    assert store.most <= CALLS_AT_MOST
    assert len(store.sizes) < COUNT
    assert max(store.sizes) <= QUERIES_AT_MOST


async def test_a_bad_query_fails_alone(store: Counted) -> None:
    searches = Searches(store)
    bad = VectorQuery(vector=unit(0)[:8], limit=1)
    good, error, other = await asyncio.gather(
        searches.one("t.a", nearest(3)),
        searches.one("t.a", bad),
        searches.one("t.a", nearest(5)),
        return_exceptions=True,
    )
    assert isinstance(error, Invalid)
    assert isinstance(good, Answer)
    assert isinstance(other, Answer)
    assert [good.hits[0].id, other.hits[0].id] == [3, 5]


async def test_a_collection_that_is_not_there_is_told_to_all_who_asked(store: Counted) -> None:
    searches = Searches(store)
    answers = await asyncio.gather(*(searches.one("t.x", nearest(n)) for n in range(3)), return_exceptions=True)
    assert all(isinstance(one, CollectionNotFound) for one in answers)
    assert store.sizes == [3]


async def test_a_query_whose_job_was_stopped_does_not_travel(store: Counted) -> None:
    searches = Searches(store)
    tasks = [asyncio.create_task(searches.one("t.a", nearest(number))) for number in range(4)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(found[1], asyncio.CancelledError)
    assert store.sizes == [3]


async def test_a_heavy_query_holds_nobody_up(store: Counted) -> None:
    searches = Searches(store)
    heavy = nearest(0, exclude_ids=list(range(1_000, 1_001 + HEAVY_IDS)))
    await asyncio.gather(searches.one("t.a", heavy), searches.one("t.a", nearest(1)), searches.one("t.a", nearest(2)))
    assert sorted(store.sizes) == [1, 2]


async def test_too_many_are_refused_and_the_others_answered(store: Counted) -> None:
    searches = Searches(store)
    answers = await asyncio.gather(
        *(searches.one("t.a", nearest(number % COUNT)) for number in range(WAITING_AT_MOST + 5)), return_exceptions=True
    )
    assert sum(isinstance(one, StoreAway) for one in answers) == 5
    assert sum(isinstance(one, Answer) for one in answers) == WAITING_AT_MOST


async def test_a_store_that_is_killed_under_load_answers_again(store: Counted) -> None:
    searches = Searches(store)
    found = await asyncio.gather(*(searches.one("t.a", nearest(number)) for number in range(COUNT)))
    assert store.pid is not None
    load = [asyncio.create_task(searches.one("t.a", nearest(number))) for number in range(COUNT)]
    await asyncio.sleep(0)
    os.kill(store.pid, signal.SIGKILL)
    # Reads survive one death of the process: all are answered by its successor.
    assert await asyncio.gather(*load) == found
