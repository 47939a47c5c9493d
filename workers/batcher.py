"""The micro-batcher: one thread owns a device and gives it, each time it is free, everything that waits.

Greedy and continuous, as Text Embeddings Inference and Triton batch: there is no linger timer, because a batch that
leaves at once lets the next one grow while the device works.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from shared.errors import EncoderAway
from shared.jobs import LANES, Lane
from workers.batches import Batched, BatcherStats, BulkLimit, Kind
from workers.encoders.protocol import Encoder, Matrix, Pixels

logger = logging.getLogger(__name__)

Vector = npt.NDArray[np.float32]  # (dim,), unit length

# Under a stream of interactive work that never pauses, bulk work gets one batch in so many.
BULK_SHARE = 8


class Embedded(msgspec.Struct, frozen=True):
    """One vector of unit length, whether the model's context cut the text, how many shared the batch, when it began.

    `started_ns` is nanoseconds of the wall clock.
    """

    vector: Vector
    truncated: bool
    batch: int
    started_ns: int


class _Entry(msgspec.Struct, eq=False):
    """One caller's request; the future belongs to the caller's event loop."""

    kind: Kind
    content: str | Pixels
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Embedded]"
    asked: float
    started: Callable[[], None] | None


Outcome = Embedded | Exception
Batch = Sequence[_Entry]


class Batcher:
    """Owns an encoder's device. `max_batch` bounds a batch, `max_queued` what may wait; beyond it callers get 503.

    `tell` hears of every batch, on the thread that owns the device.
    """

    def __init__(
        self, encoder: Encoder, *, max_batch: int, max_queued: int, tell: Callable[[Batched], None] | None = None
    ) -> None:
        self._encoder = encoder
        self._max_batch = max_batch
        self._max_queued = max_queued
        self._waiting: dict[Lane, deque[_Entry]] = {lane: deque() for lane in LANES}
        self._changed = threading.Condition()
        self._closing = False
        self._tell = tell
        self._stats = BatcherStats(sizes=[0] * ((max_batch - 1).bit_length() + 1))
        self._bulk_limit = BulkLimit(max_batch)
        self._interactive_streak = 0
        # A daemon: a device that hangs must not keep a process alive that was told to end.
        self._thread = threading.Thread(target=self._own_device, name="device-owner", daemon=True)
        self._thread.start()

    async def text(
        self, text: str, *, lane: Lane = "interactive", started: Callable[[], None] | None = None
    ) -> Embedded:
        """`started` is called on the device's thread when the batch leaves.

        Raises EncoderAway when too much waits or the worker shuts down.
        """
        return await self._submit("text", text, lane, started)

    async def image(
        self, pixels: Pixels, *, lane: Lane = "interactive", started: Callable[[], None] | None = None
    ) -> Embedded:
        """Takes what `Encoder.preprocess` returned. Otherwise as `text`."""
        return await self._submit("image", pixels, lane, started)

    def stats(self) -> BatcherStats:
        with self._changed:
            return msgspec.structs.replace(self._stats, queued=self._queued(), sizes=list(self._stats.sizes))

    def close(self, *, drain: bool = False, timeout_s: float = 30.0) -> None:
        """Finish the batch on the device, and with `drain` all that waits; the rest fails with EncoderAway.

        Blocks until the thread has ended, at most `timeout_s`; from an event loop call it through `asyncio.to_thread`.
        """
        with self._changed:
            self._closing = True
            left = [] if drain else self._take_all()
            self._changed.notify_all()
        _hand_back([(entry, EncoderAway("the worker is shutting down")) for entry in left])
        self._thread.join(timeout_s)

    async def _submit(
        self, kind: Kind, content: str | Pixels, lane: Lane, started: Callable[[], None] | None
    ) -> Embedded:
        loop = asyncio.get_running_loop()
        entry = _Entry(kind, content, loop, loop.create_future(), time.perf_counter(), started)
        with self._changed:
            self._admit()
            self._waiting[lane].append(entry)
            self._changed.notify()
        return await entry.future

    def _admit(self) -> None:
        if self._closing:
            raise EncoderAway("the worker is shutting down")
        if self._queued() >= self._max_queued:
            self._drop_cancelled()
        if self._queued() >= self._max_queued:
            raise EncoderAway(f"{self._max_queued:,} requests already wait for the encoder")

    def _queued(self) -> int:
        return sum(len(waiting) for waiting in self._waiting.values())

    def _drop_cancelled(self) -> None:
        for waiting in self._waiting.values():
            live = [entry for entry in waiting if not entry.future.cancelled()]
            self._stats.dropped += len(waiting) - len(live)
            waiting.clear()
            waiting.extend(live)

    def _take_all(self) -> list[_Entry]:
        left = [entry for waiting in self._waiting.values() for entry in waiting]
        for waiting in self._waiting.values():
            waiting.clear()
        return left

    def _own_device(self) -> None:
        while (batch := self._next_batch()) is not None:
            started = time.perf_counter()
            outcomes = self._encode(batch)
            done = _batched(batch, room=self._max_batch, started=started)
            self._count(outcomes, done)
            _hand_back(outcomes)
            if self._tell is not None:
                self._tell(done)

    def _next_batch(self) -> Batch | None:
        """Wait for work; None when the batcher closes and nothing is left."""
        with self._changed:
            while True:
                self._drop_cancelled()
                if self._queued():
                    return self._take(self._next_lane())
                if self._closing:
                    return None
                self._changed.wait()

    def _next_lane(self) -> Lane:
        bulk_is_due = self._interactive_streak >= BULK_SHARE and self._waiting["bulk"]
        return "interactive" if self._waiting["interactive"] and not bulk_is_due else "bulk"

    def _take(self, lane: Lane) -> Batch:
        """The lane's oldest entry with all of its kind that wait there, up to the bound; others keep their order."""
        waiting = self._waiting[lane]
        kind = waiting[0].kind
        most = self._bulk_limit.items(kind) if lane == "bulk" else self._max_batch
        batch = [entry for entry in waiting if entry.kind == kind][:most]
        taken = set(map(id, batch))
        self._waiting[lane] = deque(entry for entry in waiting if id(entry) not in taken)
        passed_bulk_by = lane == "interactive" and bool(self._waiting["bulk"])
        self._interactive_streak = self._interactive_streak + 1 if passed_bulk_by else 0
        for entry in batch:
            if entry.started is not None:
                entry.started()
        return batch

    def _encode(self, batch: Batch) -> list[tuple[_Entry, Outcome]]:
        """A failed batch runs again one by one, so that only the culprit's caller sees the error."""
        try:
            started = time.perf_counter()
            outcomes: list[tuple[_Entry, Outcome]] = list(zip(batch, self._embed(batch), strict=True))
            self._bulk_limit.learn(batch[0].kind, len(batch), time.perf_counter() - started)
        except Exception as error:  # whatever a model raises must not end the device's only thread
            if len(batch) == 1:
                logger.exception("encoding one %s failed", batch[0].kind)
                return [(batch[0], error)]
            logger.warning("a batch of %d failed, encoding one by one: %s", len(batch), error)
            return [outcome for entry in batch for outcome in self._encode([entry])]
        return outcomes

    def _embed(self, batch: Batch) -> list[Embedded]:
        started_ns = time.time_ns()
        if batch[0].kind == "text":
            return self._embed_texts([str(entry.content) for entry in batch], started_ns)
        vectors = self._encoder.encode_images([entry.content for entry in batch if not isinstance(entry.content, str)])
        return [Embedded(vector, False, len(batch), started_ns) for vector in vectors]

    def _embed_texts(self, texts: Sequence[str], started_ns: int) -> list[Embedded]:
        """Equal texts are encoded once."""
        row = {text: index for index, text in enumerate(dict.fromkeys(texts))}
        tokens, truncated = zip(*map(self._encoder.tokenize, row), strict=True)
        vectors: Matrix = self._encoder.encode_texts(tokens)
        return [Embedded(vectors[row[text]], truncated[row[text]], len(texts), started_ns) for text in texts]

    def _count(self, outcomes: Sequence[tuple[_Entry, Outcome]], done: Batched) -> None:
        with self._changed:
            self._stats.count(done, failed=sum(isinstance(outcome, Exception) for _, outcome in outcomes))


def _batched(batch: Batch, *, room: int, started: float) -> Batched:
    kind = batch[0].kind
    return Batched(
        kind=kind,
        items=len(batch),
        distinct=len({entry.content for entry in batch}) if kind == "text" else len(batch),
        room=room,
        waits_s=[started - entry.asked for entry in batch],
        took_s=time.perf_counter() - started,
    )


def _hand_back(outcomes: Sequence[tuple[_Entry, Outcome]]) -> None:
    """Wake each event loop once for the whole batch."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Entry, Outcome]]] = {}
    for entry, outcome in outcomes:
        by_loop.setdefault(entry.loop, []).append((entry, outcome))
    for loop, mine in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, mine)
        except RuntimeError:
            logger.debug("nobody is left to take %d vectors: their event loop has closed", len(mine))


def _settle(outcomes: Sequence[tuple[_Entry, Outcome]]) -> None:
    for entry, outcome in outcomes:
        if entry.future.done():
            continue
        if isinstance(outcome, Exception):
            entry.future.set_exception(outcome)
        else:
            entry.future.set_result(outcome)
