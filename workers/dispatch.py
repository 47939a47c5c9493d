"""Which batch leaves next, and for which part of a device: decided when a part is free, and not before."""

import threading
from typing import Any

import msgspec

from workers.batch_queue import BatchQueue
from workers.device_trouble import DeviceFailed
from workers.device_turns import DeviceTurns
from workers.encoders.protocol import Encoder
from workers.encoding import Batch
from workers.errands import Errand, Errands
from workers.executors import threads_alone
from workers.preparing import Preparer


class Taken(msgspec.Struct, frozen=True):
    """A batch that leaves, with so many of the device's seats."""

    batch: Batch
    seats: int


class Dispatch:
    """Between those that ask and the threads that own a device's parts; `lock` guards it and its queue."""

    def __init__(self, encoder: Encoder, queue: BatchQueue, turns: DeviceTurns) -> None:
        self.lock = threading.Lock()
        self.queue = queue
        self.failure: DeviceFailed | None = None
        self.closing = False
        self.dropped = 0
        self._encoder, self._turns = encoder, turns
        self._errands = Errands(self.lock)
        self._preparer = Preparer(encoder, queue, self.lock)
        self._wakes_owner = threading.Condition(self.lock)
        # Owners that wait for work; parts at work; whether an errand has the device as a whole.
        self._idle = self._working = 0
        self._errand_runs = False

    # -- for those that ask, who hold the lock

    def added(self) -> None:
        """Something has come to wait. A free part takes it as it is; while all work there is time to prepare."""
        (self._wakes_owner.notify if self._idle else self._preparer.wake)()

    def add_errand(self, errand: Errand[Any]) -> None:
        self._errands.add(errand)
        self._wakes_owner.notify_all()

    def fail(self, failure: DeviceFailed) -> list[Errand[Any]]:
        """Nothing leaves any more. Gives the errands that were to be run."""
        self.failure = failure
        self._wakes_owner.notify_all()
        return self._errands.clear()

    def close(self) -> None:
        """What leaves no more was taken from the queue by then."""
        self.closing = True
        self._wakes_owner.notify_all()
        self._preparer.close()

    def join(self, timeout_s: float) -> None:
        """Without the lock, wait for the thread that prepares."""
        self._preparer.join(timeout_s)

    # -- for the threads that own a part, without the lock

    def next(self) -> Taken | None:
        """Wait for work and a turn; None when the batcher closes and nothing is left, or the device has failed."""
        with self.lock:
            self._preparer.pause()
            while self.failure is None:
                if self._has_work():
                    self._take_turn()
                    if (taken := self._use_turn()) is not None:
                        return taken
                elif self.closing:
                    return None
                else:
                    self._idle += 1
                    self._wakes_owner.wait()
                    self._idle -= 1
        return None

    def done(self, taken: Taken) -> None:
        """A part has ended what it took."""
        self._turns.done(taken.seats)
        with self.lock:
            self._working -= 1
            self.queue.done(taken.batch)

    # -- on those threads, with the lock

    def _has_work(self) -> bool:
        """An errand has the device as a whole."""
        if self.failure is not None or self._errand_runs:
            return False
        return not self._working if len(self._errands) else len(self.queue) > 0

    def _take_turn(self) -> None:
        """While others have the device, texts can be prepared."""
        if self._turns.take_if_free():
            return
        self._preparer.begin()
        self.lock.release()
        try:
            self._turns.wait(self.queue.next_lane)
        finally:
            self.lock.acquire()
            self._preparer.pause()

    def _use_turn(self) -> Taken | None:
        """None where no batch leaves with it, as when others took all while we waited."""
        if self._has_work():
            if len(self._errands):
                self._run_errands()
            self.dropped += self.queue.drop_cancelled()
            if len(self.queue) and self.failure is None:
                return self._leave(self.queue.take())
        self._turns.done()
        return None

    def _run_errands(self) -> None:
        self._errand_runs = True
        self._errands.run(self._encoder)
        self._errand_runs = False
        self._wakes_owner.notify_all()

    def _leave(self, batch: Batch) -> Taken:
        self._working += 1
        seats = 1 + self._turns.more(self._more(batch))
        if not self._idle:
            self._preparer.begin()
        for entry in batch:
            if entry.started is not None:
                entry.started()
        return Taken(batch, seats)

    def _more(self, batch: Batch) -> int:
        """How many seats help with it: none with bulk work, for which nobody waits, but perhaps for a seat."""
        if batch[0].lane == "bulk":
            return 0
        return threads_alone(batch[0].kind, self._turns.seats, 1 + len(self.queue)) - 1
