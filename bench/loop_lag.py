"""The event loops' lag, from the histograms that API and worker export."""

import re

import httpx

BUCKET = re.compile(r'^clipline_event_loop_lag_seconds_bucket\{le="([^"]+)"\} (\S+)$', re.MULTILINE)

Counts = dict[float, float]


def read(url: str) -> Counts:
    """Cumulative counts by upper bound, in seconds."""
    text = httpx.get(f"{url}/metrics", timeout=30).text
    return {float(bound): float(count) for bound, count in BUCKET.findall(text)}


def p99_ms(before: Counts, after: Counts) -> float:
    """Of what came between two readings; within its bucket the lag is taken for evenly spread, as PromQL does."""
    grown = {bound: count - before.get(bound, 0.0) for bound, count in sorted(after.items())}
    wanted = 0.99 * max(grown.values())
    lower, below = 0.0, 0.0
    for bound, count in grown.items():
        if count >= wanted and count > below:
            share = (wanted - below) / (count - below)
            return 1000 * (lower + (bound - lower) * share) if bound != float("inf") else 1000 * lower
        lower, below = bound, count
    return float("nan")
