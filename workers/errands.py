"""Work for the thread that owns a device, beside its batches."""

import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from workers.encoders.protocol import Encoder

T = TypeVar("T")


class Errand(Generic[T]):
    """Work for the device's thread that somebody waits for."""

    def __init__(self, work: Callable[[Encoder], T]) -> None:
        self._work = work
        self.done: Future[T] = Future()

    def run(self, encoder: Encoder) -> None:
        if not self.done.set_running_or_notify_cancel():
            return
        try:
            self.done.set_result(self._work(encoder))
        except BaseException as error:  # noqa: BLE001 - it belongs to whoever asked
            self.done.set_exception(error)

    def refuse(self, error: Exception) -> None:
        if self.done.set_running_or_notify_cancel():
            self.done.set_exception(error)


class Errands:
    """Those that wait. Whoever calls it holds `lock`, which is let go of while one runs."""

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self._waiting: deque[Errand[Any]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, errand: Errand[Any]) -> None:
        self._waiting.append(errand)

    def run(self, encoder: Encoder) -> None:
        while self._waiting:
            errand = self._waiting.popleft()
            self._lock.release()
            try:
                errand.run(encoder)
            finally:
                self._lock.acquire()

    def clear(self) -> list[Errand[Any]]:
        left = list(self._waiting)
        self._waiting.clear()
        return left
