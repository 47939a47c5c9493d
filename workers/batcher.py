"""The micro-batcher: one thread owns a device and gives it, each time it is free, what waits: all, or half of many.

Greedy and continuous, as Text Embeddings Inference and Triton batch: there is no linger timer, because a batch that
leaves at once lets the next one grow while the device works. Meanwhile a second thread tokenises what comes
(`preparing.py`); who belongs to a batch is decided when the device takes it.
"""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import msgspec

from shared.errors import EncoderAway
from shared.jobs import Lane
from workers.answering import hand_back
from workers.batch_queue import BatchQueue, Entry
from workers.batches import Batched, BatcherStats, Budget, BulkLimit, Kind, MemoryLimit
from workers.device_trouble import DeviceFailed
from workers.device_turns import DeviceTurns
from workers.encoders.protocol import Encoder, Pixels, Tokens
from workers.encoding import Batch, Embedded, Encoding, Outcomes, batched
from workers.errands import Errand, Errands
from workers.preparing import Preparer

T = TypeVar("T")
# A thread that has not ended by then is left behind.
CLOSE_S, HUNG_CLOSE_S = 30.0, 1.0


class Batcher:
    """Owns an encoder's device. `budget` bounds a batch, `max_queued` what may wait; beyond it callers get 503.

    `bulk_batch_s` bounds what a batch of bulk work may take. `tell` hears of every batch, on the thread that owns the
    device; with `turns`, other models' batchers share that.
    """

    def __init__(
        self,
        encoder: Encoder,
        *,
        budget: Budget,
        max_queued: int,
        bulk_batch_s: float = 0.05,
        tell: Callable[[Batched], None] | None = None,
        turns: DeviceTurns | None = None,
    ) -> None:
        self._encoder = encoder
        self._turns = turns or DeviceTurns()
        self._max_queued = max_queued
        bulk_limit, memory_limit = BulkLimit(bulk_batch_s), MemoryLimit()
        self._queue = BatchQueue(budget, bulk_limit, memory_limit)
        self._encoding = Encoding(encoder, bulk_limit, memory_limit)
        self._lock = threading.Lock()
        self._errands = Errands(self._lock)
        # What the device works at.
        self.at: Batch = ()
        self._wakes_owner = threading.Condition(self._lock)
        self._preparer = Preparer(encoder, self._queue, self._lock)
        self._closing = False
        self._failure: DeviceFailed | None = None
        self._when_failed: list[Callable[[], object]] = []
        self._tell = tell
        self._stats = BatcherStats()
        self._stats.make_room(budget.largest)
        # A daemon: a device that hangs must not keep a process alive that was told to end.
        self._owner = threading.Thread(target=self._own_device, name="device-owner", daemon=True)
        self._owner.start()

    async def text(
        self,
        text: str,
        *,
        lane: Lane = "interactive",
        started: Callable[[], None] | None = None,
        tokens: tuple[Tokens, bool] | None = None,
    ) -> Embedded:
        """`started` is called on the device's thread when the batch leaves; `tokens` are the text's, where they are
        known, and whether it was cut.

        Raises EncoderAway when too much waits or the worker shuts down, DeviceFailed when the device does.
        """
        return await self._submit(text, lane, started, tokens)

    async def image(
        self, pixels: Pixels, *, lane: Lane = "interactive", started: Callable[[], None] | None = None
    ) -> Embedded:
        """Takes what `Encoder.preprocess` returned. Otherwise as `text`."""
        return await self._submit(pixels, lane, started)

    async def on_device(self, work: Callable[[Encoder], T]) -> T:
        """Run `work` on the thread that owns the device, between two batches. Raises what it raises."""
        errand = Errand(work)
        with self._lock:
            self._refuse_when_over()
            self._errands.add(errand)
            self._wakes_owner.notify()
        return await asyncio.wrap_future(errand.done)

    @property
    def budget(self) -> Budget:
        return self._queue.budget

    def resize(self, budget: Budget, *, max_queued: int) -> None:
        """From the next batch on."""
        with self._lock:
            self._queue.budget, self._max_queued = budget, max_queued
            self._stats.make_room(budget.largest)

    def when_failed(self, tell: Callable[[], object]) -> None:
        """`tell` is called once, on the device's thread, when the device has failed; at once if it has already.

        Requests that this fails hear of it later, so that by then no more need be taken.
        """
        with self._lock:
            if self._failure is None:
                self._when_failed.append(tell)
                return
        tell()

    def give_up(self, batch: Batch) -> None:
        """The device hangs at this batch. It is out of service, whatever it may bring later."""
        failure = DeviceFailed("the device does not end a batch")
        left = self._take_out_of_service(failure)
        hand_back([*left, *((one, DeviceFailed(str(failure), on_device=True)) for one in batch)])

    def stats(self) -> BatcherStats:
        with self._lock:
            return msgspec.structs.replace(
                self._stats, queued=len(self._queue), halved=self._encoding.halved, sizes=list(self._stats.sizes)
            )

    def close(self) -> None:
        """Finish the batch on the device; what waits fails with EncoderAway.

        Blocks until the threads have ended, for a while; from an event loop call it through `asyncio.to_thread`.
        """
        with self._lock:
            self._closing = True
            left = self._queue.clear()
            self._wakes_owner.notify_all()
            self._preparer.close()
        hand_back([(entry, EncoderAway("the worker is shutting down")) for entry in left])
        # A device that has failed either ends its thread now or never.
        self._owner.join(CLOSE_S if self._failure is None else HUNG_CLOSE_S)
        self._preparer.join(CLOSE_S)

    async def _submit(
        self,
        content: str | Pixels,
        lane: Lane,
        started: Callable[[], None] | None,
        tokens: tuple[Tokens, bool] | None = None,
    ) -> Embedded:
        loop = asyncio.get_running_loop()
        kind: Kind = "text" if isinstance(content, str) else "image"
        entry = Entry(kind, content, lane, loop, loop.create_future(), time.perf_counter(), started)
        if tokens is not None:
            entry.tokens, entry.truncated = tokens
        with self._lock:
            self._admit()
            self._queue.add(entry)
            # A free device takes it as it is; while it works there is time to prepare.
            (self._preparer.wake if self._preparer.busy else self._wakes_owner.notify)()
        embedded: Embedded = await entry.future
        return embedded

    def _admit(self) -> None:
        self._refuse_when_over()
        if len(self._queue) >= self._max_queued:
            self._stats.dropped += self._queue.drop_cancelled()
        if len(self._queue) >= self._max_queued:
            raise EncoderAway(f"{self._max_queued:,} requests already wait for the encoder")

    def _refuse_when_over(self) -> None:
        if self._failure is not None:
            raise DeviceFailed(str(self._failure))
        if self._closing:
            raise EncoderAway("the worker is shutting down")

    # -- the thread that owns the device

    def _own_device(self) -> None:
        while (batch := self._next_batch()) is not None:
            started = time.perf_counter()
            try:
                outcomes = self._encoding.run(batch)
            finally:
                self._turns.done()
            self.at = ()
            if self._encoding.failure is not None:
                outcomes += self._take_out_of_service(self._encoding.failure)
            done = batched(batch, room=self._queue.budget.items(batch[0].kind), started=started)
            with self._lock:
                self._stats.count(done, failed=sum(isinstance(outcome, Exception) for _, outcome in outcomes))
            hand_back(outcomes)
            if self._tell is not None:
                self._tell(done)

    def _next_batch(self) -> Batch | None:
        """Wait for work and our turn; None when the batcher closes and nothing is left, or the device has failed."""
        with self._lock:
            self._preparer.pause()
            while self._failure is None:
                if len(self._errands) or len(self._queue):
                    self._take_turn()
                    self._errands.run(self._encoder)
                    self._stats.dropped += self._queue.drop_cancelled()
                    if len(self._queue):
                        return self._leave(self._queue.take())
                    self._turns.done()
                elif self._closing:
                    return None
                else:
                    self._wakes_owner.wait()
        return None

    def _take_turn(self) -> None:
        """While another model has the device, texts can be prepared."""
        if self._turns.take_if_free():
            return
        self._preparer.begin()
        self._lock.release()
        try:
            self._turns.wait(self._queue.next_lane)
        finally:
            self._lock.acquire()
            self._preparer.pause()

    def _leave(self, batch: Batch) -> Batch:
        self.at = batch
        self._preparer.begin()
        for entry in batch:
            if entry.started is not None:
                entry.started()
        return batch

    def _take_out_of_service(self, failure: DeviceFailed) -> Outcomes:
        """What waits goes back as it came."""
        with self._lock:
            self._failure = failure
            left, errands = self._queue.clear(), self._errands.clear()
            told, self._when_failed = self._when_failed, []
        for tell in told:
            tell()
        for errand in errands:
            errand.refuse(failure)
        return [(entry, DeviceFailed(str(failure))) for entry in left]
