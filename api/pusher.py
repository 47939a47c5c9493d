"""Turns a websocket's events into frames and sends them, in order."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from api import frames
from api.outbox import TOO_SLOW, Closing, Entry, Outbox
from api.results import Results
from api.sequence import to_seq
from api.subscription import Subscription
from shared.clock import iso
from shared.errors import NotFound, Unavailable
from shared.events import Event
from shared.jobs import FINAL, JobView

logger = logging.getLogger(__name__)

# So many results of one connection are in memory at a time.
BATCH = 8
# A client whose socket takes nothing for so long is as good as gone.
SEND_S = 20.0
REDIS_PAUSE_S = 0.25

Send = Callable[[str], Awaitable[None]]


class Pusher:
    """The only one who writes to the socket after the welcome."""

    def __init__(self, send: Send, results: Results, subscription: Subscription, *, epoch: str) -> None:
        self._send = send
        self.results = results
        self.subscription = subscription
        self.epoch = epoch

    async def replay(self, events: Sequence[Event]) -> None:
        news = [event for event in events if self.subscription.is_news(event)]
        for start in range(0, len(news), BATCH):
            await self._push(news[start : start + BATCH])

    async def run(self, outbox: Outbox) -> None:
        while True:
            await self._push(await outbox.take(BATCH))

    async def _push(self, entries: Sequence[Entry]) -> None:
        views = await self._views([entry for entry in entries if isinstance(entry, Event) and entry.state in FINAL])
        for entry in entries:
            frame = self._frame(entry, views) if isinstance(entry, Event) else entry
            await self._write(frames.encode(frame))

    async def _write(self, text: str) -> None:
        try:
            async with asyncio.timeout(SEND_S):
                await self._send(text)
        except TimeoutError as error:
            raise Closing(TOO_SLOW, "nothing was read for too long; reconnect to resume") from error

    async def _views(self, ended: Sequence[Event]) -> dict[str, JobView | None]:
        """Results, as soon as Redis gives them: a terminal frame is late rather than lost."""
        while ended:
            try:
                found = await asyncio.gather(*(self.results.get(event.tenant, event.job) for event in ended))
            except Unavailable as error:
                logger.warning("results wait for Redis: %s", error)
                await asyncio.sleep(REDIS_PAUSE_S)
            else:
                return {event.job: view for event, view in zip(ended, found, strict=True)}
        return {}

    def _frame(self, event: Event, views: dict[str, JobView | None]) -> frames.ServerFrame:
        name = self.subscription.labels.get(event.job) or event.client_id
        seq = to_seq(event.offset, self.epoch)
        if event.state not in FINAL:
            return frames.Happened(id=name, seq=seq, job=event.job, state=event.state, at=iso(event.at_ms))
        self.subscription.unwatch(event.job)
        view = views[event.job]
        if view is not None and view.state != event.state:
            # It was run again since: this end is history, the job's terminal frame is still to come.
            return frames.Happened(id=name, seq=seq, job=event.job, state=event.state, at=iso(event.at_ms))
        if view is None or (view.error is None and view.result is None):
            gone = NotFound("the result is no longer kept").problem()
            return frames.Result(id=name, seq=seq, job=event.job, state=event.state, error=gone)
        return frames.Result(id=name, seq=seq, job=event.job, state=event.state, result=view.result, error=view.error)
