"""What waits to be sent to one websocket: bounded, and a verdict when the bound is reached."""

from asyncio import Event as Signal
from collections import deque

from api.frames import ServerFrame
from shared.events import Event
from shared.jobs import FINAL

MOST = 256
# From here on only the newest progress of a job is kept; a client that keeps up never sees less than everything.
CROWDED = 64

TOO_SLOW = 4008
TRY_LATER = 1013

Entry = ServerFrame | Event


class Closing(Exception):
    """The socket is to be closed by us, with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Outbox:
    """Holds events, which are small, not results: those are read when their turn comes."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.verdict: Closing | None = None
        self.closed = Signal()
        self._entries: deque[Entry] = deque()
        self._filled = Signal()
        self._eased = Signal()
        self._eased.set()

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, entry: Entry) -> None:
        """Never waits. Terminal events are never dropped: when there is no room left, the connection ends as slow."""
        if len(self._entries) >= CROWDED and isinstance(entry, Event):
            self._coalesce(entry.job)
        if len(self._entries) >= self.most:
            self.close(TOO_SLOW, "frames are not read fast enough; reconnect to resume")
            return
        self._entries.append(entry)
        self._filled.set()
        if len(self._entries) >= CROWDED:
            self._eased.clear()

    def close(self, code: int, reason: str) -> None:
        self.verdict = self.verdict or Closing(code, reason)
        self.closed.set()

    async def take(self, most: int) -> list[Entry]:
        """The oldest entries, at least one."""
        await self._filled.wait()
        taken = [self._entries.popleft() for _ in range(min(most, len(self._entries)))]
        if not self._entries:
            self._filled.clear()
        if len(self._entries) < CROWDED:
            self._eased.set()
        return taken

    async def eased(self) -> None:
        """Whoever answers a client's own frames waits here, so that one who does not read is not read either."""
        await self._eased.wait()

    def _coalesce(self, job: str) -> None:
        kept = [entry for entry in self._entries if not _is_progress_of(entry, job)]
        if len(kept) < len(self._entries):
            self._entries = deque(kept)


def _is_progress_of(entry: Entry, job: str) -> bool:
    return isinstance(entry, Event) and entry.job == job and entry.state not in FINAL
