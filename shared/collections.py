"""The registry of collections that API and workers share; the vector store has the vectors."""

from collections.abc import Iterable, Sequence
from typing import cast

import msgspec
from arq.connections import ArqRedis

from shared import keys, scripts
from shared.clock import now_iso
from shared.connection import redis_errors
from shared.errors import CollectionDiffers, CollectionNotFound, Invalid
from shared.jobs import COUNTED, DEFAULT_ORDER, Collection, CollectionSpec
from shared.model_names import DEFAULT_MODEL
from shared.pipe import Pipe


class _OfModel(msgspec.Struct, frozen=True):
    """All of a record that tells of its model."""

    model_name: str = DEFAULT_MODEL


_names = msgspec.msgpack.Decoder(_OfModel)


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

    async def model_names(self, tenants: Iterable[str]) -> frozenset[str]:
        """The models that their collections name."""
        with redis_errors():
            rows = await self._pipe.calls(*(("HVALS", keys.collections(tenant)) for tenant in tenants))
        return frozenset(_names.decode(raw).model_name for row in rows for raw in row)

    async def put(self, tenant: str, collection: Collection) -> None:
        with redis_errors():
            await self.redis.hset(keys.collections(tenant), collection.name, msgspec.msgpack.encode(collection))

    async def update(self, tenant: str, collection: Collection) -> None:
        """Leaves alone what was reindexed since. Raises CollectionNotFound when it was dropped meanwhile."""
        args = [collection.name, msgspec.msgpack.encode(collection), collection.generation]
        with redis_errors():
            answer = await self._update(keys=[keys.collections(tenant)], args=args)
        if answer == 0:
            raise CollectionNotFound(f"no collection {collection.name!r}", field="collection")

    async def remove(self, tenant: str, name: str) -> None:
        with redis_errors():
            await self.redis.hdel(keys.collections(tenant), name)


def same_spec(collection: Collection, spec: CollectionSpec) -> bool:
    ours = (collection.group_field, collection.order_field, collection.payload)
    same_model = spec.model_name in (None, collection.model_name)
    return same_model and ours == (spec.group_field, spec.order_field, spec.payload)


def require_same(collection: Collection, spec: CollectionSpec) -> None:
    """Raises CollectionDiffers when the collection was made with another spec."""
    if not same_spec(collection, spec):
        raise CollectionDiffers(f"collection {collection.name!r} exists with other settings")


def from_spec(name: str, spec: CollectionSpec) -> Collection:
    return Collection(
        name=name,
        group_field=spec.group_field,
        order_field=spec.order_field,
        payload=dict(spec.payload),
        created_at=now_iso(),
        model_name=spec.model_name or DEFAULT_MODEL,
    )


def indexes_of(spec: CollectionSpec | Collection) -> dict[str, str]:
    """The fields that the store indexes, with their types: those declared, and what groups need."""
    if spec.group_field is None:
        return dict(spec.payload)
    return {spec.group_field: "keyword", order_of(spec): "integer", **spec.payload}


def order_of(spec: CollectionSpec | Collection) -> str:
    """The field by which the items of a group are ordered."""
    return spec.order_field or DEFAULT_ORDER


def check_facets(collection: Collection, fields: Sequence[str]) -> None:
    """Raises Invalid, naming it, for a field whose values cannot be counted."""
    indexed = indexes_of(collection)
    for index, field in enumerate(fields):
        if indexed.get(field) not in COUNTED:
            raise Invalid(f"{field!r} is not declared as {', '.join(COUNTED)}", field=f"fields[{index}]")


def _decode(raw: bytes) -> Collection:
    return msgspec.msgpack.decode(raw, type=Collection)
