"""How many points there are and pass a filter, as the planner is told: the same as the engine says now."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.filters import Condition, Filter
from tests.workers.stores.vectors import DIM, points, unit
from workers.stores import edge_folder
from workers.stores.edge_collection import Collection
from workers.stores.edge_passing import MAX_BYTES, MAX_FILTERS, Passing
from workers.stores.protocol import VectorQuery

NAME = "test.pictures"
PARTS = 3


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collection]:
    folder = tmp_path_factory.mktemp("passing") / NAME
    about = edge_folder.Description(dim=DIM, indexes={"n": "integer"}, meta={}, shard="shard")
    edge_folder.create(folder, about)
    one = Collection(NAME, folder)
    yield one
    one.close()


def query(part: int | None, groups: list[int]) -> VectorQuery:
    where = None if part is None else Filter(must=[Condition(key="n", match=part)])
    return VectorQuery(
        vector=unit(1)[0].tobytes(), limit=1, filter=where, exclude_field="n" if groups else None, exclude_groups=groups
    )


queries = st.builds(query, st.none() | st.integers(0, PARTS), st.lists(st.integers(0, PARTS), max_size=2, unique=True))
ids = st.lists(st.integers(0, 30), min_size=1, max_size=8, unique=True)
writes = st.one_of(
    st.tuples(st.just("upsert"), ids, st.integers(0, PARTS)),
    st.tuples(st.just("set_payloads"), ids, st.integers(0, PARTS)),
    st.tuples(st.just("delete"), ids, st.just(0)),
)


def write(collection: Collection, kind: str, ids: list[int], part: int) -> None:
    if kind == "upsert":
        collection.upsert(points(ids, n=part))
    elif kind == "set_payloads":
        collection.set_payloads({id_: {"n": part} for id_ in ids})
    else:
        collection.delete(ids)


@given(steps=st.lists(st.tuples(writes, st.lists(queries, min_size=1, max_size=3)), min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_after_any_write_the_engine_is_asked_again(
    collection: Collection, steps: list[tuple[tuple[str, list[int], int], list[VectorQuery]]]
) -> None:
    for change, asked in steps:
        for one in asked:
            collection._passing.of(one)
        write(collection, *change)
        now = Passing(collection._shard)
        for one in asked:
            where = collection._situation(one, collection._passing.of(one))
            assert (where.points, where.passing) == (now.count, now.of(one).passing)


def test_filters_are_bounded(tmp_path: Path) -> None:
    folder = tmp_path / NAME
    about = edge_folder.Description(dim=DIM, indexes={"n": "integer"}, meta={}, shard="shard")
    edge_folder.create(folder, about)
    one = Collection(NAME, folder)
    for part in range(2 * MAX_FILTERS):
        one._passing.of(query(part, []))
    assert len(one._passing._passing) == MAX_FILTERS
    one.close()


def test_a_filter_of_thousands_of_groups_is_asked_about_and_not_kept(tmp_path: Path) -> None:
    folder = tmp_path / NAME
    about = edge_folder.Description(dim=DIM, indexes={"n": "integer"}, meta={}, shard="shard")
    edge_folder.create(folder, about)
    one = Collection(NAME, folder)
    one.upsert([*points(range(10), n=1), *points(range(10, 14), n=MAX_BYTES)])
    assert one._passing.of(query(None, list(range(MAX_BYTES)))).passing == 4
    assert len(one._passing._passing) == 0
    one.close()
