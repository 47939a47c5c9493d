"""Grouping gives exactly the groups that brute force gives."""

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from shared.filters import Condition, Filter
from shared.jobs import GroupKey, Query, Search
from tests.workers.tasks.stack import Stack
from workers.stores.protocol import Point, VectorQuery
from workers.tasks.groups import search_groups

pytestmark = pytest.mark.anyio

DIM = 16
MISSING = "missing"
# One and true, a word and a number that read alike, lists, nothing at all.
keys = st.sampled_from(["a", "b", "c", "1", 1, 2, True, None, 1.5, ["a"], {"deep": "a"}, MISSING])
some = settings(
    max_examples=25,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def payload_of(key: Any, number: int) -> dict[str, Any]:
    return {"n": number} if key == MISSING else {"n": number, "g": key, "in": {"side": key}}


def unit(random: np.random.Generator, count: int) -> Any:
    vectors = random.normal(size=(count, DIM)).astype("<f4")
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


async def fill(stack: Stack, stored: str, vectors: Any, found: list[Any]) -> None:
    await stack.parts.store.drop(stored)
    await stack.parts.store.create(stored, dim=DIM, indexes={"g": "keyword"}, meta={})
    points = [
        Point(id=number, vector=vectors[number].tobytes(), payload=payload_of(key, number))
        for number, key in enumerate(found)
    ]
    await stack.parts.store.upsert(stored, points)


def brute_force(order: list[int], found: list[Any], *, size: int) -> dict[tuple[type, GroupKey], list[int]]:
    groups: dict[tuple[type, GroupKey], list[int]] = {}
    for number in order:
        key = found[number]
        if isinstance(key, str | int) and key != MISSING:
            groups.setdefault((type(key), key), []).append(number)
    return {key: members[:size] for key, members in groups.items()}


@some
@given(
    found=st.lists(keys, min_size=1, max_size=60),
    seed=st.integers(0, 2**32 - 1),
    limit=st.integers(1, 8),
    size=st.integers(1, 4),
    field=st.sampled_from(["g", "in.side"]),
    excluded=st.sets(st.integers(0, 59), max_size=5),
    most=st.none() | st.integers(0, 60),
)
async def test_groups_are_those_of_brute_force(
    stack: Stack,
    found: list[Any],
    seed: int,
    limit: int,
    size: int,
    field: str,
    excluded: set[int],
    most: int | None,
) -> None:
    vectors = unit(np.random.default_rng(seed), len(found) + 1)
    await fill(stack, "t.groups", vectors, found)
    where = None if most is None else Filter(must=[Condition(key="n", match=list(range(most + 1)))])
    query = VectorQuery(vector=vectors[-1].tobytes(), limit=limit, filter=where, exclude_ids=sorted(excluded))
    job = Search(collection="groups", query=Query(text="-"), group_by=field, group_size=size)
    rows, *_ = await search_groups("t.groups", query, job=job, store=stack.parts.store)

    scores = vectors[:-1] @ vectors[-1]
    passing = [n for n in range(len(found)) if n not in excluded and (most is None or n <= most)]
    wanted = brute_force(sorted(passing, key=lambda n: -scores[n]), found, size=size)
    told = {(type(key), key): [hit.id for hit in hits] for key, hits in rows}
    assert told == dict(list(wanted.items())[:limit])


async def test_a_group_that_fills_many_pages_does_not_hide_the_others(stack: Stack) -> None:
    vectors = unit(np.random.default_rng(5), 601)
    nearest = np.argsort(-(vectors[:-1] @ vectors[-1]))
    found: list[Any] = [""] * 600
    for place, number in enumerate(nearest):
        found[number] = "crowd" if place < 500 else MISSING if place < 590 else f"g{place}"
    await fill(stack, "t.crowd", vectors, found)
    job = Search(collection="crowd", query=Query(text="-"), group_by="g", group_size=2)
    query = VectorQuery(vector=vectors[-1].tobytes(), limit=11)
    rows, *_ = await search_groups("t.crowd", query, job=job, store=stack.parts.store)
    assert [key for key, _ in rows] == ["crowd", *(f"g{place}" for place in range(590, 600))]
    assert [len(hits) for _, hits in rows] == [2] + [1] * 10


async def test_large_groups_and_thousands_of_seen_items_take_few_rounds(stack: Stack) -> None:
    """Thirty groups of a hundred that lie one behind the other, and two thousand seen items before them."""
    vectors = unit(np.random.default_rng(6), 5_201)
    nearest = np.argsort(-(vectors[:-1] @ vectors[-1])).tolist()
    found: list[Any] = [MISSING] * 5_200
    for place, number in enumerate(nearest[2_000:5_000]):
        found[number] = f"g{place // 100}"
    await fill(stack, "t.large", vectors, found)
    job = Search(collection="large", query=Query(text="-"), group_by="g", group_size=3)
    query = VectorQuery(vector=vectors[-1].tobytes(), limit=31, exclude_ids=nearest[:2_000], payload=False)
    rows, _, rounds = await search_groups("t.large", query, job=job, store=stack.parts.store)
    assert [key for key, _ in rows] == [f"g{number}" for number in range(30)]
    assert [[hit.id for hit in hits] for _, hits in rows] == [nearest[at : at + 3] for at in range(2_000, 5_000, 100)]
    assert all(hit.payload is None for _, hits in rows for hit in hits)
    assert rounds <= 12


async def test_a_search_by_group_counts_groups_and_says_when_none_is_left(stack: Stack) -> None:
    collection = await stack.create(group_field="video")
    files = [stack.file(f"g{number}.png", seed=number, payload={"video": number % 5}) for number in range(20)]
    await stack.ingest(collection, files)
    for limit, exhausted in [(4, False), (5, True), (6, True)]:
        result = await stack.search(collection, Query(text="cat"), group_by="video", limit=limit, group_size=2)
        assert result.groups is not None
        assert result.hits is None
        assert len({group.group for group in result.groups}) == min(limit, 5)
        assert [len(group.hits) for group in result.groups] == [2] * min(limit, 5)
        assert result.exhausted == exhausted
        best = [group.hits[0].score for group in result.groups]
        assert best == sorted(best, reverse=True)
        assert all((hit.payload or {})["video"] == group.group for group in result.groups for hit in group.hits)


async def test_a_field_that_no_item_has_gives_no_groups(stack: Stack) -> None:
    collection = await stack.create()
    await stack.ingest(collection, [stack.file(f"n{number}.png") for number in range(3)])
    result = await stack.search(collection, Query(text="cat"), group_by="video")
    assert (result.groups, result.exhausted) == ([], True)
