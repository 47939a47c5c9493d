"""One batch on the device: what it gives each request, what is told of it, and what is done when it fails.

What does not fit into memory runs in halves; a batch that fails otherwise runs one by one, so that only the culprit's
caller sees the error. A device at which nothing works any more is out of service.
"""

import logging
import time
from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from shared.errors import EncoderAway
from workers.batch_queue import Entry
from workers.batches import Batched, BulkLimit, MemoryLimit
from workers.device_trouble import DeviceFailed, as_exception, trouble
from workers.encoders.protocol import Encoder, Matrix, Tokens

logger = logging.getLogger(__name__)

Vector = npt.NDArray[np.float32]  # (dim,), unit length

# After so many requests in a row that failed, a text that always works tells whether it is the device.
SUSPICIOUS = 8
KNOWN_TEXT = "a picture"


class Embedded(msgspec.Struct, frozen=True):
    """One vector of unit length, whether the model's context cut the text, how many shared the batch, when it began.

    `started_ns` is nanoseconds of the wall clock.
    """

    vector: Vector
    truncated: bool
    batch: int
    started_ns: int


Outcome = Embedded | Exception
Batch = Sequence[Entry]
Outcomes = list[tuple[Entry, Outcome]]


class Encoding:
    """Runs batches on a thread that owns the device, or a part of it; both limits learn from them."""

    def __init__(self, encoder: Encoder, bulk_limit: BulkLimit, memory_limit: MemoryLimit) -> None:
        self._encoder = encoder
        self._bulk_limit = bulk_limit
        self._memory_limit = memory_limit
        self._failed_in_a_row = 0
        self.failure: DeviceFailed | None = None
        self.halved = 0

    def run(self, batch: Batch) -> Outcomes:
        """An outcome for each request. Sets `failure` when the device does not work any more."""
        if self.failure is not None:
            return self._lost(batch)
        outcomes = self._try(batch)
        if not isinstance(outcomes, Exception):
            return outcomes
        what = trouble(outcomes)
        if what == "device" or (len(batch) == 1 and self._is_the_device()):
            logger.critical("the device is out of service", exc_info=outcomes)
            self.failure = DeviceFailed(f"{type(outcomes).__name__}: {outcomes}")
            return self._lost(batch)
        if len(batch) == 1:
            return [(batch[0], _told(batch[0], outcomes))]
        return self._in_parts(batch, outcomes)

    def _in_parts(self, batch: Batch, error: Exception) -> Outcomes:
        logger.warning("a batch of %d failed, encoding it in parts: %s", len(batch), error)
        kind, short = batch[0].kind, trouble(error) == "memory"
        if short:
            self._memory_limit.exceeded(kind, len(batch))
            self.halved += 1
        outcomes: Outcomes = []
        while left := batch[len(outcomes) :]:
            # Asked each time: a part may find that it must be smaller still.
            size = self._memory_limit.items(kind, len(left)) if short else 1
            outcomes += self.run(left[:size])
        return outcomes

    def _lost(self, batch: Batch) -> Outcomes:
        return [(entry, DeviceFailed(str(self.failure), on_device=True)) for entry in batch]

    def _try(self, batch: Batch) -> Outcomes | Exception:
        started, kind = time.perf_counter(), batch[0].kind
        try:
            outcomes: Outcomes = list(zip(batch, self._embed(batch), strict=True))
        except BaseException as error:  # noqa: BLE001 - whatever a model raises must not end the device's only thread
            # A traceback's frames would hold the memory that the next try needs.
            return as_exception(error.with_traceback(None) if trouble(error) == "memory" else error)
        self._bulk_limit.learn(kind, len(batch), time.perf_counter() - started)
        self._memory_limit.fitted(kind, len(batch))
        self._failed_in_a_row = 0
        return outcomes

    def _embed(self, batch: Batch) -> list[Embedded]:
        started_ns = time.time_ns()
        if batch[0].kind == "text":
            return self._embed_texts(batch, started_ns)
        vectors = self._encoder.encode_images([entry.content for entry in batch if not isinstance(entry.content, str)])
        return [Embedded(vector, False, len(batch), started_ns) for vector in vectors]

    def _embed_texts(self, batch: Batch, started_ns: int) -> list[Embedded]:
        """Equal texts are encoded once."""
        rows: dict[str, int] = {}
        tokens: list[Tokens] = []
        for entry in batch:
            if entry.tokens is None:
                entry.tokens, entry.truncated = self._encoder.tokenize(str(entry.content))
            if rows.setdefault(str(entry.content), len(tokens)) == len(tokens):
                tokens.append(entry.tokens)
        vectors: Matrix = self._encoder.encode_texts(tokens)
        size = len(batch)
        return [Embedded(vectors[rows[str(entry.content)]], entry.truncated, size, started_ns) for entry in batch]

    def _is_the_device(self) -> bool:
        """Whether not even a known text works any more; asked when requests keep failing."""
        self._failed_in_a_row += 1
        if self._failed_in_a_row < SUSPICIOUS:
            return False
        self._failed_in_a_row = 0
        try:
            self._encoder.encode_texts([self._encoder.tokenize(KNOWN_TEXT)[0]])
        except BaseException:
            logger.exception("a text that always works fails too")
            return True
        return False


def batched(batch: Batch, *, room: int, share: float, started: float) -> Batched:
    """Told when the device is done with it; `started` as `time.perf_counter`."""
    kind = batch[0].kind
    return Batched(
        kind=kind,
        items=len(batch),
        distinct=len({entry.content for entry in batch}) if kind == "text" else len(batch),
        room=room,
        waits_s=[started - entry.asked for entry in batch],
        took_s=time.perf_counter() - started,
        share=share,
    )


def _told(entry: Entry, error: Exception) -> Exception:
    if trouble(error) == "memory":
        logger.warning("the device's memory holds not even one %s: %s", entry.kind, error)
        return EncoderAway(f"the device has too little memory for one {entry.kind}")
    logger.error("encoding one %s failed", entry.kind, exc_info=error)
    return error
