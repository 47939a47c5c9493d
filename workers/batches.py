"""What the micro-batcher remembers of its batches: counts for operators, and how large batches may be."""

from collections.abc import Sequence
from itertools import zip_longest
from typing import Literal

import msgspec

Kind = Literal["text", "image"]

# After so many batches as large as allowed, an allowance that lack of memory had cut grows by an eighth.
GROWS_AFTER = 32


class Batched(msgspec.Struct, frozen=True, kw_only=True):
    """A batch that the device is done with: `items` requests, `distinct` of them different, out of `room`. It had this
    `share` of the device."""

    kind: Kind
    items: int
    distinct: int
    room: int
    waits_s: list[float]
    took_s: float
    share: float = 1.0


class Budget(msgspec.Struct, frozen=True, kw_only=True):
    """How much goes to the device together: texts or pictures, and of texts so many tokens.

    From `texts_halved` or `images_halved` on, two halves take the device so little longer than the whole that everybody
    waits less on average; 0: never.
    """

    texts: int
    images: int
    tokens: int
    texts_halved: int = 0
    images_halved: int = 0

    def items(self, kind: Kind) -> int:
        return self.texts if kind == "text" else self.images

    def halved(self, kind: Kind) -> int:
        return self.texts_halved if kind == "text" else self.images_halved

    @property
    def largest(self) -> int:
        return max(self.texts, self.images)


class BatcherStats(msgspec.Struct, kw_only=True):
    """Counters since start; `queued` is now. `sizes` counts batches of 1, 2, up to 4, up to 8 … items.

    `shared` texts got the vector of an equal one in their batch, of `texts` in all. `halved` batches did not fit into
    the device's memory.
    """

    batches: int = 0
    items: int = 0
    largest: int = 0
    failed: int = 0
    dropped: int = 0
    halved: int = 0
    busy_s: float = 0.0
    queued: int = 0
    texts: int = 0
    shared: int = 0
    sizes: list[int] = msgspec.field(default_factory=list)

    def make_room(self, largest: int) -> None:
        self.sizes += [0] * ((largest - 1).bit_length() + 1 - len(self.sizes))

    def count(self, done: Batched, *, failed: int) -> None:
        self.batches += 1
        self.items += done.items
        self.largest = max(self.largest, done.items)
        self.sizes[(done.items - 1).bit_length()] += 1
        self.failed += failed
        self.busy_s += done.took_s * done.share
        if done.kind == "text":
            self.texts += done.items
            self.shared += done.items - done.distinct


def joined(stats: Sequence[BatcherStats]) -> BatcherStats:
    """Of several batchers as if they were one."""
    both = BatcherStats(largest=max(one.largest for one in stats), sizes=_added([one.sizes for one in stats]))
    for name in ("batches", "items", "failed", "dropped", "halved", "busy_s", "queued", "texts", "shared"):
        setattr(both, name, sum(getattr(one, name) for one in stats))
    return both


def _added(rows: Sequence[Sequence[int]]) -> list[int]:
    return [sum(column) for column in zip_longest(*rows, fillvalue=0)]


class BulkLimit:
    """How many items of a kind fit into `batch_s`, by a moving average of what one took lately."""

    def __init__(self, batch_s: float) -> None:
        self._batch_s = batch_s
        self._item_s: dict[Kind, float] = {}

    def items(self, kind: Kind) -> int:
        item_s = self._item_s.get(kind, self._batch_s)
        return max(1, int(self._batch_s / max(item_s, 1e-9)))

    def learn(self, kind: Kind, items: int, took_s: float) -> None:
        item_s = took_s / items
        self._item_s[kind] = 0.7 * self._item_s.get(kind, item_s) + 0.3 * item_s


class MemoryLimit:
    """How many items of a kind fit into the device's memory: halved when they did not, and slowly tried again.

    Parts of a device may tell of their batches at once: no more than a count is lost by that.
    """

    def __init__(self) -> None:
        self._most: dict[Kind, int] = {}
        self._full: dict[Kind, int] = {}

    def items(self, kind: Kind, most: int) -> int:
        return min(most, self._most.get(kind, most))

    def exceeded(self, kind: Kind, items: int) -> None:
        """A batch of so many did not fit."""
        self._full[kind] = 0
        self._most[kind] = min(max(1, items // 2), self._most.get(kind, items))

    def fitted(self, kind: Kind, items: int) -> None:
        most = self._most.get(kind)
        if most is None or items < most:
            return
        self._full[kind] += 1
        if self._full[kind] >= GROWS_AFTER:
            self._most[kind], self._full[kind] = most + max(1, most // 8), 0
