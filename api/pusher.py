"""Turns a client's events into frames and sends them, in order: at once where it can, by a task where it must wait."""

import asyncio
import logging
from asyncio import Task
from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol, TypeVar

from msgspec import UNSET, UnsetType
from starlette.websockets import WebSocketDisconnect

from api import frames
from api.outbox import MOST, TOO_SLOW, Closing, Entry, Outbox, needs_result
from api.results import Results
from api.sequence import following, to_seq
from api.subscription import Subscription
from api.tasks import end
from shared.clock import iso
from shared.errors import NotFound, Unavailable
from shared.events import Event, News
from shared.jobs import FINAL, JobView
from shared.session_changes import SessionChange

logger = logging.getLogger(__name__)

T = TypeVar("T")

UNEXPECTED = 1011
# So many results of one connection are in memory at a time.
BATCH = 8
# A client whose socket takes nothing for so long is as good as gone.
SEND_S = 20.0
REDIS_PAUSE_S = 0.25


class Channel(Protocol):
    """The way to one client."""

    def push_now(self, sent: Sequence[frames.ServerFrame]) -> bool:
        """Send without waiting; False, and nothing is sent, when that is not possible now."""

    async def push(self, frame: frames.ServerFrame) -> None:
        """Send, after waiting until the client takes more."""


class Pusher:
    """The only one who writes to the client after the welcome. An idle one has no task."""

    def __init__(
        self, channel: Channel, results: Results, subscription: Subscription, *, outbox: Outbox, epoch: str, after: str
    ) -> None:
        self.channel = channel
        self.results = results
        self.subscription = subscription
        self.outbox = outbox
        self.epoch = epoch
        self._last_seq = after
        self._called = False
        self._task: Task[None] | None = None

    async def replay(self, events: Sequence[News]) -> None:
        """What was missed, and then whatever the outbox gets. Raises Closing."""
        for start in range(0, len(events), BATCH):
            await self._push([event for event in events[start : start + BATCH] if self.subscription.is_news(event)])
        self.outbox.on_filled = self._call
        self._call()

    async def stop(self) -> None:
        self.outbox.on_filled = None
        if self._task is not None:
            await end([self._task])

    def _call(self) -> None:
        """All that one turn of the loop brings goes out together."""
        if not self._called and self._task is None:
            self._called = True
            asyncio.get_running_loop().call_soon(self._send)

    def _send(self) -> None:
        self._called = False
        if self._task is not None or self.outbox.on_filled is None:
            return
        while plain := self.outbox.take(MOST, plain=True):
            made = [self._plain(entry) for entry in plain]
            if not self.channel.push_now(made):
                self._task = asyncio.create_task(self._drain(made))
                return
        if len(self.outbox):
            self._task = asyncio.create_task(self._drain([]))

    async def _drain(self, first: Sequence[frames.ServerFrame]) -> None:
        """Until nothing waits; whatever goes wrong is the connection's verdict."""
        try:
            for frame in first:
                await self._write(frame)
            while entries := self.outbox.take(BATCH):
                await self._push(entries)
        except Closing as closing:
            self.outbox.close(closing.code, closing.reason)
        except (WebSocketDisconnect, OSError):
            pass  # who reads from the client is told as well
        except Exception:
            logger.exception("pushing failed")
            self.outbox.close(UNEXPECTED, "something went wrong on our side")
        finally:
            self._task = None

    async def _push(self, entries: Sequence[Entry]) -> None:
        views = await self._views([entry for entry in entries if isinstance(entry, Event) and entry.state in FINAL])
        for entry in entries:
            await self._write(self._ended(entry, views) if needs_result(entry) else self._plain(entry))

    async def _write(self, frame: frames.ServerFrame) -> None:
        try:
            async with asyncio.timeout(SEND_S):
                await self.channel.push(frame)
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

    def _plain(self, entry: Entry) -> frames.ServerFrame:
        if isinstance(entry, SessionChange):
            return changed(entry, self._seq(entry))
        if not isinstance(entry, Event):
            return entry
        return happened(entry, self._name(entry), self._seq(entry))

    def _ended(self, entry: Entry, views: dict[str, JobView | None]) -> frames.ServerFrame:
        assert isinstance(entry, Event), "only events have results"
        name, seq = self._name(entry), self._seq(entry)
        self.subscription.unwatch(entry.job)
        view = views[entry.job]
        if view is not None and view.state != entry.state:
            # It was run again since: this end is history, the job's terminal frame is still to come.
            return happened(entry, name, seq)
        if view is None or (view.error is None and view.result is None):
            gone = NotFound("the result is no longer kept").problem()
            return frames.Result(id=name, seq=seq, job=entry.job, state=entry.state, error=gone)
        return frames.Result(id=name, seq=seq, job=entry.job, state=entry.state, result=view.result, error=view.error)

    def _name(self, event: Event) -> str | None:
        return self.subscription.labels.get(event.job) or event.client_id

    def _seq(self, event: News) -> str:
        """Each frame has a later one than the frame before, also where two tell of one moment."""
        seq = to_seq(event.offset, self.epoch)
        self._last_seq = seq if seq > self._last_seq else following(self._last_seq)
        return self._last_seq


@lru_cache(256)
def happened(event: Event, name: str | None, seq: str) -> frames.Happened:
    """Many who listen to one job are told in the same words."""
    return frames.Happened(
        id=name,
        seq=seq,
        job=event.job,
        state=event.state,
        at=iso(event.at_ms),
        position=_set_or_not(event.position),
        stage=_set_or_not(event.stage),
        done=_set_or_not(event.done),
        total=_set_or_not(event.total),
    )


def changed(change: SessionChange, seq: str) -> frames.SessionFrame:
    return frames.SessionFrame(
        session=change.session,
        seq=seq,
        at=iso(change.at_ms),
        collection=change.collection,
        revision=change.revision,
        by=change.by,
        changes=change.changes,
        ended=change.ended or UNSET,
    )


def _set_or_not(value: T | None) -> T | UnsetType:
    return UNSET if value is None else value
