"""Which requests leave together: order, lanes, and the budget in items and tokens."""

import asyncio
from math import ceil

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


def queue_of(*entries: Entry, texts: int = 8, tokens: int = 100, halved: int = 0, parts: int = 1) -> BatchQueue:
    budget = Budget(texts=texts, images=texts, tokens=tokens, texts_halved=halved)
    queue = BatchQueue(budget, BulkLimit(1_000.0), MemoryLimit(), parts=parts)
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


def entries(count: int, lane: Lane = "interactive") -> list[Entry]:
    return [text(str(number), lane) for number in range(count)]


async def test_few_leave_together_and_many_in_halves() -> None:
    assert len(queue_of(*entries(7), texts=64, tokens=1_000, halved=8).take()) == 7
    assert len(queue_of(*entries(40), texts=64, tokens=1_000, halved=8).take()) == 20
    assert len(queue_of(*entries(40), texts=64, tokens=1_000).take()) == 40
    assert len(queue_of(*entries(40), texts=8, tokens=1_000, halved=8).take()) == 8


async def test_nobody_waits_for_bulk_work_so_it_leaves_whole() -> None:
    limit = BulkLimit(1.0)
    limit.learn("text", 100, 1.0)
    queue = BatchQueue(Budget(texts=64, images=64, tokens=1_000, texts_halved=8), limit, MemoryLimit())
    for entry in entries(40, "bulk"):
        queue.add(entry)
    assert len(queue.take()) == 40


@given(users=st.integers(16, 64), first=st.integers(1, 64))
async def test_people_who_ask_again_settle_in_two_groups_of_one_size(users: int, first: int) -> None:
    """However unequal the groups were at first; whoever is answered asks again while the next batch runs."""
    waiting = entries(users)
    queue = queue_of(*waiting[:first], texts=64, tokens=1_000, halved=8)
    others, sizes = waiting[first:], []
    for _ in range(12):
        batch = queue.take()
        for entry in others:
            queue.add(entry)
        others = [text(str(entry.content)) for entry in batch]
        sizes.append(len(batch))
        if not len(queue):
            queue.add(others.pop())
    assert {len(others), len(queue)} <= {users // 2, (users + 1) // 2}


async def test_parts_of_a_device_share_what_waits_with_what_the_others_have() -> None:
    queue = queue_of(*entries(9), texts=64, tokens=1_000, parts=2)
    first, second = queue.take(), queue.take()
    assert (len(first), len(second)) == (5, 4), "nothing is left for later while a part is free"
    queue.done(first)
    for entry in entries(8):
        queue.add(entry)
    assert len(queue.take()) == 6
    assert len(queue_of(*entries(40), texts=20, tokens=1_000, parts=2).take()) == 10, "the budget is of all parts"


async def test_bulk_work_of_other_parts_takes_nothing_from_what_somebody_waits_for() -> None:
    limit = BulkLimit(1.0)
    limit.learn("text", 100, 1.0)
    queue = BatchQueue(Budget(texts=64, images=64, tokens=1_000), limit, MemoryLimit(), parts=2)
    for entry in entries(8, "bulk"):
        queue.add(entry)
    assert len(queue.take()) == 4
    for entry in entries(3):
        queue.add(entry)
    assert len(queue.take()) == 2


@given(users=st.integers(8, 64), parts=st.integers(2, 4))
async def test_people_who_ask_again_settle_in_groups_of_one_size(users: int, parts: int) -> None:
    """One at each part, and one that reads its answers and asks again before the next part is done. However unequal
    they were at first: a part that has nothing to do takes the first that comes."""
    queue = queue_of(*entries(users), texts=10_000, tokens=10_000, parts=parts)
    away = [queue.take() for _ in range(parts) if len(queue)]
    for _ in range(20 * parts):
        done = away.pop(0)
        queue.done(done)
        if not len(queue):
            queue.add(text("the first that comes"))
            done = done[1:]
        away.append(queue.take())
        for entry in done:
            queue.add(text(str(entry.content)))
    sizes = [len(queue), *map(len, away)]
    assert sum(sizes) == users
    assert max(sizes) - min(sizes) <= parts


@given(
    lengths=st.lists(st.integers(1, 24), min_size=1, max_size=40),
    room=st.integers(1, 9),
    budget=st.integers(1, 99),
    halved=st.sampled_from([0, 2, 5]),
    parts=st.sampled_from([1, 1, 2, 3]),
)
async def test_every_text_leaves_once_in_order_within_the_budget(
    lengths: list[int], room: int, budget: int, halved: int, parts: int
) -> None:
    names = (text(str(number)) for number in range(len(lengths)))
    queue = queue_of(*names, texts=room, tokens=budget, halved=halved, parts=parts)
    left: list[Entry] = []
    while len(queue):
        while (entry := queue.next_to_prepare()) is not None:
            queue.prepared(entry, ids(lengths[int(str(entry.content))]), truncated=False)
        batch = queue.take()
        assert 1 <= len(batch) <= ceil(room / parts)
        assert len(batch) == 1 or sum(entry.length for entry in batch) <= budget // parts
        left += batch
    assert [entry.content for entry in left] == [str(number) for number in range(len(lengths))]
