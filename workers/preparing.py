"""The thread that tokenises what waits for a device, one batch ahead at most."""

import logging
import threading

from workers.batch_queue import BatchQueue, Entry
from workers.encoders.protocol import Encoder

logger = logging.getLogger(__name__)


class Preparer:
    """Works only while the device is `busy`. Whoever calls it holds the batcher's lock, but for `join`."""

    def __init__(self, encoder: Encoder, queue: BatchQueue, lock: threading.Lock) -> None:
        self._encoder = encoder
        self._queue = queue
        self._wakes = threading.Condition(lock)
        self._closing = False
        self.busy = False
        # A daemon, as the thread that owns the device.
        self._thread = threading.Thread(target=self._run, name="tokeniser", daemon=True)
        self._thread.start()

    def begin(self) -> None:
        """The device is busy from now on."""
        self.busy = True
        self._wakes.notify()

    def pause(self) -> None:
        """The device is free, and takes what waits as it is."""
        self.busy = False

    def wake(self) -> None:
        """Something has come to wait."""
        self._wakes.notify()

    def close(self) -> None:
        self._closing = True
        self._wakes.notify()

    def join(self, timeout_s: float) -> None:
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while (entry := self._next()) is not None:
            try:
                tokens, truncated = self._encoder.tokenize(str(entry.content))
            except BaseException as error:  # noqa: BLE001 - raised again, and told to its caller, when the device takes it
                logger.debug("a text cannot be tokenised: %s", error)
            else:
                with self._wakes:
                    self._queue.prepared(entry, tokens, truncated=truncated)

    def _next(self) -> Entry | None:
        """Wait for a text to tokenise; None when the batcher closes."""
        with self._wakes:
            while not self._closing:
                if self.busy and (entry := self._queue.next_to_prepare()) is not None:
                    return entry
                self._wakes.wait()
        return None
