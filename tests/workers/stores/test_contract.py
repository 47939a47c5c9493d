"""What every vector store does, whichever engine is behind it."""

import asyncio
from typing import Any

import numpy as np
import pytest

from shared.errors import CollectionNotFound, Invalid
from shared.jobs import MAX_ID
from tests.workers.stores.vectors import DIM, points, unit
from workers.stores.protocol import Point, StoredPoint, VectorQuery, VectorStore

pytestmark = pytest.mark.anyio

INDEXES = {"label": "keyword", "n": "integer", "x": "float", "flag": "bool"}


async def make(store: VectorStore, name: str, *, dim: int = DIM, **meta: str) -> None:
    await store.create(name, dim=dim, indexes=INDEXES, meta=meta)


async def test_a_collection_keeps_what_it_was_made_with(store: VectorStore, name: str) -> None:
    await make(store, name, model="clip-1")

    described = await store.describe(name)

    assert described.name == name
    assert (described.dim, described.count) == (DIM, 0)
    assert described.indexes == INDEXES
    assert described.meta == {"model": "clip-1"}
    assert name in await store.names()


async def test_creating_again_keeps_the_points_and_the_first_description(store: VectorStore, name: str) -> None:
    await make(store, name, model="clip-1")
    await store.upsert(name, points(range(3)))

    await make(store, name, dim=DIM * 2, model="clip-2")

    described = await store.describe(name)
    assert (described.dim, described.count, described.meta) == (DIM, 3, {"model": "clip-1"})


async def test_meta_is_merged(store: VectorStore, name: str) -> None:
    await make(store, name, model="clip-1", group_field="video")
    await store.set_meta(name, {"model": "clip-2", "note": "x"})
    assert (await store.describe(name)).meta == {"model": "clip-2", "group_field": "video", "note": "x"}


async def test_upserting_twice_stores_once_and_the_last_wins(store: VectorStore, name: str) -> None:
    await make(store, name)
    await store.upsert(name, points(range(10), seed=1, label="old"))
    await store.upsert(name, points(range(10), seed=2, label="new"))

    assert (await store.describe(name)).count == 10
    found = await store.retrieve(name, list(range(10)), vectors=True)
    assert {point.payload["label"] for point in found.values()} == {"new"}
    stored = np.stack([np.frombuffer(found[i].vector or b"", "<f4") for i in range(10)])
    np.testing.assert_allclose(stored, unit(10, seed=2), atol=1e-6)


async def test_retrieving_leaves_out_what_is_not_there(store: VectorStore, name: str) -> None:
    await make(store, name)
    await store.upsert(name, points([0, 5, MAX_ID], label="a"))

    found = await store.retrieve(name, [5, 6, MAX_ID, MAX_ID - 1])

    assert sorted(found) == [5, MAX_ID]
    assert found[5].payload == {"label": "a"}
    assert found[5].vector is None


async def test_scrolling_passes_every_point_once_in_the_order_of_ids(store: VectorStore, name: str) -> None:
    await make(store, name)
    ids = [MAX_ID, 0, 7, 3, 12, 5]
    await store.upsert(name, points(ids, label="a"))

    found: list[StoredPoint] = []
    last: int | None = None
    while page := await store.scroll(name, after=last, limit=4):
        assert len(page) <= 4
        found += page
        last = page[-1].id

    assert [one.id for one in found] == sorted(ids)
    assert {(one.payload["label"], one.vector) for one in found} == {("a", None)}
    assert await store.scroll(name, after=MAX_ID, limit=4) == []


async def test_a_generation_of_a_collection_is_one_of_its_own(store: VectorStore, name: str) -> None:
    await make(store, name)
    await make(store, f"{name}.12")
    await store.upsert(f"{name}.12", points(range(2)))
    assert {name, f"{name}.12"} <= set(await store.names())
    assert ((await store.describe(name)).count, (await store.describe(f"{name}.12")).count) == (0, 2)
    for bad in (f"{name}.0", f"{name}.1.2", f"{name}.", f"{name}.a"):
        with pytest.raises(Invalid):
            await store.describe(bad)


async def test_payloads_come_back_as_they_were(store: VectorStore, name: str) -> None:
    payload: dict[str, Any] = {
        "text": "żółć 🐈", "n": 2**53 - 1, "negative": -(2**63), "x": 0.1, "none": None, "flag": True,
        "list": [1, "a", None, [2]], "nested": {"a.b": {"c": []}}, "": "empty key", "_clipline": {"source": "/a b"},
    }  # fmt: skip
    await make(store, name)
    await store.upsert(name, [Point(id=1, vector=unit(1)[0].tobytes(), payload=payload)])
    assert (await store.retrieve(name, [1]))[1].payload == payload


async def test_setting_payloads_replaces_them_and_makes_no_points(store: VectorStore, name: str) -> None:
    await make(store, name)
    await store.upsert(name, points([1, 2, 3], label="a", n=1))

    await store.set_payloads(name, {1: {"label": "b"}, 2: {}, 77: {"label": "c"}})

    found = await store.retrieve(name, [1, 2, 3, 77])
    assert {id_: point.payload for id_, point in found.items()} == {1: {"label": "b"}, 2: {}, 3: {"label": "a", "n": 1}}


async def test_deleted_points_are_gone_and_unknown_ids_are_no_error(store: VectorStore, name: str) -> None:
    await make(store, name)
    await store.upsert(name, points(range(5)))
    await store.delete(name, [1, 3, 99])
    assert sorted(await store.retrieve(name, list(range(5)))) == [0, 2, 4]
    assert (await store.describe(name)).count == 3


async def test_dropped_and_made_again_it_is_empty(store: VectorStore, name: str) -> None:
    await make(store, name)
    await store.upsert(name, points(range(5)))

    await store.drop(name)
    with pytest.raises(CollectionNotFound):
        await store.describe(name)
    await make(store, name, dim=DIM + 1)

    described = await store.describe(name)
    assert (described.count, described.dim) == (0, DIM + 1)


async def test_dropping_what_is_not_there_is_no_error(store: VectorStore, name: str) -> None:
    await store.drop(name)


async def test_every_call_on_an_unknown_collection_says_so(store: VectorStore, name: str) -> None:
    query = VectorQuery(vector=unit(1)[0].tobytes(), limit=1)
    calls = [
        store.describe(name),
        store.set_meta(name, {"a": "b"}),
        store.upsert(name, points([1])),
        store.upsert(name, []),
        store.set_payloads(name, {1: {}}),
        store.delete(name, [1]),
        store.retrieve(name, [1]),
        store.search(name, [query]),
        store.optimize(name),
    ]
    for call in calls:
        with pytest.raises(CollectionNotFound):
            await call


async def test_vectors_of_another_dimension_or_not_finite_are_refused_and_nothing_is_stored(
    store: VectorStore, name: str
) -> None:
    await make(store, name)
    nan = np.full(DIM, np.nan, "<f4").tobytes()
    for vector in (unit(1, dim=DIM + 1)[0].tobytes(), b"", b"123", nan):
        with pytest.raises(Invalid):
            await store.upsert(name, [*points([1]), Point(id=2, vector=vector, payload={})])
        with pytest.raises(Invalid):
            await store.search(name, [VectorQuery(vector=vector, limit=1)])
    assert (await store.describe(name)).count == 0


async def test_one_vector_of_another_dimension_among_many_stores_none_of_them(store: VectorStore, name: str) -> None:
    await make(store, name)
    with pytest.raises(Invalid):
        await store.upsert(name, [*points(range(2_000)), *points([5_000], dim=DIM + 1)])
    assert (await store.describe(name)).count == 0


@pytest.mark.parametrize("id_", [-1, MAX_ID + 1])
async def test_ids_that_javascript_cannot_read_are_refused(store: VectorStore, name: str, id_: int) -> None:
    await make(store, name)
    with pytest.raises(Invalid):
        await store.upsert(name, points([id_]))


@pytest.mark.parametrize("payload", [{"a": 2**70}, {"a": "\ud800"}, {"a": object()}])
async def test_payloads_that_are_no_json_are_refused(store: VectorStore, name: str, payload: dict[str, Any]) -> None:
    await make(store, name)
    with pytest.raises(Invalid):
        await store.upsert(name, [Point(id=1, vector=unit(1)[0].tobytes(), payload=payload)])
    assert (await store.describe(name)).count == 0


@pytest.mark.parametrize("bad", ["", "one", "a.b.c", "../x.y", "a./b", "A.b", ".a.b", "a.", f"{'x' * 64}.b"])
async def test_names_that_are_no_tenant_and_collection_are_refused(store: VectorStore, bad: str) -> None:
    with pytest.raises(Invalid):
        await store.create(bad, dim=DIM, indexes={}, meta={})
    with pytest.raises(Invalid):
        await store.describe(bad)


@pytest.mark.parametrize(("dim", "indexes"), [(0, {}), (65_537, {}), (4, {"a": "colour"}), (4, {"a[": "keyword"})])
async def test_collections_that_cannot_be_made_are_refused(
    store: VectorStore, name: str, dim: int, indexes: dict[str, str]
) -> None:
    with pytest.raises(Invalid):
        await store.create(name, dim=dim, indexes=indexes, meta={})
    assert name not in await store.names()


async def test_names_that_differ_in_where_the_tenant_ends_do_not_clash(store: VectorStore) -> None:
    names = ["a-b.c", "a.b-c", "a_b.c", "a.b_c", "ab.c", "a.bc"]
    for number, one in enumerate(names):
        await make(store, one)
        await store.upsert(one, points(range(number)))
    assert [(await store.describe(one)).count for one in names] == list(range(6))
    for one in names:
        await store.drop(one)


async def test_many_at_once_are_all_answered(store: VectorStore, name: str) -> None:
    await make(store, name)
    rows = unit(400)

    async def add(start: int) -> None:
        ids = range(start, start + 20)
        await store.upsert(name, [Point(id=i, vector=rows[i].tobytes(), payload={"n": i}) for i in ids])
        found = await store.search(name, [VectorQuery(vector=rows[i].tobytes(), limit=1) for i in ids])
        assert [hits[0].id for hits in found] == list(ids)

    await asyncio.gather(*(add(start) for start in range(0, 400, 20)))

    assert (await store.describe(name)).count == 400


async def test_optimizing_changes_no_answer(store: VectorStore, name: str) -> None:
    await make(store, name)
    await store.upsert(name, points(range(50)))
    query = [VectorQuery(vector=unit(1, seed=9)[0].tobytes(), limit=10)]
    [before] = await store.search(name, query)
    await store.optimize(name)
    [after] = await store.search(name, query)
    assert after.hits == before.hits


async def test_ping_answers(store: VectorStore) -> None:
    await store.ping()
