"""What the micro-batcher remembers of its batches: counts for operators, and how large bulk batches may be."""

from typing import Literal

import msgspec

Kind = Literal["text", "image"]

# A batch of bulk work may hold the device this long, so that interactive work behind it does not feel it.
BULK_BATCH_S = 0.05


class Batched(msgspec.Struct, frozen=True, kw_only=True):
    """A batch that the device is done with: `items` requests, `distinct` of them different, out of `room`."""

    kind: Kind
    items: int
    distinct: int
    room: int
    waits_s: list[float]
    took_s: float


class BatcherStats(msgspec.Struct, kw_only=True):
    """Counters since start; `queued` is now. `sizes` counts batches of 1, 2, up to 4, up to 8 … items.

    `shared` texts got the vector of an equal one in their batch, of `texts` in all.
    """

    batches: int = 0
    items: int = 0
    largest: int = 0
    failed: int = 0
    dropped: int = 0
    busy_s: float = 0.0
    queued: int = 0
    texts: int = 0
    shared: int = 0
    sizes: list[int] = msgspec.field(default_factory=list)

    def count(self, done: Batched, *, failed: int) -> None:
        self.batches += 1
        self.items += done.items
        self.largest = max(self.largest, done.items)
        self.sizes[(done.items - 1).bit_length()] += 1
        self.failed += failed
        self.busy_s += done.took_s
        if done.kind == "text":
            self.texts += done.items
            self.shared += done.items - done.distinct


class BulkLimit:
    """How many items of a kind fit into BULK_BATCH_S, by a moving average of what one took lately."""

    def __init__(self, max_batch: int) -> None:
        self._max_batch = max_batch
        self._item_s: dict[Kind, float] = {}

    def items(self, kind: Kind) -> int:
        item_s = self._item_s.get(kind, BULK_BATCH_S)
        return max(1, min(self._max_batch, int(BULK_BATCH_S / max(item_s, 1e-9))))

    def learn(self, kind: Kind, items: int, took_s: float) -> None:
        item_s = took_s / items
        self._item_s[kind] = 0.7 * self._item_s.get(kind, item_s) + 0.3 * item_s
