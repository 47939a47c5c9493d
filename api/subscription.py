"""What one websocket hears: its session's jobs and those it watches, each event once."""

from asyncio import Event as Signal
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

from api.dispatcher import Dispatcher, of_job, of_session
from api.outbox import TOO_SLOW, TRY_LATER, Outbox
from shared.errors import TooManyRequests
from shared.events import START, Event, order
from shared.jobs import FINAL

MAX_WATCHED = 256
MAX_HELD = 10_000
# So many ended jobs are remembered, in order not to tell of an end twice.
MAX_ENDED = 2_048


class Subscription:
    """A listener of the dispatcher; it holds back what it hears until `begin`, and while something is being read."""

    def __init__(self, dispatcher: Dispatcher, outbox: Outbox, *, tenant: str, session: str) -> None:
        self.dispatcher = dispatcher
        self.outbox = outbox
        self.tenant = tenant
        self.session = session
        self.boundary = START
        self.begun = Signal()
        self.open: set[str] = set()
        self.labels: dict[str, str | None] = {}
        self._held: list[Event] | None = []
        self._ended: OrderedDict[str, None] = OrderedDict()

    @contextmanager
    def registered(self) -> Iterator[None]:
        self.dispatcher.add(self, of_session(self.tenant, self.session))
        try:
            yield
        finally:
            self.dispatcher.remove(self, of_session(self.tenant, self.session))
            for job in list(self.labels):
                self.unwatch(job)

    def begin(self, boundary: str) -> None:
        """From here on events after `boundary` go out; those before it were replayed, or are of no interest."""
        self.boundary = boundary
        self._release()
        self.begun.set()

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Nobody hears of a job before its `accepted` or its snapshot: what overtakes those waits, all in its order."""
        self._held = []
        try:
            yield
        finally:
            self._release()

    def tell(self, event: Event) -> None:
        if event.tenant != self.tenant:
            return
        if self._held is not None:
            self._hold(self._held, event)
        elif order(event.offset) > order(self.boundary) and self.is_news(event):
            self.outbox.put(event)

    def resumed(self, *, whole: bool) -> None:
        if not whole:
            self.outbox.close(TRY_LATER, "events were lost; reconnect for a snapshot")

    def watch(self, job: str, label: str | None) -> None:
        """Raises TooManyRequests."""
        if job not in self.labels and len(self.labels) >= MAX_WATCHED:
            raise TooManyRequests(f"at most {MAX_WATCHED} jobs can be watched", retry_after_s=1)
        self.labels[job] = label
        self.dispatcher.add(self, of_job(job))

    def unwatch(self, job: str) -> None:
        if job in self.labels:
            del self.labels[job]
            self.dispatcher.remove(self, of_job(job))

    def is_news(self, event: Event) -> bool:
        """Whether to tell of an event: an end only once, unless the job was run again meanwhile."""
        if event.state not in FINAL:
            self._ended.pop(event.job, None)
            return True
        self.open.discard(event.job)
        known = event.job in self._ended
        self.remember_end(event.job)
        return not known

    def remember_end(self, job: str) -> None:
        self._ended[job] = None
        self._ended.move_to_end(job)
        if len(self._ended) > MAX_ENDED:
            self._ended.popitem(last=False)

    def _hold(self, held: list[Event], event: Event) -> None:
        held.append(event)
        if len(held) > MAX_HELD:
            self.outbox.close(TOO_SLOW, "too much happened at once; reconnect to resume")

    def _release(self) -> None:
        held, self._held = self._held or [], None
        for event in held:
            self.tell(event)
