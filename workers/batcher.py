"""The micro-batcher: one thread owns a device and gives it, each time it is free, what waits: all, or half of many.

Greedy and continuous, as Text Embeddings Inference and Triton batch: there is no linger timer, because a batch that
leaves at once lets the next one grow while the device works. Meanwhile a second thread tokenises what comes
(`preparing.py`); who belongs to a batch is decided when the device takes it (`dispatch.py`). Replicas of a model on a
CPU are parts of one device: each has a thread and batches of its own, so that none waits for another.
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
from workers.dispatch import Dispatch, Taken
from workers.encoders.protocol import Encoder, Pixels, Replica, Tokens, replicas_of
from workers.encoding import Batch, Embedded, Encoding, Outcomes, batched
from workers.errands import Errand

T = TypeVar("T")
# A thread that has not ended by then is left behind.
CLOSE_S, HUNG_CLOSE_S = 30.0, 1.0


class Owner:
    """Of a device, or of a part of it. `at` is the batch that it works at."""

    def __init__(self, encoding: Encoding, replica: Replica | None = None) -> None:
        self.encoding, self.replica = encoding, replica
        self.at: Batch = ()


class Batcher:
    """Owns an encoder's device. `budget` bounds a batch, or those of all parts together, `max_queued` what may wait;
    beyond it callers get 503.

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
        replicas = replicas_of(encoder)
        self._turns = turns or DeviceTurns(max(1, len(replicas)))
        self._max_queued = max_queued
        limits = BulkLimit(bulk_batch_s), MemoryLimit()
        self._queue = BatchQueue(budget, *limits, parts=max(1, len(replicas)))
        self._dispatch = Dispatch(encoder, self._queue, self._turns)
        self._lock = self._dispatch.lock
        self._when_failed: list[Callable[[], object]] = []
        self._tell = tell
        self._stats = BatcherStats()
        self._stats.make_room(budget.largest)
        parts = [Owner(Encoding(replica, *limits), replica) for replica in replicas]
        self._owners = parts or [Owner(Encoding(encoder, *limits))]
        # Daemons: a device that hangs must not keep a process alive that was told to end.
        self._threads = [
            threading.Thread(target=self._own, args=(owner,), name="device-owner", daemon=True)
            for owner in self._owners
        ]
        for thread in self._threads:
            thread.start()

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
        """Run `work` on a thread that owns the device, while no part of it works. Raises what it raises."""
        errand = Errand(work)
        with self._lock:
            self._refuse_when_over()
            self._dispatch.add_errand(errand)
        return await asyncio.wrap_future(errand.done)

    @property
    def budget(self) -> Budget:
        return self._queue.budget

    @property
    def at(self) -> list[Batch]:
        """What each part of the device works at; empty where it is free."""
        return [owner.at for owner in self._owners]

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
            if self._dispatch.failure is None:
                self._when_failed.append(tell)
                return
        tell()

    def give_up(self, batch: Batch) -> None:
        """The device hangs at this batch. It is out of service, whatever it may bring later."""
        failure = DeviceFailed("the device does not end a batch")
        left = self._take_out_of_service(failure)
        hand_back([*left, *((one, DeviceFailed(str(failure), on_device=True)) for one in batch)])

    def stats(self) -> BatcherStats:
        halved = sum(owner.encoding.halved for owner in self._owners)
        with self._lock:
            sizes, dropped = list(self._stats.sizes), self._dispatch.dropped
            return msgspec.structs.replace(
                self._stats, queued=len(self._queue), dropped=dropped, halved=halved, sizes=sizes
            )

    def close(self) -> None:
        """Finish the batches on the device; what waits fails with EncoderAway.

        Blocks until the threads have ended, for a while; from an event loop call it through `asyncio.to_thread`.
        """
        with self._lock:
            left = self._queue.clear()
            self._dispatch.close()
        hand_back([(entry, EncoderAway("the worker is shutting down")) for entry in left])
        # A device that has failed either ends its threads now or never.
        ends = time.monotonic() + (CLOSE_S if self._dispatch.failure is None else HUNG_CLOSE_S)
        for thread in self._threads:
            thread.join(max(0.0, ends - time.monotonic()))
        self._dispatch.join(CLOSE_S)

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
            self._dispatch.added()
        embedded: Embedded = await entry.future
        return embedded

    def _admit(self) -> None:
        self._refuse_when_over()
        if len(self._queue) >= self._max_queued:
            self._dispatch.dropped += self._queue.drop_cancelled()
        if len(self._queue) >= self._max_queued:
            raise EncoderAway(f"{self._max_queued:,} requests already wait for the encoder")

    def _refuse_when_over(self) -> None:
        if self._dispatch.failure is not None:
            raise DeviceFailed(str(self._dispatch.failure))
        if self._dispatch.closing:
            raise EncoderAway("the worker is shutting down")

    # -- the threads that own the device

    def _own(self, owner: Owner) -> None:
        while (taken := self._dispatch.next()) is not None:
            owner.at, started = taken.batch, time.perf_counter()
            if owner.replica is not None:
                owner.replica.threads = taken.seats
            try:
                outcomes = owner.encoding.run(taken.batch)
            finally:
                self._dispatch.done(taken)
            owner.at = ()
            if owner.encoding.failure is not None:
                outcomes += self._take_out_of_service(owner.encoding.failure)
            self._count(taken, outcomes, started)

    def _count(self, taken: Taken, outcomes: Outcomes, started: float) -> None:
        """And give everybody what there is."""
        room, share = self._queue.most(taken.batch[0].kind), taken.seats / self._turns.seats
        done = batched(taken.batch, room=room, share=share, started=started)
        with self._lock:
            self._stats.count(done, failed=sum(isinstance(outcome, Exception) for _, outcome in outcomes))
        hand_back(outcomes)
        if self._tell is not None:
            self._tell(done)

    def _take_out_of_service(self, failure: DeviceFailed) -> Outcomes:
        """What waits goes back as it came."""
        with self._lock:
            left, errands = self._queue.clear(), self._dispatch.fail(failure)
            told, self._when_failed = self._when_failed, []
        for tell in told:
            tell()
        for errand in errands:
            errand.refuse(failure)
        return [(entry, DeviceFailed(str(failure))) for entry in left]
