"""Requests that wait for a device: two lanes, and which of them leave together."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from math import ceil
from typing import Any

import msgspec
import numpy as np

from shared.jobs import LANES, Lane
from workers.batches import Budget, BulkLimit, Kind, MemoryLimit
from workers.encoders.protocol import Pixels, Tokens

# Under a stream of interactive work that never pauses, bulk work gets one batch in so many.
BULK_SHARE = 8
# A text that has not been tokenised yet is taken for so many characters a token, with its start and end.
CHARS_PER_TOKEN, ENDS = 4, 2


class Entry(msgspec.Struct, eq=False):
    """One caller's request; the future belongs to the caller's event loop. `tokens` are there once it is prepared."""

    kind: Kind
    content: str | Pixels
    lane: Lane
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Any]"
    asked: float
    started: Callable[[], None] | None
    waits: bool = True
    tokens: Tokens | None = None
    truncated: bool = False

    @property
    def length(self) -> int:
        """In tokens."""
        if self.tokens is not None:
            return text_length(self.tokens)
        return len(self.content) // CHARS_PER_TOKEN + ENDS


class BatchQueue:
    """Keeps order within a lane. Whoever calls it holds the batcher's lock."""

    def __init__(self, budget: Budget, bulk_limit: BulkLimit, memory_limit: MemoryLimit, *, parts: int = 1) -> None:
        """`budget` is of a device as a whole, whose `parts` take batches of their own."""
        self.budget, self._parts = budget, parts
        self._bulk_limit = bulk_limit
        self._memory_limit = memory_limit
        self._waiting: dict[Lane, deque[Entry]] = {lane: deque() for lane in LANES}
        self._unprepared: deque[Entry] = deque()
        self._ahead = 0
        self._interactive_streak = 0
        self._last: dict[Kind, int] = {}
        self._away: Counter[tuple[Lane, Kind]] = Counter()

    def __len__(self) -> int:
        return sum(len(waiting) for waiting in self._waiting.values())

    def add(self, entry: Entry) -> None:
        self._waiting[entry.lane].append(entry)
        if entry.tokens is not None:
            self._ahead += 1
        elif entry.kind == "text":
            self._unprepared.append(entry)

    def drop_cancelled(self) -> int:
        dropped = 0
        for waiting in self._waiting.values():
            gone = [entry for entry in waiting if entry.future.cancelled()]
            if gone:
                self._remove(waiting, gone)
                dropped += len(gone)
        return dropped

    def clear(self) -> list[Entry]:
        left = [entry for waiting in self._waiting.values() for entry in waiting]
        for waiting in self._waiting.values():
            self._remove(waiting, list(waiting))
        return left

    def take(self) -> list[Entry]:
        """The oldest entry of the lane whose turn it is, with those of its kind behind it that fit into the budget."""
        lane = self.next_lane()
        waiting = self._waiting[lane]
        kind = waiting[0].kind
        batch = self._fitting(waiting, self._room(kind, lane))
        self._remove(waiting, batch)
        self._away[lane, kind] += len(batch)
        if lane == "interactive":
            self._last[kind] = len(batch)
        passed_bulk_by = lane == "interactive" and bool(self._waiting["bulk"])
        self._interactive_streak = self._interactive_streak + 1 if passed_bulk_by else 0
        return batch

    def done(self, batch: Sequence[Entry]) -> None:
        """The device has ended one that was taken."""
        self._away[batch[0].lane, batch[0].kind] -= len(batch)

    def most(self, kind: Kind) -> int:
        """How many may leave together."""
        return ceil(self.budget.items(kind) / self._parts)

    def next_to_prepare(self) -> Entry | None:
        """The oldest text that is not tokenised; None while a whole batch is prepared already."""
        while self._unprepared and not self._unprepared[0].waits:
            self._unprepared.popleft()
        if not self._unprepared or self._ahead >= self.most("text"):
            return None
        return self._unprepared.popleft()

    def prepared(self, entry: Entry, tokens: Tokens, *, truncated: bool) -> None:
        """One that left meanwhile is prepared by whoever took it."""
        if entry.waits:
            entry.tokens, entry.truncated = tokens, truncated
            self._ahead += 1

    def next_lane(self) -> Lane:
        """Whose turn it is; may be asked without the lock, and then has changed by the time of an answer."""
        bulk_is_due = self._interactive_streak >= BULK_SHARE and self._waiting["bulk"]
        return "interactive" if self._waiting["interactive"] and not bulk_is_due else "bulk"

    def _room(self, kind: Kind, lane: Lane) -> int:
        most = min(self._memory_limit.items(kind, self.most(kind)), self._turn(kind, lane))
        return min(most, self._bulk_limit.items(kind)) if lane == "bulk" else most

    def _turn(self, kind: Kind, lane: Lane) -> int:
        """How many of those that wait leave now.

        All together would come back together, and the device would be idle until then: two groups of one size keep it
        busy, one here while the other reads its answers and asks again. Parts of a device that work in turn have such a
        group anyway, and share with it those that wait and those that the others have: so all are of one size.
        """
        halved = self.budget.halved(kind) if lane == "interactive" else 0
        if self._parts == 1 and (not halved or len(self._waiting[lane]) < halved):
            return self.most(kind)
        waiting = sum(entry.kind == kind for entry in self._waiting[lane])
        if self._parts > 1:
            return ceil((waiting + self._away[lane, kind]) / self._parts)
        return waiting if waiting < halved else (waiting + self._last.get(kind, 0) + 1) // 2

    def _fitting(self, waiting: Iterable[Entry], room: int) -> list[Entry]:
        """Stops at the first that does not fit: long texts are not passed by for ever. Equal texts cost once."""
        batch: list[Entry] = []
        texts: set[str] = set()
        left, kind = self.budget.tokens // self._parts, None
        for entry in waiting:
            kind = kind or entry.kind
            if entry.kind != kind:
                continue
            if isinstance(entry.content, str) and entry.content not in texts:
                texts.add(entry.content)
                left -= entry.length
            if batch and (len(batch) >= room or left < 0):
                break
            batch.append(entry)
        return batch

    def _remove(self, waiting: deque[Entry], some: Sequence[Entry]) -> None:
        for entry in some:
            entry.waits = False
            self._ahead -= entry.tokens is not None
        left = [entry for entry in waiting if entry.waits]
        waiting.clear()
        waiting.extend(left)


def text_length(tokens: Tokens) -> int:
    """How many of (context,) ids are text, with its start and end; the rest repeats the last id.

    One too many where only the last id is padding: that cannot be told from a text that fills the context.
    """
    differing = np.flatnonzero(tokens != tokens[-1])
    if not len(differing):
        return 1
    length = int(differing[-1]) + 1
    return length + (length == len(tokens) - 1)
