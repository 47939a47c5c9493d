"""The planner: exact where a graph would lose results, the graph where a scan would take long."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.filters import Condition, Filter
from workers.stores.plan import (
    EXACT,
    EXACT_UP_TO,
    EXACT_WHEN_NARROWED_UP_TO,
    MANY_EXCLUSIONS,
    MAX_EF,
    fell_short,
    plan,
)
from workers.stores.protocol import VectorQuery

FILTER = Filter(must=[Condition(key="label", match="a")])
MANY = list(range(MANY_EXCLUSIONS))


def query(limit: int = 24, filter_: Filter | None = None, exclude_ids: tuple[int, ...] = ()) -> VectorQuery:
    return VectorQuery(vector=b"", limit=limit, filter=filter_, exclude_ids=exclude_ids)


narrowed = pytest.mark.parametrize(
    "narrow",
    [
        query(filter_=FILTER),
        query(exclude_ids=tuple(MANY)),
        VectorQuery(vector=b"", limit=1, exclude_field="video", exclude_groups=["v"]),
    ],
)


def test_a_small_collection_is_scanned() -> None:
    assert plan(query(), count=EXACT_UP_TO) == EXACT


def test_a_large_one_goes_through_the_graph_with_room_for_the_limit() -> None:
    chosen = plan(query(limit=1_000), count=EXACT_UP_TO + 1)
    assert not chosen.exact
    assert chosen.ef is not None
    assert chosen.ef >= 1_000


@narrowed
def test_filters_and_many_exclusions_are_scanned_up_to_a_size(narrow: VectorQuery) -> None:
    assert plan(narrow, count=EXACT_WHEN_NARROWED_UP_TO) == EXACT


@narrowed
def test_beyond_it_they_walk_through_what_does_not_pass(narrow: VectorQuery) -> None:
    chosen = plan(narrow, count=EXACT_WHEN_NARROWED_UP_TO + 1)
    assert (chosen.exact, chosen.ef, chosen.acorn) == (False, MAX_EF, True)


def test_an_empty_filter_narrows_nothing() -> None:
    assert not plan(query(filter_=Filter()), count=EXACT_UP_TO + 1).exact


@given(count=st.integers(0, 10**9), limit=st.integers(1, 1_000), found=st.integers(0, 1_000))
def test_only_an_approximate_answer_can_fall_short(count: int, limit: int, found: int) -> None:
    asked = query(limit=limit)
    chosen = plan(asked, count=count)
    assert fell_short(asked, chosen, found) == (not chosen.exact and found < limit)
