"""One reader of the event stream for the whole process, and everybody who wants to hear of a job."""

import asyncio
import logging
import random
from asyncio import Event as Signal
from asyncio import Task
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from types import TracebackType
from typing import Protocol, Self

from api.recent import Recent
from api.results import Results
from api.tasks import end
from shared.connection import BLOCK_S
from shared.errors import JobNotFound, Unavailable
from shared.events import BATCH, START, Event, Events, News, order
from shared.jobs import FINAL, JobView
from shared.session_changes import SessionChange

logger = logging.getLogger(__name__)

PAUSE_FROM_S = 0.05
PAUSE_TO_S = 2.0

Topic = tuple[str, ...]


def of_job(job_id: str) -> Topic:
    return ("job", job_id)


def of_session(tenant: str, session: str) -> Topic:
    return ("session", tenant, session)


def of_marks(tenant: str, session: str) -> Topic:
    """What the session holds; of a member's session it is the team's that holds it."""
    return ("marks", tenant, session)


def _topics(event: News) -> Iterator[Topic]:
    if isinstance(event, SessionChange):
        # Of the end of a member's session the others of the team need not hear.
        yield (of_session if event.ended else of_marks)(event.tenant, event.session)
        return
    yield of_job(event.job)
    if event.session:
        yield of_session(event.tenant, event.session)


class Listener(Protocol):
    """Is told synchronously, so it must not wait; what it keeps is bounded by itself."""

    def tell(self, event: News) -> None: ...

    def resumed(self, *, whole: bool) -> None:
        """The stream is followed again; not `whole` when events in between are lost."""


class Waiter:
    """A long poll's listener: wakes when its job may have ended."""

    def __init__(self) -> None:
        self.signal = Signal()

    def tell(self, event: News) -> None:
        if isinstance(event, Event) and event.state in FINAL:
            self.signal.set()

    def resumed(self, *, whole: bool) -> None:
        self.signal.set()


class Dispatcher:
    """Follows the stream while it is entered, and again by itself whenever Redis comes back.

    `keep_events` is how many events Redis retains at least.
    """

    def __init__(self, events: Events, results: Results, *, stopping: Signal, keep_events: int = BATCH) -> None:
        self.events = events
        self.results = results
        self.stopping = stopping
        self.recent = Recent()
        self.position = START
        # Who fell behind what is retained gets so many at once: only then is a hole to be feared.
        self._suspicious = min(BATCH, keep_events)
        self._lost = False
        self.epoch: str | None = None
        self.found_place = Signal()
        self.observers: list[Callable[[Event], None]] = []
        self._listeners: dict[Topic, set[Listener]] = {}
        self._tasks: list[Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._release())]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await end(self._tasks)

    @contextmanager
    def listening(self, listener: Listener, topic: Topic) -> Iterator[None]:
        self.add(listener, topic)
        try:
            yield
        finally:
            self.remove(listener, topic)

    def add(self, listener: Listener, topic: Topic) -> None:
        self._listeners.setdefault(topic, set()).add(listener)

    def remove(self, listener: Listener, topic: Topic) -> None:
        listeners = self._listeners.get(topic, set())
        listeners.discard(listener)
        if not listeners:
            self._listeners.pop(topic, None)

    async def wait_for(self, tenant: str, job_id: str, *, timeout_s: float) -> JobView:
        """The job when it ended, or as it is after `timeout_s`. Raises JobNotFound, QueueAway.

        Register first, then read, then listen: what ends in between wakes the waiter, what ended before is read.
        """
        ends = monotonic() + timeout_s
        waiter = Waiter()
        with self.listening(waiter, of_job(job_id)):
            while True:
                waiter.signal.clear()
                view = await self.results.get(tenant, job_id)
                if view is None:
                    raise JobNotFound(f"no job {job_id!r}")
                left_s = ends - monotonic()
                if view.state in FINAL or left_s <= 0 or self.stopping.is_set():
                    return view
                with suppress(TimeoutError):
                    await asyncio.wait_for(waiter.signal.wait(), left_s)

    async def _run(self) -> None:
        pause_s = PAUSE_FROM_S
        while True:
            try:
                await self._catch_up()
                pause_s = PAUSE_FROM_S
                await self._follow()
            except Unavailable as error:
                logger.warning("events: Redis is away, next try in %.2f s at most: %s", pause_s, error)
            except Exception:
                logger.exception("events: reading failed")
            # Full jitter, so that many processes do not come back in step.
            await asyncio.sleep(random.uniform(PAUSE_FROM_S / 2, pause_s))  # noqa: S311 - jitter, not a secret
            pause_s = min(PAUSE_TO_S, pause_s * 2)

    async def _catch_up(self) -> None:
        """Find the place from which to follow, and have everybody look again at what they wait for."""
        span = await self.events.span()
        first = self.epoch is None
        whole = first or (span.epoch == self.epoch and not self._lost and span.covers(self.position))
        if first or not whole:
            self.position = span.last
            self.recent.restart(span.last)
        self.epoch, self._lost = span.epoch, False
        if not first:
            logger.info("events: following again%s", "" if whole else "; events between were lost")
        self.found_place.set()
        self._everybody(whole=whole)

    async def _follow(self) -> None:
        """Until the stream turns out to be another one, or to have left us behind."""
        checked = monotonic()
        while True:
            events = await self.events.follow(self.position)
            if len(events) >= self._suspicious and not await self._continues():
                self._lost = True
                return
            for event in events:
                self.position = event.offset
                self.recent.add(event)
                self._observe(event)
                self.tell(event)
            if monotonic() - checked >= BLOCK_S:
                checked = monotonic()
                if not await self._is_ours():
                    return

    def _observe(self, event: News) -> None:
        if isinstance(event, Event):
            for observe in self.observers:
                observe(event)

    async def _continues(self) -> bool:
        """Whether a full batch joins on to our position; of a stream that was empty then, nobody knows."""
        return self.position != START and (await self.events.span()).covers(self.position)

    async def _is_ours(self) -> bool:
        """redis-py reconnects by itself, without a word, perhaps to a replica that had not read everything."""
        span = await self.events.span()
        return span.epoch == self.epoch and order(span.last) >= order(self.position)

    def tell(self, event: News) -> None:
        told: set[Listener] = set()
        for topic in _topics(event):
            # A set that grows or shrinks while its members are told must not break the round.
            told.update(self._listeners.get(topic, ()))
        for listener in told:
            listener.tell(event)

    def is_heard(self, event: News) -> bool:
        return any(topic in self._listeners for topic in _topics(event))

    def _everybody(self, *, whole: bool) -> None:
        for listener in {listener for listeners in self._listeners.values() for listener in listeners}:
            listener.resumed(whole=whole)

    async def _release(self) -> None:
        """When the process stops, long polls answer with what is there."""
        await self.stopping.wait()
        self._everybody(whole=True)
