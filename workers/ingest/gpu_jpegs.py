"""JPEGs prepared by a GPU: one thread gives it, each time it is free, what waits.

One picture at a time nvJPEG is no quicker than a CPU, in batches of 32 ten times as quick; and one thread leaves the
interpreter to the worker's event loop, where sixteen that decode contend for it. Whatever goes wrong sends a picture
the CPU's way, which knows what is to be said of it.
"""

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future

import torch

from workers.ingest.device_pictures import DevicePictures, Made
from workers.ingest.whole_jpegs import Jpeg

logger = logging.getLogger(__name__)

MOST = 32
MOST_WAITING = 4 * MOST
# So many failures of single pictures in a row are not the pictures' fault.
GIVES_UP = 16
# A thread that has not ended by then is left behind.
CLOSE_S = 30.0


class GpuJpegs:
    """Owns the thread. A batch has at most `MOST` pictures and, but for a single one, `most_pixels` in all; a picture
    with more is not taken. What the device's memory does not hold is halved, and so are later batches.
    """

    def __init__(self, pictures: DevicePictures, *, most_pixels: int) -> None:
        self._pictures = pictures
        self._largest = self._most_pixels = most_pixels
        self._waiting: deque[tuple[Jpeg, Future[Made | None]]] = deque()
        self._wakes = threading.Condition()
        self._over = False
        self._failures = 0
        # A daemon: a device that hangs must not keep a process alive that was told to end.
        self._thread = threading.Thread(target=self._run, name="gpu-jpegs", daemon=True)
        self._thread.start()

    async def make(self, jpeg: Jpeg) -> Made | None:
        """None for a picture that is to go the CPU's way."""
        done: Future[Made | None] = Future()
        if jpeg.pixels > self._largest or not self._pictures.may_have(jpeg):
            return None
        with self._wakes:
            if self._over or len(self._waiting) >= MOST_WAITING:
                return None
            self._waiting.append((jpeg, done))
            self._wakes.notify()
        return await asyncio.wrap_future(done)

    def close(self) -> None:
        """Finish the batch on the device; what waits is answered with None. Blocks until the thread has ended."""
        self._end()
        self._thread.join(CLOSE_S)

    def _end(self) -> None:
        with self._wakes:
            self._over = True
            left = list(self._waiting)
            self._waiting.clear()
            self._wakes.notify()
        for _, done in left:
            if done.set_running_or_notify_cancel():
                done.set_result(None)

    # -- the thread

    def _run(self) -> None:
        while batch := self._next():
            made = self._tried([jpeg for jpeg, _ in batch])
            for (_, done), one in zip(batch, made, strict=True):
                done.set_result(one)

    def _next(self) -> list[tuple[Jpeg, "Future[Made | None]"]]:
        """What waits, as much as may go together; empty when it is over."""
        with self._wakes:
            while not self._over:
                if batch := self._taken():
                    return batch
                if not self._waiting:
                    self._wakes.wait()
        return []

    def _taken(self) -> list[tuple[Jpeg, "Future[Made | None]"]]:
        batch: list[tuple[Jpeg, Future[Made | None]]] = []
        left = self._most_pixels
        while self._waiting and len(batch) < MOST:
            jpeg, done = self._waiting[0]
            left -= jpeg.pixels
            if batch and left < 0:
                break
            self._waiting.popleft()
            # Nobody waits any more for what was cancelled.
            if done.set_running_or_notify_cancel():
                batch.append((jpeg, done))
        return batch

    def _tried(self, jpegs: Sequence[Jpeg]) -> list[Made | None]:
        """In halves where all together fail, so that one bad picture, or too little memory, costs its companions time
        alone."""
        if self._over:
            return [None] * len(jpegs)
        try:
            made = self._pictures.make(jpegs)
        except Exception as error:  # noqa: BLE001 - what a device's libraries raise has no common kind
            self._note(error, jpegs)
        else:
            self._failures = 0
            return list(made)
        # What failed is no longer referred to, so that its memory can be given back.
        with contextlib.suppress(RuntimeError):
            self._pictures.recover()
        if len(jpegs) == 1:
            return [None]
        middle = len(jpegs) // 2
        return self._tried(jpegs[:middle]) + self._tried(jpegs[middle:])

    def _note(self, error: Exception, jpegs: Sequence[Jpeg]) -> None:
        first_line = (str(error) or type(error).__name__).splitlines()[0]
        logger.debug("%d JPEGs together fail on the GPU: %s", len(jpegs), first_line)
        # A decoder tells of it in an error of its own.
        lacks_memory = isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error)
        if lacks_memory and len(jpegs) > 1:
            self._most_pixels = sum(jpeg.pixels for jpeg in jpegs) // 2
        if len(jpegs) > 1:
            return
        self._failures += 1
        if self._failures >= GIVES_UP:
            logger.warning("JPEGs go the CPU's way from now on, the GPU fails with them: %s", first_line)
            self._end()
