"""The `items` job: read stored items."""

import msgspec

from shared.jobs import Item, Items, ItemsResult, Moment
from workers.parts import Parts
from workers.stores.protocol import StoredPoint
from workers.tasks.call import Call
from workers.tasks.names import INTERNAL, public, stored_name


async def items(job: Items, call: Call, parts: Parts) -> ItemsResult:
    """The items that exist, in the order asked for. Raises CollectionNotFound, StoreAway."""
    collection = await parts.collections.get(call.tenant, job.collection)
    found = await parts.store.retrieve(stored_name(call.tenant, collection), job.ids)
    return ItemsResult(items=[item_of(found[one]) for one in job.ids if one in found])


def item_of(point: StoredPoint) -> Item:
    """As clients see it."""
    ours = point.payload.get(INTERNAL, {})
    return Item(
        id=point.id,
        source=ours.get("source", ""),
        hash=ours.get("hash", ""),
        width=ours.get("width", 0),
        height=ours.get("height", 0),
        payload=public(point.payload) or {},
        moment=_moment(point, ours["video"]) if "video" in ours else None,
    )


def _moment(point: StoredPoint, video: dict[str, str]) -> Moment:
    return msgspec.convert({**point.payload, "source": video["source"]}, Moment)
