"""Counting values and reading in order equal brute force, over every store."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import Invalid
from shared.filters import Filter, moment
from shared.jobs import FacetValue
from tests.workers.stores.conftest import fresh_name
from tests.workers.stores.filtering import INDEXES, filters, passes, payloads, values_at
from tests.workers.stores.vectors import DIM, unit
from workers.stores.protocol import FacetQuery, OrderQuery, Point, VectorStore

pytestmark = pytest.mark.anyio

COUNTED = ("label", "n", "flag", "tags")

worlds = st.lists(payloads, max_size=30).map(
    lambda some: [
        Point(id=id_, vector=row.tobytes(), payload=payload)
        for id_, (payload, row) in enumerate(zip(some, unit(len(some)), strict=True))
    ]
)


@pytest.fixture(scope="module")
async def reused(store: VectorStore) -> str:
    """One collection for all examples, each of which takes its points out again."""
    name = fresh_name()
    await store.create(name, dim=DIM, indexes={**INDEXES, "tags": "keyword"}, meta={})
    return name


@given(world=worlds, filter_=st.none() | filters())
@settings(max_examples=30, deadline=None)
async def test_counts_equal_brute_force(
    store: VectorStore, reused: str, world: list[Point], filter_: Filter | None
) -> None:
    queries = [FacetQuery(field=field, limit=50, filter=filter_) for field in COUNTED]
    try:
        await store.upsert(reused, world)
        counted = await store.facets(reused, queries)
    finally:
        await store.delete(reused, [point.id for point in world])
    kept = [point.payload for point in world if passes(filter_ or Filter(), point.payload)]
    for query, values in zip(queries, counted, strict=True):
        # A value that stands twice in a list is one item's.
        wanted = Counter(value for payload in kept for value in {*values_at(payload, query.field)})
        assert {one.value: one.count for one in values} == wanted
        # Those of one field are of one type.
        ranked: list[Any] = [(-one.count, one.value) for one in values]
        assert ranked == sorted(ranked)
        assert all(type(one.value) is type(next(key for key in wanted if key == one.value)) for one in values)


@given(world=worlds, filter_=filters(), descending=st.booleans(), limit=st.integers(1, 40))
@settings(max_examples=30, deadline=None)
async def test_order_equals_brute_force(
    store: VectorStore, reused: str, world: list[Point], filter_: Filter, descending: bool, limit: int
) -> None:
    read = {"n": int, "x": float}
    try:
        await store.upsert(reused, world)
        for field, number in read.items():
            query = OrderQuery(filter=filter_, order=field, limit=limit, descending=descending)
            found = await store.ordered(reused, query)
            values = [
                number(point.payload[field])
                for point in world
                if field in point.payload and passes(filter_, point.payload)
            ]
            assert [one.payload[field] for one in found] == sorted(values, reverse=descending)[:limit]
            assert len({one.id for one in found}) == len(found)
    finally:
        await store.delete(reused, [point.id for point in world])


async def test_moments_are_read_in_order(store: VectorStore, reused: str) -> None:
    moments = ["2026-01-02", "2026-01-01T23:30:00-01:00", "2026-01-01T12:00:00Z"]
    world = [Point(id=id_, vector=unit(1)[0].tobytes(), payload={"taken": at}) for id_, at in enumerate(moments)]
    try:
        await store.upsert(reused, world)
        found = await store.ordered(reused, OrderQuery(filter=Filter(), order="taken", limit=9))
    finally:
        await store.delete(reused, [point.id for point in world])
    assert [one.payload["taken"] for one in found] == sorted(moments, key=moment)


async def test_only_a_fit_index_counts_and_orders(store: VectorStore, reused: str) -> None:
    for field in ("x", "taken", "title", "undeclared"):
        with pytest.raises(Invalid):
            await store.facets(reused, [FacetQuery(field=field, limit=1)])
    for field in ("label", "flag", "title", "undeclared"):
        with pytest.raises(Invalid):
            await store.ordered(reused, OrderQuery(filter=Filter(), order=field, limit=1))


async def test_the_most_frequent_values_are_kept(store: VectorStore, name: str) -> None:
    await store.create(name, dim=DIM, indexes={"label": "keyword"}, meta={})
    rows = unit(60)
    labels = [f"v{n}" for n in range(10) for _ in range(n + 1)]
    await store.upsert(
        name,
        [Point(id=n, vector=rows[n].tobytes(), payload={"label": label}) for n, label in enumerate(labels)],
    )
    [values] = await store.facets(name, [FacetQuery(field="label", limit=3)])
    assert values == [FacetValue(value=f"v{n}", count=n + 1) for n in (9, 8, 7)]
