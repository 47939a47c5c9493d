"""A sample of each collection's vectors: what is not looked for, mostly."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import NamedTuple

import numpy as np

from shared.errors import CliplineError
from workers.feedback import Matrix
from workers.stores.protocol import VectorStore

SIZE = 512
# A collection grows; what was drawn long ago tells less and less of it, and what was all of a small one soon nothing.
TTL_S = 300.0
SMALL_TTL_S = 5.0
# 512 vectors of 512 numbers take 1 MiB.
MAX_KEPT = 64


class _Drawn(NamedTuple):
    sample: Matrix
    fresh_until: float
    good_until: float


class Backgrounds:
    """Drawn when a search first needs them, anew behind the back of one that comes later; the ones used longest ago go
    first.
    """

    def __init__(self, store: VectorStore, *, clock: Callable[[], float] = monotonic) -> None:
        self._store = store
        self._clock = clock
        self._kept: OrderedDict[str, _Drawn] = OrderedDict()
        self._drawing = asyncio.Lock()
        self._renewing: dict[str, asyncio.Task[None]] = {}

    async def of(self, stored: str, *, dim: int) -> Matrix:
        """Up to SIZE unit vectors, (n, dim), of the collection. Raises CollectionNotFound, StoreAway."""
        if (known := self._known(stored, dim)) is None:
            async with self._drawing:
                known = self._known(stored, dim) or await self._draw(stored, dim)
        if self._clock() > known.fresh_until and stored not in self._renewing:
            # A draw takes some 30 ms, which nobody should wait for who searches on.
            task = self._renewing[stored] = asyncio.create_task(self._renew(stored, dim))
            task.add_done_callback(lambda _: self._renewing.pop(stored, None))
        return known.sample

    async def close(self) -> None:
        for task in (tasks := list(self._renewing.values())):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _known(self, stored: str, dim: int) -> _Drawn | None:
        """A collection may have been made anew with another dimension."""
        known = self._kept.get(stored)
        if known is None or self._clock() > known.good_until or known.sample.shape[1] != dim:
            return None
        self._kept.move_to_end(stored)
        return known

    async def _renew(self, stored: str, dim: int) -> None:
        # Whoever needs it when it is no longer good draws it again, and is told what is wrong.
        with suppress(CliplineError):
            await self._draw(stored, dim)

    async def _draw(self, stored: str, dim: int) -> _Drawn:
        points = await self._store.sample(stored, SIZE)
        rows = [np.frombuffer(one.vector or b"", dtype="<f4") for one in points]
        sample = np.stack(rows) if rows else np.zeros((0, dim), dtype=np.float32)
        ttl_s = TTL_S if len(sample) == SIZE else SMALL_TTL_S
        drawn = self._kept[stored] = _Drawn(sample, self._clock() + ttl_s, self._clock() + 2 * ttl_s)
        self._kept.move_to_end(stored)
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return drawn
