"""The `collection` job: create, drop or describe."""

import msgspec

from shared.collections import from_spec, indexes_of, require_same
from shared.jobs import Collection, CollectionSpec, CollectionTask
from workers.parts import Parts
from workers.stores.protocol import StoredCollection
from workers.tasks.call import Call
from workers.tasks.names import require_model, stored_name, tenant_and_collection


async def collection(job: CollectionTask, call: Call, parts: Parts) -> Collection:
    """The collection after the change; a dropped one as it was. Raises CollectionDiffers, CollectionNotFound."""
    match job.op:
        case "create":
            return await _create(job, call, parts)
        case "drop":
            return await _drop(job, call, parts)
        case "describe":
            return await refresh_count(call.tenant, job.collection, parts)


async def _create(job: CollectionTask, call: Call, parts: Parts) -> Collection:
    spec = job.spec or CollectionSpec()
    known = await parts.collections.find(call.tenant, job.collection)
    if known is not None:
        require_same(known, spec)
        require_model(known, parts.encoder.info)
    info = parts.encoder.info
    made = known or msgspec.structs.replace(from_spec(job.collection, spec), model=info.fingerprint, dim=info.dim)
    # The store first: what the registry names exists. A repeated attempt finds it there and goes on; a store that lost
    # what the registry names gets it back.
    await parts.store.create(
        stored_name(call.tenant, job.collection), dim=info.dim, indexes=indexes_of(spec), meta=_meta(made)
    )
    await parts.collections.put(call.tenant, made)
    return made


async def _drop(job: CollectionTask, call: Call, parts: Parts) -> Collection:
    known = await parts.collections.get(call.tenant, job.collection)
    # The vectors first: should this stop half-way, the registry still names what there is to drop.
    await parts.store.drop(stored_name(call.tenant, job.collection))
    await parts.decoding.run(parts.media.drop, call.tenant, job.collection)
    await parts.collections.remove(call.tenant, job.collection)
    return known


async def refresh_count(tenant: str, name: str, parts: Parts) -> Collection:
    """Ask the store for the exact count and keep it in the registry."""
    known = await parts.collections.get(tenant, name)
    stored = await parts.store.describe(stored_name(tenant, name))
    counted = msgspec.structs.replace(known, count=stored.count)
    await parts.collections.update(tenant, counted)
    return counted


async def restore_registry(parts: Parts) -> int:
    """Name again what the store holds but the registry lost, as after a Redis that started empty. Returns how many."""
    restored = 0
    for stored in await parts.store.names():
        tenant, name = tenant_and_collection(stored)
        if await parts.collections.find(tenant, name) is None:
            await parts.collections.put(tenant, _from_store(name, await parts.store.describe(stored)))
            restored += 1
    return restored


def _meta(made: Collection) -> dict[str, str]:
    return {"collection": msgspec.json.encode(made).decode()}


def _from_store(name: str, stored: StoredCollection) -> Collection:
    if "collection" in stored.meta:
        known = msgspec.json.decode(stored.meta["collection"], type=Collection)
        return msgspec.structs.replace(known, count=stored.count)
    return Collection(name=name, count=stored.count, dim=stored.dim, payload=stored.indexes)
