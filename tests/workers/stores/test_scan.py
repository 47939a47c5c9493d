"""Scans of the copies in 8 bits beside brute force, for any exclusions, filters and limits, and after writes."""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.filters import Condition, Filter
from shared.settings import Settings
from tests.workers.stores.conftest import edge_store
from tests.workers.stores.vectors import Matrix, points, unit
from workers.stores import edge_folder
from workers.stores.edge_collection import Collection
from workers.stores.plan import EXACT, FINE, PROMISED_RECALL, Ask, Plan
from workers.stores.protocol import Point, Scored, VectorQuery
from workers.stores.qdrant_edge import QdrantEdgeStore

NAME = "test.pictures"
DIM, COUNT, PARTS = 32, 4_000, 4


def opened(folder: Path, *, scan_copies: bool = True) -> Collection:
    about = edge_folder.Description(
        dim=DIM, indexes={"part": "integer"}, meta={}, shard="shard", scan_copies=scan_copies
    )
    edge_folder.create(folder, about)
    return Collection(NAME, folder)


def rows() -> Matrix:
    """Alike, as pictures of one kind are: many near ties for rounding to mix up."""
    vectors = unit(1, dim=DIM) + 0.5 * unit(COUNT, dim=DIM, seed=1)
    directions: Matrix = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("<f4")
    return directions


def stored() -> list[Point]:
    return [Point(id=id_, vector=row.tobytes(), payload={"part": id_ % PARTS}) for id_, row in enumerate(rows())]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    collection = opened(tmp_path_factory.mktemp("scan") / NAME)
    collection.upsert(stored())
    yield collection
    collection.close()


def ask(collection: Collection, query: VectorQuery, plan: Plan) -> list[Scored]:
    [hits] = collection.ask([Ask(query, plan)])
    return hits


def dropping(query: VectorQuery, plan: Plan, *, share: int = 1) -> Plan:
    return plan._replace(fetched=len(query.exclude_ids) + 2 * share * (plan.rescored or 0))


@st.composite
def queries(draw: st.DrawFn) -> VectorQuery:
    """Behind the nearest points, or behind others, with and without a filter; by a vector, or by examples."""
    [row] = unit(1, dim=DIM, seed=draw(st.integers(2, 1_000)))
    ranked = np.argsort(-(rows() @ row))
    if draw(st.booleans()):
        ranked = np.random.default_rng(0).permutation(ranked)
    part = draw(st.none() | st.integers(0, PARTS - 1))
    examples = [one.tobytes() for one in unit(2, dim=DIM, seed=draw(st.integers(2, 1_000)))]
    return VectorQuery(
        vector=row.tobytes(),
        limit=draw(st.sampled_from([1, 24, 100, 700])),
        filter=None if part is None else Filter(must=[Condition(key="part", match=part)]),
        exclude_ids=ranked[: draw(st.sampled_from([0, 10, 1_000, 3_900, COUNT]))].tolist(),
        positive=draw(st.sampled_from([[], examples[:1]])),
        negative=examples[1:],
        payload=draw(st.booleans()),
    )


@given(query=queries())
@settings(max_examples=60, deadline=None)
def test_a_scan_finds_what_was_promised_and_exactly_n(filled: Collection, query: VectorQuery) -> None:
    best = ask(filled, query, EXACT)
    plan = FINE[0].plan(query.limit)
    for one in (plan, dropping(query, plan, share=PARTS)):
        hits = ask(filled, query, one)
        if not hits and one.fetched is not None:
            continue
        assert len(hits) == len(best)
        assert len({hit.id for hit in hits}) == len(hits)
        assert not {hit.id for hit in hits} & set(query.exclude_ids)
        assert sum(hit.score >= best[-1].score - 1e-6 for hit in hits) >= PROMISED_RECALL * len(best)
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        if query.filter is not None:
            assert len({hit.id % PARTS for hit in hits}) <= 1


def test_a_scan_that_drops_says_when_too_few_of_the_nearest_pass(filled: Collection) -> None:
    [row] = unit(1, dim=DIM, seed=9)
    nearest = np.argsort(-(rows() @ row)).tolist()
    filled.set_payloads({id_: {"part": PARTS} for id_ in nearest[:3_000]})
    try:
        where = Filter(must=[Condition(key="part", match=0)])
        query = VectorQuery(vector=row.tobytes(), limit=24, filter=where, payload=False)
        plan = FINE[0].plan(query.limit)
        assert ask(filled, query, dropping(query, plan)) == []
        assert ask(filled, query, plan) == ask(filled, query, EXACT)
        everything = plan._replace(fetched=2 * COUNT)
        assert ask(filled, query, everything) == ask(filled, query, EXACT)
    finally:
        filled.upsert(stored())


def test_copies_follow_writes(tmp_path: Path) -> None:
    collection = opened(tmp_path / NAME)
    collection.upsert(points(range(100), dim=DIM))
    moved = unit(1, dim=DIM, seed=7)[0]
    query = VectorQuery(vector=moved.tobytes(), limit=3)
    plan = FINE[0].plan(query.limit)
    collection.upsert([Point(id=50, vector=moved.tobytes(), payload={"part": 1})])
    for one in (plan, dropping(query, plan)):
        [best, *_] = ask(collection, query, one)
        assert (best.id, best.payload) == (50, {"part": 1})
    collection.delete([50])
    for one in (plan, dropping(query, plan)):
        assert 50 not in {hit.id for hit in ask(collection, query, one)}
    collection.close()
    again = Collection(NAME, tmp_path / NAME)
    assert [hit.id for hit in ask(again, query, plan)] == [hit.id for hit in ask(again, query, EXACT)]
    again.close()


def test_a_collection_from_before_there_were_copies_goes_on_without(tmp_path: Path) -> None:
    opened(tmp_path / NAME, scan_copies=False).close()
    path = tmp_path / NAME / edge_folder.DESCRIPTION
    told = msgspec.json.decode(path.read_bytes())
    del told["scan_copies"]
    path.write_bytes(msgspec.json.encode(told))

    collection = Collection(NAME, tmp_path / NAME)
    collection.upsert(points(range(100), dim=DIM))
    query = VectorQuery(vector=unit(1, dim=DIM)[0].tobytes(), limit=1)
    situation = collection._situation(query, collection._passing.of(query))
    assert not situation.copies
    [answer] = collection.search([query])
    assert (len(answer), answer.plan) == (1, "exact")
    collection.close()


@pytest.mark.anyio
@pytest.mark.parametrize("scan_copies", [True, False])
async def test_new_collections_have_copies_unless_a_setting_says_otherwise(tmp_path: Path, scan_copies: bool) -> None:
    store = QdrantEdgeStore(Settings(data_dir=str(tmp_path), scan_copies=scan_copies))
    await store.start()
    await store.create(NAME, dim=DIM, indexes={}, meta={})
    await store.close()
    folder = Settings(data_dir=str(tmp_path)).store_path / NAME
    assert edge_folder.read_description(folder).scan_copies == scan_copies
    async with edge_store(tmp_path) as other:
        await other.upsert(NAME, points([1], dim=DIM))
        [answer] = await other.search(NAME, [VectorQuery(vector=unit(1, dim=DIM)[0].tobytes(), limit=5)])
        assert len(answer) == 1
