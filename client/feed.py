"""What happens to one job, for whoever follows it: its events, then its result."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

import msgspec

from client.frames import JobEvent, JobFrame, JobResult
from shared.errors import CliplineError

# So many steps of a job wait for whoever reads them; of more, the oldest go. The result always stays.
MOST = 256


class Feed:
    """Filled by the connection, read once."""

    def __init__(self) -> None:
        self._frames: deque[JobFrame] = deque(maxlen=MOST)
        self._news = asyncio.Event()
        self._last: JobFrame | None = None
        self._error: CliplineError | None = None
        self._over = False

    def put(self, frame: JobFrame) -> None:
        if self._over or (self._last is not None and _is_old(frame, self._last)):
            return
        self._last = frame
        self._frames.append(frame)
        self._over = isinstance(frame, JobResult)
        self._news.set()

    def fail(self, error: CliplineError) -> None:
        """The reader gets what came before, then the error."""
        if not self._over:
            self._over, self._error = True, error
            self._news.set()

    async def frames(self) -> AsyncIterator[JobFrame]:
        """Raises CliplineError when the job cannot be followed to its end."""
        while True:
            while self._frames:
                yield self._frames.popleft()
            if self._error is not None:
                raise self._error
            if self._over:
                return
            self._news.clear()
            await self._news.wait()


class Feeds:
    """Of each job that is followed, those of its followers."""

    def __init__(self) -> None:
        self._of: dict[str, set[Feed]] = {}

    @property
    def jobs(self) -> list[str]:
        return list(self._of)

    def open(self, job: str) -> Feed:
        feed = Feed()
        self._of.setdefault(job, set()).add(feed)
        return feed

    def close(self, job: str, feed: Feed) -> None:
        feeds = self._of.get(job, set())
        feeds.discard(feed)
        if not feeds:
            self._of.pop(job, None)

    def put(self, frame: JobFrame) -> None:
        for feed in self._of.get(frame.job, ()):
            feed.put(frame)

    def fail(self, job: str, error: CliplineError) -> None:
        for feed in self._of.get(job, ()):
            feed.fail(error)

    def fail_all(self, error: CliplineError) -> None:
        for job in self._of:
            self.fail(job, error)


def _is_old(frame: JobFrame, last: JobFrame) -> bool:
    """After a reconnect a job's state is told again; a result is news in any case."""
    return isinstance(frame, JobEvent) and (frame.seq < last.seq or _placeless(frame) == _placeless(last))


def _placeless(frame: JobFrame) -> JobFrame:
    if isinstance(frame, JobEvent):
        return msgspec.structs.replace(frame, seq="", at=None)
    return frame
