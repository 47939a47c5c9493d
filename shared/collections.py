"""The registry of collections that API and workers share; the vector store has the vectors."""

from typing import cast

import msgspec
from arq.connections import ArqRedis

from shared import keys, scripts
from shared.clock import now_iso
from shared.connection import redis_errors
from shared.errors import CollectionDiffers, CollectionNotFound
from shared.jobs import Collection, CollectionSpec
from shared.pipe import Pipe


class Collections:
    """Reads and writes a tenant's collections."""

    def __init__(self, redis: ArqRedis) -> None:
        self.redis = redis
        # Every search asks whether its collection exists.
        self._pipe = Pipe(redis)
        self._update = redis.register_script(scripts.alone("update_collection"))

    async def get(self, tenant: str, name: str) -> Collection:
        """Raises CollectionNotFound, also for another tenant's collection."""
        found = await self.find(tenant, name)
        if found is None:
            raise CollectionNotFound(f"no collection {name!r}", field="collection")
        return found

    async def find(self, tenant: str, name: str) -> Collection | None:
        with redis_errors():
            raw = await self._pipe.call("HGET", keys.collections(tenant), name)
        return _decode(cast(bytes, raw)) if raw else None

    async def all(self, tenant: str) -> list[Collection]:
        with redis_errors():
            rows = await self.redis.hgetall(keys.collections(tenant))
        return sorted((_decode(raw) for raw in rows.values()), key=lambda collection: collection.name)

    async def put(self, tenant: str, collection: Collection) -> None:
        with redis_errors():
            await self.redis.hset(keys.collections(tenant), collection.name, msgspec.msgpack.encode(collection))

    async def update(self, tenant: str, collection: Collection) -> None:
        """Raises CollectionNotFound when it was dropped meanwhile."""
        with redis_errors():
            there = await self._update(
                keys=[keys.collections(tenant)], args=[collection.name, msgspec.msgpack.encode(collection)]
            )
        if not there:
            raise CollectionNotFound(f"no collection {collection.name!r}", field="collection")

    async def remove(self, tenant: str, name: str) -> None:
        with redis_errors():
            await self.redis.hdel(keys.collections(tenant), name)


def same_spec(collection: Collection, spec: CollectionSpec) -> bool:
    return collection.group_field == spec.group_field and collection.payload == spec.payload


def require_same(collection: Collection, spec: CollectionSpec) -> None:
    """Raises CollectionDiffers when the collection was made with another spec."""
    if not same_spec(collection, spec):
        raise CollectionDiffers(f"collection {collection.name!r} exists with other settings")


def from_spec(name: str, spec: CollectionSpec) -> Collection:
    return Collection(name=name, group_field=spec.group_field, payload=dict(spec.payload), created_at=now_iso())


def _decode(raw: bytes) -> Collection:
    return msgspec.msgpack.decode(raw, type=Collection)
