"""Samples are drawn once, and anew while the old one still serves."""

import asyncio

import numpy as np
import pytest

from shared.errors import StoreAway
from shared.settings import Settings
from tests.workers.fleet import eventually
from workers.backgrounds import SIZE, SMALL_TTL_S, TTL_S, Backgrounds
from workers.stores.protocol import StoredPoint
from workers.stores.qdrant_edge import QdrantEdgeStore

pytestmark = pytest.mark.anyio

DIM = 4


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class Store(QdrantEdgeStore):
    """Gives `count` vectors whose first number says which draw they came with; when told, only after a while."""

    def __init__(self, count: int = SIZE) -> None:
        super().__init__(Settings())
        self.count, self.draws, self.away = count, 0, False
        self.open = asyncio.Event()
        self.open.set()

    async def sample(self, name: str, limit: int) -> list[StoredPoint]:
        self.draws += 1
        number = self.draws
        await self.open.wait()
        if self.away:
            raise StoreAway("not in time")
        vector = np.full(DIM, number, dtype="<f4").tobytes()
        return [StoredPoint(id=one, payload={}, vector=vector) for one in range(min(limit, self.count))]


async def test_searches_at_the_same_time_share_one_draw() -> None:
    store = Store()
    many = Backgrounds(store)
    drawn = await asyncio.gather(*(many.of("t.c", dim=DIM) for _ in range(8)))
    assert store.draws == 1
    assert {sample.shape for sample in drawn} == {(SIZE, DIM)}
    assert (await many.of("t.c", dim=DIM))[0, 0] == 1


async def test_an_old_sample_serves_until_a_new_one_is_there() -> None:
    store, clock = Store(), Clock()
    many = Backgrounds(store, clock=clock)
    assert (await many.of("t.c", dim=DIM))[0, 0] == 1
    clock.now_s = 1.5 * TTL_S
    store.open.clear()
    assert (await many.of("t.c", dim=DIM))[0, 0] == 1
    assert (await many.of("t.c", dim=DIM))[0, 0] == 1
    store.open.set()

    async def renewed() -> bool:
        return bool((await many.of("t.c", dim=DIM))[0, 0] == 2)

    await eventually(renewed)
    assert store.draws == 2
    await many.close()


async def test_a_sample_that_is_too_old_is_drawn_anew_and_what_goes_wrong_is_told() -> None:
    store, clock = Store(count=3), Clock()
    many = Backgrounds(store, clock=clock)
    assert (await many.of("t.c", dim=DIM)).shape == (3, DIM)
    clock.now_s = 3 * SMALL_TTL_S
    assert (await many.of("t.c", dim=DIM))[0, 0] == 2
    clock.now_s = 6 * SMALL_TTL_S
    store.away = True
    with pytest.raises(StoreAway):
        await many.of("t.c", dim=DIM)


async def test_a_collection_made_anew_with_another_dimension_is_drawn_anew() -> None:
    many = Backgrounds(Store(count=0))
    assert (await many.of("t.c", dim=DIM)).shape == (0, DIM)
    assert (await many.of("t.c", dim=2 * DIM)).shape == (0, 2 * DIM)
