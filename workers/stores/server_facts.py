"""What is known of a server's collections without asking each time: dimension, rough count, and what we keep with them.

Metadata merges by its top-level keys, so what may change key by key stands flat in it.
"""

import time
from collections.abc import Mapping
from typing import NamedTuple

from qdrant_client import AsyncQdrantClient, models

from shared.errors import StoreAway
from workers.stores.server_errors import no_collection

# Plans need a rough count; another process may drop a collection and make it anew with another dimension.
TTL_S = 5.0

INDEX = "index:"
META = "meta:"


class Known(NamedTuple):
    """Of one collection; `size` are its points, more or less."""

    dim: int
    size: int
    metadata: Mapping[str, str]
    known_at_s: float

    @property
    def indexes(self) -> dict[str, str]:
        return self._part(INDEX)

    @property
    def meta(self) -> dict[str, str]:
        return self._part(META)

    def _part(self, prefix: str) -> dict[str, str]:
        return {key.removeprefix(prefix): value for key, value in self.metadata.items() if key.startswith(prefix)}


class Facts:
    """Of all collections of one server."""

    def __init__(self, client: AsyncQdrantClient) -> None:
        self._client = client
        self._known: dict[str, Known] = {}

    async def of(self, name: str, *, fresh: bool = False) -> Known:
        """Raises CollectionNotFound, StoreAway."""
        known = self._known.get(name)
        if known is None or fresh or time.monotonic() - known.known_at_s > TTL_S:
            known = self._known[name] = await self._ask(name)
        return known

    def forget(self, name: str) -> None:
        self._known.pop(name, None)

    async def _ask(self, name: str) -> Known:
        if not await self._client.collection_exists(name):
            raise no_collection(name)
        info = await self._client.get_collection(name)
        params = info.config.params.vectors
        if not isinstance(params, models.VectorParams):
            raise StoreAway(f"{name} was made by another program: it has named vectors")
        return Known(params.size, info.points_count or 0, info.config.metadata or {}, time.monotonic())


def as_metadata(indexes: Mapping[str, str], meta: Mapping[str, str]) -> dict[str, str]:
    """As it is kept with a collection."""
    return {INDEX + field: type_ for field, type_ in indexes.items()} | {
        META + key: value for key, value in meta.items()
    }
