"""Where a client goes on: what it missed, exactly, or an honest snapshot."""

from asyncio import Semaphore
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from api.dispatcher import Dispatcher
from api.sequence import to_offset
from api.subscription import Subscription
from shared.events import Events, Gap, News, Span, order

READERS = 4

# What a client must know that cannot be told what it missed, as events at an offset.
Snapshot = Callable[[str], Awaitable[Sequence[News]]]


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """`missed` lies between `after` and `until`; after `until` the dispatcher tells."""

    epoch: str
    after: str
    until: str
    missed: Sequence[News]
    recovered: bool


class Resuming:
    """Finds places. Most are found in what the dispatcher remembers; few read the stream at a time."""

    def __init__(self, events: Events, dispatcher: Dispatcher) -> None:
        self.events = events
        self.dispatcher = dispatcher
        self._readers = Semaphore(READERS)

    async def find(self, subscription: Subscription, *, after: str | None, snapshot: Snapshot | None) -> Place:
        """`subscription` is registered already, so nothing that happens from now on is lost. Raises QueueAway.

        Without `after` only what is new is told; without `snapshot` there is nothing that could be resumed.
        """
        span = await self.events.span()
        here = Place(epoch=span.epoch, after=span.last, until=span.last, missed=(), recovered=snapshot is not None)
        if after is None or snapshot is None:
            return here
        offset = to_offset(after, span.epoch)
        found = await self._missed(subscription, offset, span) if offset is not None else None
        if offset is None or found is None:
            return msgspec.structs.replace(here, missed=await snapshot(span.last), recovered=False)
        missed, until = found
        return msgspec.structs.replace(here, after=offset, until=until, missed=missed)

    async def _missed(self, subscription: Subscription, offset: str, span: Span) -> tuple[list[News], str] | None:
        """What was missed after `offset`, and until where; None when some of it is gone, or it lies ahead."""
        if not span.covers(offset):
            return None
        remembered = self.dispatcher.recent.after(offset, heard=subscription.hears)
        if self.dispatcher.epoch == span.epoch and remembered is not None:
            return remembered, max(offset, self.dispatcher.position, key=order)
        try:
            async with self._readers:
                found = await self.events.between(offset, span.last)
        except Gap:
            return None
        return [event for event in found if subscription.hears(event)], span.last
