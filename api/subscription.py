"""What one client hears: its session's jobs and those it watches, and what becomes of its marks, each event once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from api.dispatcher import Dispatcher, Topic, of_job, of_marks, of_session
from api.outbox import TOO_SLOW, TRY_LATER, Outbox
from shared.errors import TooManyRequests
from shared.events import START, News, order
from shared.jobs import FINAL
from shared.session_changes import SessionChange

MAX_HELD = 10_000
# So many ends that were shown before their event came are remembered, in order not to tell of them twice.
MAX_SHOWN = 1_024
# So many ends that were told are remembered, in order not to tell of them again to who asks again.
MAX_TOLD = 32


class Subscription:
    """A listener of the dispatcher while it is entered.

    It holds back what it hears until `begin`, and while something is being read.

    Without a session it hears of what it watches alone. `marks` names the session that holds the session's marks.
    """

    def __init__(
        self, dispatcher: Dispatcher, outbox: Outbox, *, tenant: str, session: str | None, marks: str | None = None
    ) -> None:
        self.dispatcher = dispatcher
        self.outbox = outbox
        self.tenant = tenant
        self.session = session
        self.marks = marks
        self.boundary = START
        self.open: set[str] = set()
        self.labels: dict[str, str | None] = {}
        self._held: list[News] | None = []
        self._shown: dict[str, None] = {}
        self._told: dict[str, None] = {}

    def __enter__(self) -> Self:
        for topic in self._topics():
            self.dispatcher.add(self, topic)
        return self

    def __exit__(self, *_: object) -> None:
        for topic in self._topics():
            self.dispatcher.remove(self, topic)
        for job in list(self.labels):
            self.unwatch(job)

    def _topics(self) -> Iterator[Topic]:
        if self.session is not None:
            yield of_session(self.tenant, self.session)
        if self.marks is not None:
            yield of_marks(self.tenant, self.marks)

    def begin(self, boundary: str) -> None:
        """From here on events after `boundary` go out; those before it were replayed, or are of no interest."""
        self.boundary = boundary
        self._release()

    @contextmanager
    def holding(self) -> Iterator[str]:
        """Nobody hears of a job before its `accepted` or its snapshot: what overtakes those waits, all in its order.

        Yields the offset up to which everything has been told.
        """
        self._held = []
        try:
            yield max(self.dispatcher.position, self.boundary, key=order)
        finally:
            self._release()

    def hears(self, event: News) -> bool:
        if event.tenant != self.tenant:
            return False
        if isinstance(event, SessionChange):
            return event.session == (self.session if event.ended else self.marks)
        return event.job in self.labels or (self.session is not None and event.session == self.session)

    def tell(self, event: News) -> None:
        if event.tenant != self.tenant:
            return
        if self._held is not None:
            self._hold(self._held, event)
        elif self._is_later(event) and self.is_news(event):
            self.outbox.put(event)

    def resumed(self, *, whole: bool) -> None:
        if not whole:
            self.outbox.close(TRY_LATER, "events were lost; reconnect for a snapshot")

    def watch(self, job: str, label: str | None, *, most: int) -> None:
        """Raises TooManyRequests."""
        if job not in self.labels and len(self.labels) >= most:
            raise TooManyRequests(f"at most {most:,} jobs can be watched", retry_after_s=1)
        self.labels[job] = label
        self.dispatcher.add(self, of_job(job))

    def unwatch(self, job: str) -> None:
        if job in self.labels:
            del self.labels[job]
            self.dispatcher.remove(self, of_job(job))

    def is_news(self, event: News) -> bool:
        """Whether to tell of an event: an end that was shown is not told again, unless the job ran again meanwhile."""
        if isinstance(event, SessionChange):
            return True
        shown = event.job in self._shown
        if shown:
            del self._shown[event.job]
        if event.state not in FINAL:
            return True
        self.open.discard(event.job)
        _remember(self._told, event.job, most=MAX_TOLD)
        return not shown

    def has_told_end(self, job: str) -> bool:
        """Whether the job's end went out over this connection lately."""
        return job in self._told

    def remember_end(self, job: str) -> None:
        """A snapshot has shown it, and its event may still come."""
        _remember(self._shown, job, most=MAX_SHOWN)

    def _is_later(self, event: News) -> bool:
        # What is no event of the stream is told under the last offset.
        return event.is_passing or order(event.offset) > order(self.boundary)

    def _hold(self, held: list[News], event: News) -> None:
        held.append(event)
        if len(held) > MAX_HELD:
            self.outbox.close(TOO_SLOW, "too much happened at once; reconnect to resume")

    def _release(self) -> None:
        held, self._held = self._held or [], None
        for event in held:
            self.tell(event)


def _remember(jobs: dict[str, None], job: str, *, most: int) -> None:
    """The oldest are forgotten for the newest."""
    jobs[job] = None
    if len(jobs) > most:
        del jobs[next(iter(jobs))]
