"""Pages made by excluding what was shown: nothing twice, nothing skipped, on every store."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.filters import Condition, Filter, Range
from tests.workers.stores.conftest import fresh_name
from tests.workers.stores.vectors import DIM, points, unit
from workers.stores.plan import EXACT_UP_TO, PROMISED_RECALL
from workers.stores.protocol import Point, VectorQuery, VectorStore
from workers.stores.qdrant_edge import QdrantEdgeStore

pytestmark = pytest.mark.anyio

COUNT = 300


@pytest.fixture(scope="module")
async def filled(store: VectorStore) -> str:
    """Points whose `n` is their id, in five groups."""
    name = fresh_name()
    await store.create(name, dim=DIM, indexes={"n": "integer", "g": "integer"}, meta={})
    rows = unit(COUNT)
    await store.upsert(
        name, [Point(id=i, vector=rows[i].tobytes(), payload={"n": i, "g": i % 5}) for i in range(COUNT)]
    )
    return name


@given(
    seed=st.integers(1, 1_000),
    least=st.integers(0, COUNT),
    hidden=st.lists(st.integers(0, COUNT), max_size=100),
    groups=st.lists(st.integers(0, 5), max_size=2),
    limits=st.lists(st.integers(1, 40), min_size=50, max_size=50),
)
@settings(max_examples=8, deadline=None)
async def test_fifty_pages_are_the_ranking_cut_in_pieces(
    store: VectorStore, filled: str, seed: int, least: int, hidden: list[int], groups: list[int], limits: list[int]
) -> None:
    [vector] = unit(1, seed=seed)
    scores = unit(COUNT) @ vector
    eligible = [i for i in range(least, COUNT) if i not in hidden and i % 5 not in groups]
    ranking = sorted(eligible, key=lambda i: -scores[i])
    shown: list[int] = []
    for limit in limits:
        query = VectorQuery(
            vector=vector.tobytes(),
            limit=limit,
            filter=Filter(must=[Condition(key="n", range=Range(gte=least))]),
            exclude_ids=[*hidden, *shown],
            exclude_field="g",
            exclude_groups=groups,
        )
        [page] = await store.search(filled, [query])
        assert len(page) == min(limit, len(ranking) - len(shown))
        shown += [hit.id for hit in page]
        if not page.hits:
            break
    assert len(set(shown)) == len(shown)
    np.testing.assert_allclose(scores[shown], scores[ranking[: len(shown)]], atol=1e-5)


@pytest.mark.slow
async def test_fifty_pages_through_a_graph_repeat_nothing_and_keep_the_promise(
    edge: QdrantEdgeStore, name: str
) -> None:
    # Of so many numbers a scan takes longer than a walk on any CPU.
    count, dim, limit = EXACT_UP_TO + 2_000, 128, 40
    await edge.create(name, dim=dim, indexes={}, meta={})
    await edge.upsert(name, points(range(count), dim=dim))
    await edge.optimize(name)
    [vector] = unit(1, dim=dim, seed=7)
    ranking = np.argsort(-(unit(count, dim=dim) @ vector))
    shown: list[int] = []
    plans, shares = set(), []
    for page in range(50):
        query = VectorQuery(vector=vector.tobytes(), limit=limit, exclude_ids=shown, payload=page % 2 == 0)
        [answer] = await edge.search(name, [query])
        assert len(answer) == limit
        assert all((hit.payload is None) == (page % 2 == 1) for hit in answer)
        wanted = [one for one in ranking.tolist() if one not in set(shown)][:limit]
        shares.append(len({hit.id for hit in answer} & set(wanted)) / limit)
        shown += [hit.id for hit in answer]
        plans.add(answer.plan)
    assert len(set(shown)) == 50 * limit
    assert np.mean(shares) >= PROMISED_RECALL
    assert plans - {"exact"}
