"""Searching equals brute force, up to ties, for any points, filters, exclusions and limits."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import Invalid
from shared.filters import Condition, Filter, TextMatch
from tests.workers.stores import filtering
from tests.workers.stores.conftest import fresh_name
from tests.workers.stores.filtering import INDEXES, filters, numbers, payloads, values_at, words
from tests.workers.stores.vectors import DIM, Matrix, points, unit
from workers.stores.protocol import Answer, Point, VectorQuery, VectorStore
from workers.stores.qdrant_edge import QdrantEdgeStore

pytestmark = pytest.mark.anyio


def passes(query: VectorQuery, point: Point) -> bool:
    return (
        filtering.passes(query.filter or Filter(), point.payload)
        and point.id not in query.exclude_ids
        and not (
            query.exclude_field
            and {*values_at(point.payload, query.exclude_field)} & {*query.exclude_groups}
        )
    )  # fmt: skip


def check(query: VectorQuery, stored: list[Point], hits: Answer) -> None:
    """`hits` are a best answer: as many as there can be, each passes, and the scores are the highest ones."""
    vector = np.frombuffer(query.vector, "<f4")
    scores = {one.id: float(np.frombuffer(one.vector, "<f4") @ vector) for one in stored if passes(query, one)}
    best = sorted(scores.values(), reverse=True)[: query.limit]
    assert len(hits) == len(best)
    assert len({hit.id for hit in hits}) == len(hits)
    np.testing.assert_allclose([hit.score for hit in hits], best, atol=1e-5)
    np.testing.assert_allclose([hit.score for hit in hits], [scores[hit.id] for hit in hits], atol=1e-5)
    kept = {one.id: one.payload for one in stored}
    assert [hit.payload for hit in hits] == [kept[hit.id] if query.payload else None for hit in hits]


@st.composite
def worlds(draw: st.DrawFn) -> tuple[list[Point], list[VectorQuery]]:
    ids = draw(st.lists(st.integers(0, 2**53 - 1) | st.integers(0, 60), max_size=40, unique=True))
    rows = unit(len(ids) + 3, seed=draw(st.integers(0, 2**16)))
    stored = [
        Point(id=id_, vector=row.tobytes(), payload=draw(payloads))
        for id_, row in zip(ids, rows, strict=False)
    ]  # fmt: skip
    return stored, [draw(queries(row, ids)) for row in rows[len(ids) :]]


@st.composite
def queries(draw: st.DrawFn, row: Matrix, ids: list[int]) -> VectorQuery:
    by_group = draw(st.sampled_from([None, "label", "n", "deep.odd key"]))
    group = numbers if by_group == "n" else words
    return VectorQuery(
        vector=row.tobytes(),
        limit=draw(st.integers(1, 50)),
        filter=draw(st.none() | filters()),
        exclude_ids=draw(st.lists(st.sampled_from([*ids, 61, 62]), max_size=10)),
        exclude_field=by_group,
        exclude_groups=draw(st.lists(group, max_size=2)) if by_group else [],
        payload=draw(st.booleans()),
    )


@pytest.fixture(scope="module")
async def reused(store: VectorStore) -> str:
    """One collection for all examples, each of which takes its points out again."""
    name = fresh_name()
    await store.create(name, dim=DIM, indexes=INDEXES, meta={})
    return name


@given(world=worlds())
@settings(max_examples=60, deadline=None)
async def test_results_equal_brute_force(
    store: VectorStore, reused: str, world: tuple[list[Point], list[VectorQuery]]
) -> None:
    stored, asked = world
    try:
        await store.upsert(reused, stored)
        answers = await store.search(reused, asked)
        assert (await store.describe(reused)).count == len(stored)
    finally:
        await store.delete(reused, [point.id for point in stored])
    for query, hits in zip(asked, answers, strict=True):
        check(query, stored, hits)


async def test_no_queries_give_no_answers(store: VectorStore, name: str) -> None:
    await store.create(name, dim=DIM, indexes={}, meta={})
    assert await store.search(name, []) == []


async def test_a_large_batch_is_answered_in_order(store: VectorStore, name: str) -> None:
    rows = unit(150)
    await store.create(name, dim=DIM, indexes={}, meta={})
    await store.upsert(name, points(range(150)))
    answers = await store.search(name, [VectorQuery(vector=row.tobytes(), limit=1) for row in rows])
    assert [hits[0].id for hits in answers] == list(range(150))


async def test_thousands_of_excluded_ids_leave_exactly_the_others(store: VectorStore, name: str) -> None:
    await store.create(name, dim=DIM, indexes={}, meta={})
    await store.upsert(name, points(range(3_000)))
    query = VectorQuery(vector=unit(1, seed=5)[0].tobytes(), limit=100, exclude_ids=list(range(2_950)))
    [hits] = await store.search(name, [query])
    assert {hit.id for hit in hits} == set(range(2_950, 3_000))


@pytest.mark.parametrize("key", ["a[", "a..b", 'x"y', ".", "[]", "tags[x]"])
async def test_a_key_that_names_no_field_is_invalid(store: VectorStore, name: str, key: str) -> None:
    await store.create(name, dim=DIM, indexes={}, meta={})
    filter_ = Filter(must=[Condition(key=key, match="a")])
    with pytest.raises(Invalid):
        await store.search(name, [VectorQuery(vector=unit(1)[0].tobytes(), limit=1, filter=filter_)])


async def test_a_value_beyond_64_bits_and_groups_without_a_field_are_invalid(store: VectorStore, name: str) -> None:
    await store.create(name, dim=DIM, indexes={}, meta={})
    vector = unit(1)[0].tobytes()
    filter_ = Filter(must=[Condition(key="n", match=2**63)])
    for query in (
        VectorQuery(vector=vector, limit=1, filter=filter_),
        VectorQuery(vector=vector, limit=1, exclude_groups=["a"]),
    ):
        with pytest.raises(Invalid):
            await store.search(name, [query])


async def test_examples_are_compared_one_by_one(store: VectorStore, name: str) -> None:
    rows = unit(40)
    await store.create(name, dim=DIM, indexes={}, meta={})
    await store.upsert(name, points(range(40)))
    good, bad = rows[:2], rows[2:4]
    query = VectorQuery(
        vector=bytes(4 * DIM),
        positive=[row.tobytes() for row in good],
        negative=[row.tobytes() for row in bad],
        exclude_ids=list(range(4)),
        limit=36,
    )
    [hits] = await store.search(name, [query])
    nearest = {hit.id: ((rows[hit.id] @ good.T).max(), (rows[hit.id] @ bad.T).max()) for hit in hits}
    leads = [good_one > bad_one for good_one, bad_one in nearest.values()]
    assert len(hits) == 36
    assert leads == sorted(leads, reverse=True)
    lead = [float(good_one) for good_one, bad_one in nearest.values() if good_one > bad_one]
    assert lead == sorted(lead, reverse=True)


async def test_a_sample_is_drawn_with_vectors_and_without_doubles(store: VectorStore, name: str) -> None:
    await store.create(name, dim=DIM, indexes={}, meta={})
    assert await store.sample(name, 5) == []
    await store.upsert(name, points(range(50)))
    rows = unit(50)
    drawn = await store.sample(name, 20)
    assert len({one.id for one in drawn}) == 20
    for one in drawn:
        assert np.frombuffer(one.vector or b"", "<f4") == pytest.approx(rows[one.id], abs=1e-6)
    assert len(await store.sample(name, 99)) == 50


async def test_words_are_looked_for_in_a_whole_list_where_it_is_indexed_and_else_in_each_sentence(
    edge: QdrantEdgeStore,
) -> None:
    """As docs/search.md says of fields that are declared, and of those that are not."""
    [row] = unit(1)
    said = [["red fox", "blue sky"], ["red sky"], "a sky, red"]
    stored = [Point(id=number, vector=row.tobytes(), payload={"title": one}) for number, one in enumerate(said)]
    where = Filter(must=[Condition(key="title", match=TextMatch(text="red sky"))])
    found = {}
    for name, indexes in (("t.declared", {"title": "text"}), ("t.other", dict[str, str]())):
        await edge.create(name, dim=DIM, indexes=indexes, meta={})
        await edge.upsert(name, stored)
        [answer] = await edge.search(name, [VectorQuery(vector=row.tobytes(), limit=10, filter=where)])
        found[name] = sorted(hit.id for hit in answer)
    assert found == {"t.declared": [0, 1, 2], "t.other": [1, 2]}
