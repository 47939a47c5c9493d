"""What a worker's device did between two readings of its metrics: how much of the time it worked, and at what."""

import re
from time import monotonic
from typing import NamedTuple

import httpx


class Use(NamedTuple):
    """Since the worker started: seconds that the device was busy, and the batches of texts among what it did."""

    at_s: float
    busy_s: float
    batches: float
    texts: float
    texts_s: float


def read(url: str) -> Use:
    text = httpx.get(f"{url}/metrics", timeout=30).text
    return Use(
        at_s=monotonic(),
        busy_s=_value(text, "clipline_device_busy_seconds_total"),
        batches=_value(text, 'clipline_batch_items_count{kind="text"}'),
        texts=_value(text, 'clipline_batch_items_sum{kind="text"}'),
        texts_s=_value(text, 'clipline_batch_run_seconds_sum{kind="text"}'),
    )


def between(before: Use, after: Use) -> dict[str, float]:
    """`device_busy` is a share of the time; `batch_texts` and `batch_ms` are of the mean batch of texts."""
    spent = Use(*(later - earlier for earlier, later in zip(before, after, strict=True)))
    batches = max(1.0, spent.batches)
    return {
        "device_busy": spent.busy_s / spent.at_s,
        "batch_texts": spent.texts / batches,
        "batch_ms": 1_000 * spent.texts_s / batches,
    }


def _value(text: str, name: str) -> float:
    """0 for what was not counted yet."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0
