"""Durations in fixed buckets: none is lost, and what is told of many is near the truth."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.histogram import BOUNDS_MS, BUCKETS, bucket_of, counts_of, quantile_ms, quantiles
from tests.shared.examples import some

durations = st.lists(st.floats(1.0, 900_000.0), min_size=1, max_size=200)


def counted(values: list[float]) -> list[int]:
    counts = [0] * BUCKETS
    for value in values:
        counts[bucket_of(value)] += 1
    return counts


@some
@given(value=st.floats(0, 10**9))
def test_every_duration_has_one_bucket_whose_bounds_hold_it(value: float) -> None:
    bucket = bucket_of(value)
    assert bucket == len(BOUNDS_MS) or value <= BOUNDS_MS[bucket]
    assert bucket == 0 or value > BOUNDS_MS[bucket - 1]


@some
@given(values=durations, share=st.sampled_from([0.5, 0.95, 0.99]))
def test_a_quantile_lies_in_the_bucket_of_the_true_one(values: list[float], share: float) -> None:
    told = quantile_ms(counted(values), share)
    exact = sorted(values)[max(0, -int(-share * len(values) // 1) - 1)]
    assert told is not None
    step = BOUNDS_MS[1] / BOUNDS_MS[0]
    assert exact / (step * 1.01) <= told <= exact * step * 1.01


@some
@given(left=durations, right=durations)
def test_histograms_of_two_times_add_up_to_that_of_both(left: list[float], right: list[float]) -> None:
    both = [a + b for a, b in zip(counted(left), counted(right), strict=True)]
    assert quantiles(both) == quantiles(counted(left + right))
    assert quantiles(both).count == len(left) + len(right)


def test_without_any_nothing_is_said() -> None:
    told = quantiles([0] * BUCKETS)
    assert (told.count, told.p50_ms, told.p95_ms, told.p99_ms) == (0, None, None, None)


def test_counters_of_a_hash_become_buckets() -> None:
    assert counts_of({"w:0": 3, "w:2": 1, "r:0": 9}, "w:")[:4] == [3, 0, 1, 0]


@pytest.mark.parametrize("ms", [2 * BOUNDS_MS[-1], 10**12])
def test_what_is_longer_than_all_bounds_is_told_as_the_last(ms: float) -> None:
    assert quantile_ms(counted([ms]), 0.5) == BOUNDS_MS[-1]
