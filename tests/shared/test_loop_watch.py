"""A loop that is held up is measured, counted, and the line that held it up is named."""

import asyncio
import json
import logging
import re
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType

import pytest

from shared.loop_watch import LoopWatch, place
from shared.metrics import LoopMeters, new_registry
from tests.workers.fleet import eventually

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def watching(slow_s: float) -> AsyncIterator[LoopWatch]:
    watch = LoopWatch(LoopMeters(new_registry()), slow_s=slow_s)
    task = asyncio.create_task(watch.run())
    try:
        yield watch
    finally:
        task.cancel()


def count(watch: LoopWatch, name: str) -> float:
    families = (family for meter in (watch.meters.lag, watch.meters.slow) for family in meter.collect())
    return sum(sample.value for family in families for sample in family.samples if sample.name == name)


async def test_a_loop_that_turns_is_measured() -> None:
    async with watching(3_600) as watch:
        await eventually(lambda: count(watch, "clipline_event_loop_lag_seconds_count") >= 2)
        assert count(watch, "clipline_event_loop_slow_callbacks_total") == 0
        assert watch.where is None


async def test_what_holds_the_loop_up_is_counted_and_named(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with watching(0.2) as watch:
        await eventually(lambda: count(watch, "clipline_event_loop_lag_seconds_count") >= 1)
        hold_up(1.5)
        await eventually(lambda: count(watch, "clipline_event_loop_slow_callbacks_total") >= 1)
        assert watch.longest_s >= 0.2
    assert "held up" in caplog.text
    assert watch.where is not None
    assert "test_loop_watch.py" in watch.where


def hold_up(for_s: float) -> None:
    """As a computation would: nothing else runs on this thread meanwhile."""
    ends = time.monotonic() + for_s
    while time.monotonic() < ends:
        sum(range(100))


async def test_its_thread_ends_with_it() -> None:
    def there() -> bool:
        return any(one.name == "loop-watch" for one in threading.enumerate())

    async with watching(0.1):
        await eventually(there)
    await eventually(lambda: not there())


def test_the_nearest_line_of_ours_is_told_else_the_innermost() -> None:
    assert place(None) is None
    told = place(sys._getframe())
    assert told is not None
    assert re.fullmatch(r"shared/test_loop_watch\.py:\d+ in test_the_nearest_line_of_ours_.+", told)
    foreign = place(json_frame())
    assert foreign is not None
    assert foreign.startswith("shared/test_loop_watch.py:")


def json_frame() -> FrameType:
    """A frame of the standard library, called by ours."""
    frames: list[FrameType] = []
    json.loads("{}", object_hook=lambda _: frames.append(sys._getframe(1)))
    return frames[0]
