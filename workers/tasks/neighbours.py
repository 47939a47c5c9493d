"""The `neighbours` job: what stands before and after an item in its group."""

import asyncio
from dataclasses import dataclass
from typing import cast

from shared.collections import order_of
from shared.errors import Invalid
from shared.filters import Condition, Filter, Range, moment
from shared.jobs import Collection, GroupKey, Neighbours, NeighboursResult
from workers.parts import Parts
from workers.stores.protocol import OrderQuery, StoredPoint
from workers.tasks.call import Call
from workers.tasks.items import item_of
from workers.tasks.names import stored_name, value_at

# Items of one group at one place stand in the order of their ids; beyond so many some are passed over.
MAX_TIES = 1_000

Place = int | float | str


async def neighbours(job: Neighbours, call: Call, parts: Parts) -> NeighboursResult:
    """The item with its neighbours, nearest places first kept. Raises CollectionNotFound, Invalid, StoreAway."""
    collection = await parts.collections.get(call.tenant, job.collection)
    stored = stored_name(call.tenant, collection)
    if collection.group_field is None:
        raise Invalid(f"collection {collection.name!r} has no group_field", field="name")
    point = (await parts.store.retrieve(stored, [job.id])).get(job.id)
    if point is None:
        return NeighboursResult(item=None)
    line = _line_of(point, collection, stored, parts)
    if line is None:
        return NeighboursResult(item=item_of(point))
    before, ties, after = await asyncio.gather(line.before(job.before), line.ties(), line.after(job.after))
    earlier = [one for one in ties if one.id < job.id]
    later = [one for one in ties if one.id > job.id]
    return NeighboursResult(
        item=item_of(point),
        group=line.group,
        before=[item_of(one) for one in [*before, *earlier][::-1][: job.before][::-1]],
        after=[item_of(one) for one in [*later, *after][: job.after]],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A group in its order, seen from one place in it."""

    stored: str
    parts: Parts
    group_field: str
    group: GroupKey
    order: str
    place: Place

    async def before(self, limit: int) -> list[StoredPoint]:
        return (await self._beyond(Range(lt=self.place), limit, descending=True))[::-1]

    async def after(self, limit: int) -> list[StoredPoint]:
        return await self._beyond(Range(gt=self.place), limit, descending=False)

    async def ties(self) -> list[StoredPoint]:
        return await self._at(self.place)

    async def _beyond(self, range_: Range, limit: int, *, descending: bool) -> list[StoredPoint]:
        """The nearest `limit`. Stores leave the order of equal places open: where they cut, all of those are read."""
        if not limit:
            return []
        found = await self._read(range_, limit + 1, descending=descending)
        places = [self._place_of(one) for one in found]
        if len(found) > limit and _comparable(places[limit]) == _comparable(places[limit - 1]):
            last = _comparable(places[limit])
            kept = [one for one, place in zip(found, places, strict=True) if _comparable(place) != last]
            found = [*kept, *await self._at(places[limit])]
        found.sort(key=lambda one: (_comparable(self._place_of(one)), one.id), reverse=descending)
        return found[:limit]

    async def _at(self, place: Place) -> list[StoredPoint]:
        found = await self._read(Range(gte=place, lte=place), MAX_TIES, descending=False)
        return sorted(found, key=lambda one: one.id)

    async def _read(self, range_: Range, limit: int, *, descending: bool) -> list[StoredPoint]:
        where = Filter(
            must=[Condition(key=self.group_field, match=self.group), Condition(key=self.order, range=range_)]
        )
        query = OrderQuery(filter=where, order=self.order, limit=limit, descending=descending)
        return await self.parts.store.ordered(self.stored, query)

    def _place_of(self, point: StoredPoint) -> Place:
        return cast(Place, value_at(point.payload, self.order))


def _comparable(place: Place) -> float:
    return moment(place).timestamp() if isinstance(place, str) else place


def _line_of(point: StoredPoint, collection: Collection, stored: str, parts: Parts) -> _Line | None:
    """None for an item without a group, or without a place in it."""
    group_field, order = collection.group_field or "", order_of(collection)
    group, place = value_at(point.payload, group_field), value_at(point.payload, order)
    if not isinstance(group, str | int) or not _is_place(place):
        return None
    at = cast(Place, place)
    return _Line(stored=stored, parts=parts, group_field=group_field, group=group, order=order, place=at)


def _is_place(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return False
    try:
        return bool(Range(gte=value).bounds)
    except ValueError:
        return False
