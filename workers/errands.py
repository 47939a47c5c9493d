"""Work for the thread that owns a device, beside its batches."""

from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

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
