"""What waits to be sent to one client: bounded, and a verdict when the bound is reached."""

from asyncio import Event as Signal
from collections import deque
from collections.abc import Callable

from api.frames import ServerFrame
from shared.events import Event, News
from shared.jobs import FINAL

MOST = 256
# From here on only the newest progress of a job is kept; a client that keeps up never sees less than everything.
CROWDED = 64

GOING_AWAY = 1001
TRY_LATER = 1013
TOO_SLOW = 4008

Entry = ServerFrame | News


class Closing(Exception):
    """The connection is to be closed by us, with this code."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


def needs_result(entry: Entry) -> bool:
    return isinstance(entry, Event) and entry.state in FINAL


class Outbox:
    """Holds events, which are small, not results: those are read when their turn comes.

    `on_filled` is called after every entry, `on_verdict` once. Ten thousand of these lie idle in a process, so what
    only a busy one needs is made when it is needed.
    """

    __slots__ = ("__weakref__", "_eased", "_entries", "on_filled", "on_verdict", "verdict")

    def __init__(self) -> None:
        self.verdict: Closing | None = None
        self.on_filled: Callable[[], None] | None = None
        self.on_verdict: Callable[[Closing], None] | None = None
        self._entries: deque[Entry] | None = None
        self._eased: Signal | None = None

    def __len__(self) -> int:
        return len(self._entries) if self._entries else 0

    def put(self, entry: Entry) -> None:
        """Never waits. Terminal events are never dropped: when there is no room left, the connection ends as slow."""
        if self.verdict is not None:
            return
        if self._entries is None:
            self._entries = deque()
        if len(self._entries) >= CROWDED and isinstance(entry, Event):
            self._coalesce(self._entries, entry.job)
        if len(self._entries) >= MOST:
            self.close(TOO_SLOW, "frames are not read fast enough; reconnect to resume")
            return
        self._entries.append(entry)
        if self.on_filled is not None:
            self.on_filled()

    def close(self, code: int, reason: str) -> None:
        if self.verdict is not None:
            return
        self.verdict = Closing(code, reason)
        self._entries = None
        self._ease()
        if self.on_verdict is not None:
            self.on_verdict(self.verdict)

    def take(self, most: int, *, plain: bool = False) -> list[Entry]:
        """The oldest entries; with `plain` only up to the first one whose result must be read."""
        taken: list[Entry] = []
        entries = self._entries
        while entries and len(taken) < most and not (plain and needs_result(entries[0])):
            taken.append(entries.popleft())
        if not entries:
            self._entries = None
        if len(self) < CROWDED:
            self._ease()
        return taken

    async def eased(self) -> None:
        """Whoever answers a client's own frames waits here, so that one who does not read is not read either."""
        if len(self) < CROWDED:
            return
        if self._eased is None:
            self._eased = Signal()
        await self._eased.wait()

    def _ease(self) -> None:
        if self._eased is not None:
            self._eased.set()
            self._eased = None

    def _coalesce(self, entries: deque[Entry], job: str) -> None:
        kept = [entry for entry in entries if not _is_progress_of(entry, job)]
        if len(kept) < len(entries):
            entries.clear()
            entries.extend(kept)


def _is_progress_of(entry: Entry, job: str) -> bool:
    return isinstance(entry, Event) and entry.job == job and entry.state not in FINAL
