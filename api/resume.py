"""Where a websocket's session goes on: what it missed, exactly, or an honest snapshot."""

from collections.abc import Sequence

import msgspec

from api.sequence import to_offset
from api.snapshots import Snapshots
from api.subscription import Subscription
from shared.clock import now_ms
from shared.events import Event, Events, Gap, order


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """`missed` lies between `after` and `until`; after `until` the dispatcher tells."""

    epoch: str
    after: str
    until: str
    missed: Sequence[Event]
    recovered: bool


async def find_place(
    events: Events, snapshots: Snapshots, subscription: Subscription, *, known: bool, after: str | None
) -> Place:
    """`subscription` is registered already, so nothing that happens from now on is lost. Raises QueueAway."""
    epoch, until = await events.epoch(), await events.last()
    if known and after is None:
        return Place(epoch=epoch, after=until, until=until, missed=(), recovered=True)
    offset = to_offset(after, epoch) if after is not None else None
    missed = await _missed(events, subscription, offset, until) if offset is not None else None
    if offset is None or missed is None:
        now = await _snapshot(snapshots, subscription, until) if known else ()
        return Place(epoch=epoch, after=until, until=until, missed=now, recovered=False)
    return Place(epoch=epoch, after=offset, until=until, missed=missed, recovered=True)


async def _missed(events: Events, subscription: Subscription, offset: str, until: str) -> list[Event] | None:
    """The session's events after `offset`; None when some are gone, or when the place lies ahead of the stream."""
    if order(offset) > order(until):
        return None
    try:
        found = await events.between(offset, until)
    except Gap:
        return None
    return [event for event in found if event.tenant == subscription.tenant and event.session == subscription.session]


async def _snapshot(snapshots: Snapshots, subscription: Subscription, until: str) -> list[Event]:
    return [
        Event(
            offset=until,
            job=job.id,
            tenant=subscription.tenant,
            state=job.state,
            at_ms=now_ms(),
            session=subscription.session,
            client_id=job.client_id,
        )
        for job in await snapshots.open_jobs(subscription.tenant, subscription.session)
    ]
