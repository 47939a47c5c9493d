"""Which requests leave together: order, lanes, and the budget in items and tokens."""

import asyncio

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.jobs import Lane
from workers.batch_queue import BatchQueue, Entry, text_length
from workers.batches import Budget, BulkLimit, MemoryLimit
from workers.encoders.protocol import Tokens

pytestmark = pytest.mark.anyio


def ids(length: int, *, context: int = 24) -> Tokens:
    tokens = np.zeros(context, dtype=np.int64)
    tokens[:length] = np.arange(1, length + 1)
    return tokens


def text(name: str, lane: Lane = "interactive") -> Entry:
    loop = asyncio.get_running_loop()
    return Entry("text", name, lane, loop, loop.create_future(), 0.0, None)


def queue_of(*entries: Entry, texts: int = 8, tokens: int = 100) -> BatchQueue:
    queue = BatchQueue(Budget(texts=texts, images=texts, tokens=tokens), BulkLimit(1_000.0), MemoryLimit())
    for entry in entries:
        queue.add(entry)
    return queue


def prepare(queue: BatchQueue, *lengths: int) -> None:
    for length in lengths:
        entry = queue.next_to_prepare()
        assert entry is not None
        queue.prepared(entry, ids(length), truncated=False)


@given(length=st.sampled_from([*range(1, 23), 24]))
def test_a_text_is_as_long_as_its_ids_before_the_padding(length: int) -> None:
    assert text_length(ids(length)) == length
    assert text_length(ids(23)) == 24, "one padded id cannot be told from a full context"


async def test_a_batch_ends_before_the_text_that_does_not_fit_and_passes_nobody_by() -> None:
    names = ["a", "b", "long", "c"]
    queue = queue_of(*map(text, names), tokens=30)
    prepare(queue, 10, 10, 20, 5)
    assert [entry.content for entry in queue.take()] == ["a", "b"]
    assert [entry.content for entry in queue.take()] == ["long", "c"]


async def test_a_text_longer_than_the_budget_goes_alone() -> None:
    queue = queue_of(text("long"), text("b"), tokens=10)
    prepare(queue, 24, 2)
    assert [entry.content for entry in queue.take()] == ["long"]
    assert len(queue.take()) == 1


async def test_equal_texts_cost_once() -> None:
    queue = queue_of(*(text("same") for _ in range(6)), tokens=12)
    prepare(queue, *[10] * 6)
    assert len(queue.take()) == 6


async def test_no_more_than_one_batch_is_prepared_ahead() -> None:
    queue = queue_of(*(text(str(number)) for number in range(5)), texts=2)
    prepare(queue, 3, 3)
    assert queue.next_to_prepare() is None
    assert len(queue.take()) == 2
    prepare(queue, 3, 3)
    assert queue.next_to_prepare() is None


async def test_what_was_dropped_or_taken_is_not_prepared_any_more() -> None:
    gone, taken, late = text("gone"), text("taken"), text("late")
    queue = queue_of(gone, taken, texts=1)
    gone.future.cancel()
    assert queue.drop_cancelled() == 1
    assert queue.take() == [taken]
    queue.prepared(taken, ids(3), truncated=False)
    assert taken.tokens is None
    queue.add(late)
    assert queue.next_to_prepare() is late


async def test_bulk_batches_are_as_large_as_their_time_allows() -> None:
    limit = BulkLimit(0.05)
    queue = BatchQueue(Budget(texts=64, images=64, tokens=10_000), limit, MemoryLimit())
    for _ in range(60):
        limit.learn("text", 10, 0.1)
    for number in range(20):
        queue.add(text(str(number), "bulk"))
    assert len(queue.take()) == 5


@given(lengths=st.lists(st.integers(1, 24), min_size=1, max_size=40), room=st.integers(1, 9), budget=st.integers(1, 99))
async def test_every_text_leaves_once_in_order_within_the_budget(lengths: list[int], room: int, budget: int) -> None:
    queue = queue_of(*(text(str(number)) for number in range(len(lengths))), texts=room, tokens=budget)
    left: list[Entry] = []
    while len(queue):
        while (entry := queue.next_to_prepare()) is not None:
            queue.prepared(entry, ids(lengths[int(str(entry.content))]), truncated=False)
        batch = queue.take()
        assert 1 <= len(batch) <= room
        assert len(batch) == 1 or sum(entry.length for entry in batch) <= budget
        left += batch
    assert [entry.content for entry in left] == [str(number) for number in range(len(lengths))]
