"""The best chain is the one that trying all of them finds."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.tasks.chains import Candidate, Step, best_chain, ranked

times = st.integers(0, 20).map(float)


@st.composite
def candidates(draw: st.DrawFn) -> list[Candidate]:
    rows = draw(st.lists(st.tuples(times, st.integers(0, 6), st.integers(0, 8)), max_size=8))
    return [Candidate(number, score / 8, start, start + length) for number, (start, length, score) in enumerate(rows)]


def fits(items: tuple[Candidate, ...], within: list[float]) -> bool:
    pairs = zip(items, items[1:], within, strict=False)
    return all(b.start_s > a.start_s and b.start_s - a.end_s <= bound for a, b, bound in pairs)


@given(st.data(), st.integers(1, 4))
def test_the_best_chain_is_that_of_brute_force(data: st.DataObject, count: int) -> None:
    steps = [data.draw(candidates()) for _ in range(count)]
    within = data.draw(st.lists(st.integers(1, 12).map(float), min_size=count - 1, max_size=count - 1))
    possible = [items for items in product(*steps) if fits(items, within)]
    found = best_chain(steps, within)
    if not possible:
        assert found is None
        return
    assert found is not None
    assert found.items in possible
    assert found.total == pytest.approx(sum(one.score for one in found.items))
    assert found.total == pytest.approx(max(sum(one.score for one in items) for items in possible))


def test_groups_are_ranked_by_their_best_chain_and_one_is_not_true() -> None:
    def row(score: float) -> list[list[Candidate]]:
        return [[Candidate(1, score, 0.0, 1.0)], [Candidate(2, score, 2.0, 3.0)]]

    scores: list[tuple[str | int, float]] = [(1, 0.2), (True, 0.4), ("1", 0.3)]
    steps: list[Step] = [{(type(key), key): row(score)[step] for key, score in scores} for step in (0, 1)]
    del steps[1][(str, "1")]
    assert [(key, chain.total) for (_, key), chain in ranked(steps, [5.0], at_most=5)] == [(True, 0.8), (1, 0.4)]


@given(st.data(), st.integers(1, 4))
def test_the_best_groups_are_the_first_of_all(data: st.DataObject, at_most: int) -> None:
    """Groups that cannot be among them are passed over."""
    keys = [(str, name) for name in "abcdefg"]
    steps: list[Step] = [{key: found for key in keys if (found := data.draw(candidates()))} for _ in range(2)]
    everything = ranked(steps, [5.0], at_most=len(keys))
    assert len(everything) == sum(best_chain([step.get(key, []) for step in steps], [5.0]) is not None for key in keys)
    assert ranked(steps, [5.0], at_most=at_most) == everything[:at_most]
    if len(everything) >= at_most:
        least = everything[at_most - 1][1].total
        assert ranked(steps, [5.0], at_most=at_most, least=least) == everything[:at_most]
