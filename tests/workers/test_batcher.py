import asyncio
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import EncoderAway
from shared.jobs import Lane
from tests.ticking import Clock, ticking
from tests.workers.fleet import eventually
from tests.workers.wrapped import Wrapped
from workers.batch_queue import BULK_SHARE
from workers.batcher import Batcher
from workers.batches import Budget
from workers.encoders.protocol import Encoder, Matrix, Pixels, Tokens
from workers.encoding import Embedded
from workers.stores.searches import QUERIES_AT_MOST

pytestmark = pytest.mark.anyio
DEADLINE_S = 30.0


class Panic(BaseException):
    """As libraries in Rust raise it."""


class Gated(Wrapped):
    """The real encoder behind a gate: it tells what reaches the device, and holds it there until the gate opens."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__(encoder)
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.batches: list[tuple[str, int]] = []
        self.poison: Tokens | None = None

    def encode_texts(self, tokens: Sequence[Tokens]) -> Matrix:
        self._pass("text", len(tokens))
        if self.poison is not None and any(np.array_equal(self.poison, ids) for ids in tokens):
            raise ArithmeticError("poisoned")
        return self._encoder.encode_texts(tokens)

    def encode_images(self, images: Sequence[Pixels]) -> Matrix:
        self._pass("image", len(images))
        return self._encoder.encode_images(images)

    def _pass(self, kind: str, count: int) -> None:
        self.batches.append((kind, count))
        self.entered.set()
        assert self.gate.wait(DEADLINE_S)


@asynccontextmanager
async def batching(
    encoder: Encoder, *, max_batch: int = 8, max_queued: int = 1_000, max_tokens: int = 1_000
) -> AsyncIterator[tuple[Batcher, Gated]]:
    gated = Gated(encoder)
    budget = Budget(texts=max_batch, images=max_batch, tokens=max_tokens)
    batcher = Batcher(gated, budget=budget, max_queued=max_queued)
    try:
        async with asyncio.timeout(DEADLINE_S):
            yield batcher, gated
    finally:
        gated.gate.set()
        await asyncio.to_thread(batcher.close)


async def occupy(batcher: Batcher, gated: Gated) -> "asyncio.Task[Embedded]":
    """Bring one text onto the device, which then stays busy until the gate opens."""
    task = asyncio.create_task(batcher.text("first"))
    assert await asyncio.to_thread(gated.entered.wait, DEADLINE_S)
    return task


async def queue(batcher: Batcher, texts: Sequence[str], lane: Lane = "interactive") -> "list[asyncio.Task[Embedded]]":
    tasks = [asyncio.create_task(batcher.text(text, lane=lane)) for text in texts]
    await asyncio.sleep(0)
    return tasks


def picture(encoder: Encoder, shade: int) -> Pixels:
    return encoder.preprocess(np.full((8, 8, 3), shade, np.uint8))


async def test_a_lone_request_is_a_batch_of_one(tiny_encoder: Encoder) -> None:
    async with batching(tiny_encoder) as (batcher, gated):
        gated.gate.set()
        embedded = await batcher.text("a cat")
        assert embedded.batch == 1
        assert not embedded.truncated
        np.testing.assert_allclose(
            embedded.vector, tiny_encoder.encode_texts([tiny_encoder.tokenize("a cat")[0]])[0], atol=1e-5
        )


async def test_what_waits_while_the_device_is_busy_leaves_together(tiny_encoder: Encoder) -> None:
    async with batching(tiny_encoder) as (batcher, gated):
        first = await occupy(batcher, gated)
        waiting = await queue(batcher, [f"text {number}" for number in range(11)])
        gated.gate.set()
        await asyncio.gather(first, *waiting)
        assert gated.batches == [("text", 1), ("text", 8), ("text", 3)]
        stats = batcher.stats()
        assert (stats.batches, stats.items, stats.largest, stats.queued) == (3, 12, 8, 0)
        assert stats.busy_s > 0


async def test_of_a_large_batch_as_many_go_on_in_one_turn_as_the_store_takes_in_one_call(tiny_encoder: Encoder) -> None:
    went: list[tuple[int, int]] = []

    async def one(number: int, batcher: Batcher, clock: Clock) -> None:
        await batcher.text(f"text {number}")
        went.append((number, clock.turn))

    count = 3 * QUERIES_AT_MOST + 1
    async with batching(tiny_encoder, max_batch=count, max_tokens=100_000) as (batcher, gated), ticking() as clock:
        first = await occupy(batcher, gated)
        waiting = [asyncio.create_task(one(number, batcher, clock)) for number in range(count)]
        await asyncio.sleep(0)
        gated.gate.set()
        await asyncio.gather(first, *waiting)
        assert gated.batches == [("text", 1), ("text", count)]
    assert [number for number, _ in went] == list(range(count))
    assert max(Counter(turn for _, turn in went).values()) <= QUERIES_AT_MOST


async def test_equal_texts_are_encoded_once(tiny_encoder: Encoder) -> None:
    async with batching(tiny_encoder) as (batcher, gated):
        first = await occupy(batcher, gated)
        waiting = await queue(batcher, ["a cat", "a dog", "a cat", "a cat"])
        gated.gate.set()
        cat, dog, *cats = await asyncio.gather(*waiting)
        assert gated.batches[1] == ("text", 2)
        assert all(np.array_equal(cat.vector, other.vector) for other in cats)
        assert not np.array_equal(cat.vector, dog.vector)
        assert (cat.batch, (await first).batch) == (4, 1)


async def test_a_text_that_the_context_cut_says_so(tiny_encoder: Encoder) -> None:
    async with batching(tiny_encoder) as (batcher, gated):
        gated.gate.set()
        assert (await batcher.text("word " * 100)).truncated


async def test_interactive_work_goes_before_bulk_work(tiny_encoder: Encoder) -> None:
    async with batching(tiny_encoder) as (batcher, gated):
        first = await occupy(batcher, gated)
        bulk = asyncio.create_task(batcher.image(picture(tiny_encoder, 9), lane="bulk"))
        await asyncio.sleep(0)
        waiting = await queue(batcher, ["a", "b"])
        gated.gate.set()
        await asyncio.gather(first, bulk, *waiting)
        assert gated.batches == [("text", 1), ("text", 2), ("image", 1)]


async def test_bulk_work_gets_its_share_under_interactive_work_without_end(tiny_encoder: Encoder) -> None:
    async with batching(tiny_encoder, max_batch=1) as (batcher, gated):
        first = await occupy(batcher, gated)
        bulk = asyncio.create_task(batcher.image(picture(tiny_encoder, 9), lane="bulk"))
        waiting = await queue(batcher, [str(number) for number in range(2 * BULK_SHARE)])
        gated.gate.set()
        await asyncio.gather(first, bulk, *waiting)
        assert gated.batches.index(("image", 1)) == 1 + BULK_SHARE


async def test_cancelled_requests_never_reach_the_device(tiny_encoder: Encoder) -> None:
    async with batching(tiny_encoder) as (batcher, gated):
        first = await occupy(batcher, gated)
        waiting = await queue(batcher, ["a", "b", "c"])
        waiting[0].cancel()
        waiting[2].cancel()
        await asyncio.wait([waiting[0], waiting[2]])
        gated.gate.set()
        await asyncio.gather(first, waiting[1])
        assert gated.batches == [("text", 1), ("text", 1)]
        assert batcher.stats().dropped == 2


async def test_callers_are_told_when_the_device_takes_their_request(tiny_encoder: Encoder) -> None:
    taken: list[str] = []
    async with batching(tiny_encoder) as (batcher, gated):
        first = await occupy(batcher, gated)
        left = asyncio.create_task(batcher.text("left", started=lambda: taken.append("left")))
        stayed = asyncio.create_task(batcher.text("stayed", started=lambda: taken.append("stayed")))
        await eventually(lambda: batcher.stats().queued == 2)
        assert taken == []
        left.cancel()
        gated.gate.set()
        await asyncio.gather(first, stayed)
        assert taken == ["stayed"]


async def test_a_full_queue_is_refused_and_frees_itself_of_cancelled_requests(tiny_encoder: Encoder) -> None:
    async with batching(tiny_encoder, max_queued=2) as (batcher, gated):
        first = await occupy(batcher, gated)
        waiting = await queue(batcher, ["a", "b"])
        with pytest.raises(EncoderAway):
            await batcher.text("c")
        waiting[0].cancel()
        await asyncio.sleep(0)
        waiting += await queue(batcher, ["d"])
        gated.gate.set()
        results = await asyncio.gather(first, *waiting[1:])
        assert len(results) == 3


async def test_an_error_reaches_its_culprit_alone(tiny_encoder: Encoder) -> None:
    async with batching(tiny_encoder) as (batcher, gated):
        gated.poison = tiny_encoder.tokenize("bad")[0]
        first = await occupy(batcher, gated)
        waiting = await queue(batcher, ["a", "bad", "b"])
        gated.gate.set()
        good, bad, other = await asyncio.gather(*waiting, return_exceptions=True)
        assert isinstance(bad, ArithmeticError)
        assert isinstance(good, Embedded)
        assert isinstance(other, Embedded)
        assert batcher.stats().failed == 1
        assert (await batcher.text("still here")).batch == 1
        await first


async def test_a_panic_fails_its_caller_alone_and_ends_no_thread(tiny_encoder: Encoder) -> None:
    class Panicking(Gated):
        def tokenize(self, text: str) -> tuple[Tokens, bool]:
            if text == "bad":
                raise Panic("index out of bounds")
            return super().tokenize(text)

    panicking = Panicking(tiny_encoder)
    batcher = Batcher(panicking, budget=Budget(texts=8, images=8, tokens=1_000), max_queued=100)
    try:
        async with asyncio.timeout(DEADLINE_S):
            first = await occupy(batcher, panicking)
            waiting = await queue(batcher, ["a", "bad", "b"])
            panicking.gate.set()
            good, bad, other = await asyncio.gather(*waiting, return_exceptions=True)
            assert isinstance(bad, RuntimeError)
            assert "Panic: index out of bounds" in str(bad)
            assert isinstance(good, Embedded)
            assert isinstance(other, Embedded)
            await asyncio.gather(first, batcher.text("still here"))
    finally:
        panicking.gate.set()
        await asyncio.to_thread(batcher.close)


async def test_closing_fails_what_waits_and_refuses_what_comes(tiny_encoder: Encoder) -> None:
    async with batching(tiny_encoder) as (batcher, gated):
        first = await occupy(batcher, gated)
        waiting = await queue(batcher, ["a"])
        closing = asyncio.create_task(asyncio.to_thread(batcher.close))
        with pytest.raises(EncoderAway):
            await waiting[0]
        gated.gate.set()
        await closing
        assert (await first).batch == 1
        with pytest.raises(EncoderAway):
            await batcher.text("too late")


async def test_callers_on_several_event_loops_get_their_own_vectors(tiny_encoder: Encoder) -> None:
    async with batching(tiny_encoder) as (batcher, gated):
        first = await occupy(batcher, gated)
        elsewhere = asyncio.create_task(asyncio.to_thread(lambda: asyncio.run(batcher.text("a dog"))))
        here = await queue(batcher, ["a cat"])
        await eventually(lambda: batcher.stats().queued == 2)
        gated.gate.set()
        cat, dog, _ = await asyncio.gather(here[0], elsewhere, first)
        assert not np.array_equal(cat.vector, dog.vector)


def test_a_batcher_that_nobody_closes_does_not_keep_its_process() -> None:
    probe = (
        "from workers.batcher import Batcher; from workers.batches import Budget;"
        "Batcher(None, budget=Budget(texts=1, images=1, tokens=9), max_queued=1); print('ended')"
    )
    told = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.strip() == "ended"


Request = tuple[str, int, Lane, bool]  # kind, which content, lane, whether its caller gives up
REQUESTS = st.lists(
    st.tuples(
        st.sampled_from(["text", "image"]), st.integers(0, 5), st.sampled_from(["interactive", "bulk"]), st.booleans()
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(requests=REQUESTS, max_batch=st.integers(1, 6), pauses=st.lists(st.booleans(), max_size=30))
async def test_each_caller_gets_its_own_vector_whatever_the_order(
    tiny_encoder: Encoder, requests: list[Request], max_batch: int, pauses: list[bool]
) -> None:
    async with batching(tiny_encoder, max_batch=max_batch) as (batcher, gated):
        gated.gate.set()
        tasks = []
        for number, (kind, content, lane, gives_up) in enumerate(requests):
            ask = (
                batcher.text(f"text {content}", lane=lane)
                if kind == "text"
                else batcher.image(picture(tiny_encoder, 40 * content), lane=lane)
            )
            tasks.append(asyncio.create_task(ask))
            if number < len(pauses) and pauses[number]:
                await asyncio.sleep(0)
            if gives_up:
                tasks[-1].cancel()
        answers = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(count <= max_batch for _, count in gated.batches)
        for (kind, content, _, gives_up), answer in zip(requests, answers, strict=True):
            if gives_up:
                assert isinstance(answer, asyncio.CancelledError)
                continue
            assert isinstance(answer, Embedded)
            np.testing.assert_allclose([answer.vector], expected(tiny_encoder, kind, content), atol=1e-4)


def expected(encoder: Encoder, kind: str, content: int) -> Matrix:
    """(1, dim)"""
    if kind == "text":
        return encoder.encode_texts([encoder.tokenize(f"text {content}")[0]])
    return encoder.encode_images([picture(encoder, 40 * content)])
