"""The `collection` job: create, drop or describe."""

import msgspec

from shared.collections import from_spec, indexes_of, require_same
from shared.errors import CollectionNotFound
from shared.jobs import Collection, CollectionSpec, CollectionTask
from workers.parts import Parts
from workers.stores.protocol import StoredCollection
from workers.tasks.call import Call
from workers.tasks.names import DRAFT, read_name, require_model, stored_name, written_name


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
        require_model(known, parts)
    info = parts.encoder.info
    made = known or msgspec.structs.replace(
        from_spec(job.collection, spec), model=info.fingerprint, dim=info.dim, model_name=parts.model_name
    )
    # The store first: what the registry names exists. A repeated attempt finds it there and goes on; a store that lost
    # what the registry names gets it back.
    await parts.store.create(stored_name(call.tenant, made), dim=info.dim, indexes=indexes_of(spec), meta=_meta(made))
    await parts.collections.put(call.tenant, made)
    return made


async def _drop(job: CollectionTask, call: Call, parts: Parts) -> Collection:
    known = await parts.collections.get(call.tenant, job.collection)
    # The vectors first: should this stop half-way, the registry still names what there is to drop.
    for stored in await _generations(call.tenant, job.collection, parts):
        await parts.store.drop(stored)
    await parts.decoding.run(parts.media.drop, call.tenant, job.collection)
    await parts.collections.remove(call.tenant, job.collection)
    return known


async def refresh_count(tenant: str, name: str, parts: Parts) -> Collection:
    """Ask the store for the exact count and keep it in the registry."""
    known = await parts.collections.get(tenant, name)
    try:
        stored = await parts.store.describe(stored_name(tenant, known))
    except CollectionNotFound:
        # Perhaps it was reindexed just now.
        known = await parts.collections.get(tenant, name)
        stored = await parts.store.describe(stored_name(tenant, known))
    counted = msgspec.structs.replace(known, count=stored.count)
    await parts.collections.update(tenant, counted)
    return counted


async def restore_registry(parts: Parts) -> int:
    """Name again what the store holds but the registry lost, as after a Redis that started empty. Returns how many."""
    newest: dict[tuple[str, str], StoredCollection] = {}
    # In the order of their generations, so that a later one takes the place of those before.
    for stored in sorted(map(read_name, await parts.store.names())):
        if await parts.collections.find(stored.tenant, stored.collection) is None:
            described = await parts.store.describe(written_name(stored))
            # A draft had not taken its place yet.
            if not described.meta.get(DRAFT):
                newest[stored.tenant, stored.collection] = described
    for (tenant, name), described in newest.items():
        await parts.collections.put(tenant, _from_store(name, described))
    return len(newest)


async def _generations(tenant: str, name: str, parts: Parts) -> list[str]:
    """All that the store has of it: also what a reindex began, or had no time to remove."""
    return [stored for stored in await parts.store.names() if read_name(stored)[:2] == (tenant, name)]


def _meta(made: Collection) -> dict[str, str]:
    return {"collection": msgspec.json.encode(made).decode()}


def _from_store(name: str, stored: StoredCollection) -> Collection:
    if "collection" in stored.meta:
        known = msgspec.json.decode(stored.meta["collection"], type=Collection)
        return msgspec.structs.replace(known, count=stored.count)
    generation = read_name(stored.name).generation
    return Collection(name=name, count=stored.count, dim=stored.dim, payload=stored.indexes, generation=generation)
