"""Durations in fixed buckets, so that those of many minutes and processes can be added up."""

from bisect import bisect_left
from collections.abc import Mapping, Sequence

import msgspec

PER_DECADE = 5
# Upper bounds from 1 ms to 1,000 s; one more bucket takes what is longer.
BOUNDS_MS: tuple[float, ...] = tuple(round(10 ** (n / PER_DECADE), 3) for n in range(6 * PER_DECADE + 1))
BUCKETS = len(BOUNDS_MS) + 1


class Quantiles(msgspec.Struct, frozen=True, kw_only=True):
    """Of `count` durations, in milliseconds; null without any."""

    count: int
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None


def bucket_of(ms: float) -> int:
    """The bucket whose upper bound is the first that is not below the duration."""
    return bisect_left(BOUNDS_MS, ms)


def counts_of(fields: Mapping[str, int], prefix: str) -> list[int]:
    """The buckets that a counter hash keeps under `prefix`, all of them."""
    return [fields.get(f"{prefix}{bucket}", 0) for bucket in range(BUCKETS)]


def quantile_ms(counts: Sequence[int], share: float) -> float | None:
    """Within its bucket a duration is taken to lie on a straight line of the logarithmic scale; None without any."""
    total = sum(counts)
    if not total:
        return None
    wanted, below = share * total, 0
    for bucket, count in enumerate(counts):
        if count and below + count >= wanted:
            return _within(bucket, (wanted - below) / count)
        below += count
    return BOUNDS_MS[-1]


def _within(bucket: int, part: float) -> float:
    if bucket >= len(BOUNDS_MS):
        return BOUNDS_MS[-1]
    upper = BOUNDS_MS[bucket]
    lower = BOUNDS_MS[bucket - 1] if bucket else upper / 10 ** (1 / PER_DECADE)
    return float(round(lower * (upper / lower) ** part, 2))


def quantiles(counts: Sequence[int]) -> Quantiles:
    return Quantiles(
        count=sum(counts),
        p50_ms=quantile_ms(counts, 0.50),
        p95_ms=quantile_ms(counts, 0.95),
        p99_ms=quantile_ms(counts, 0.99),
    )
