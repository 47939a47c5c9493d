"""A sample of each collection's vectors: what is not looked for, mostly."""

import asyncio
from collections import OrderedDict
from time import monotonic

import numpy as np

from workers.feedback import Matrix
from workers.stores.protocol import VectorStore

SIZE = 512
# A collection grows; what was drawn long ago tells less and less of it, and what was all of a small one soon nothing.
TTL_S = 300.0
SMALL_TTL_S = 5.0
# 512 vectors of 512 numbers take 1 MiB.
MAX_KEPT = 64


class Backgrounds:
    """Drawn when a search first needs them, kept for some minutes; the ones used longest ago go first."""

    def __init__(self, store: VectorStore) -> None:
        self._store = store
        self._kept: OrderedDict[str, tuple[float, Matrix]] = OrderedDict()
        self._drawing = asyncio.Lock()

    async def of(self, stored: str, *, dim: int) -> Matrix:
        """Up to SIZE unit vectors, (n, dim), of the collection. Raises CollectionNotFound, StoreAway."""
        if (known := self._fresh(stored, dim)) is not None:
            return known
        async with self._drawing:
            if (known := self._fresh(stored, dim)) is not None:
                return known
            drawn = await self._draw(stored, dim)
            self._kept[stored] = (monotonic() + (TTL_S if len(drawn) == SIZE else SMALL_TTL_S), drawn)
            self._kept.move_to_end(stored)
            if len(self._kept) > MAX_KEPT:
                self._kept.popitem(last=False)
            return drawn

    def _fresh(self, stored: str, dim: int) -> Matrix | None:
        """A collection may have been made anew with another dimension."""
        until, known = self._kept.get(stored, (0.0, None))
        if known is None or monotonic() > until or known.shape[1] != dim:
            return None
        self._kept.move_to_end(stored)
        return known

    async def _draw(self, stored: str, dim: int) -> Matrix:
        drawn = await self._store.sample(stored, SIZE)
        if not drawn:
            return np.zeros((0, dim), dtype=np.float32)
        return np.stack([np.frombuffer(one.vector or b"", dtype="<f4") for one in drawn])
