"""Measures how late an event loop comes back, and says where it stood when that was long.

A task sleeps and looks how much too late it wakes. asyncio's debug mode would time each callback, but costs more than
the callbacks. A thread looks at the loop's stack while it is overdue: afterwards nobody would know what held it up.
"""

import asyncio
import logging
import sys
import threading
from collections import deque
from pathlib import Path
from time import monotonic
from types import FrameType

from shared.metrics import LoopMeters

logger = logging.getLogger(__name__)

TICK_S = 0.05
# As asyncio's own slow_callback_duration.
SLOW_S = 0.1
# From here on people notice: before it is for the log alone.
FELT_S = 0.5
RECENT = 200
# A loop that is held up all the time is told of so often.
TOLD_EVERY_S = 10.0
OURS = frozenset({"api", "workers", "shared", "cli"})


class LoopWatch:
    """Watches the loop that runs it."""

    def __init__(self, meters: LoopMeters, *, slow_s: float = SLOW_S) -> None:
        self.meters = meters
        self.slow_s = slow_s
        self.where: str | None = None
        self._recent: deque[float] = deque(maxlen=RECENT)
        self._due = monotonic()
        self._told = -TOLD_EVERY_S
        self._leave = threading.Event()

    @property
    def longest_s(self) -> float:
        return max(self._recent, default=0.0)

    async def run(self) -> None:
        """Until cancelled."""
        self._due = monotonic() + TICK_S
        watcher = threading.Thread(target=self._watch, args=(threading.get_ident(),), name="loop-watch", daemon=True)
        watcher.start()
        try:
            while True:
                await asyncio.sleep(TICK_S)
                self._woke(max(0.0, monotonic() - self._due))
                self._due = monotonic() + TICK_S
        finally:
            self._leave.set()

    def _woke(self, late_s: float) -> None:
        self._recent.append(late_s)
        self.meters.lag.observe(late_s)
        self.meters.longest.set(self.longest_s)
        if late_s >= self.slow_s:
            self.meters.slow.inc()
            self._tell(late_s)

    def _tell(self, late_s: float) -> None:
        now = monotonic()
        if now - self._told >= TOLD_EVERY_S:
            self._told = now
            logger.log(
                logging.WARNING if late_s >= FELT_S else logging.INFO,
                "the event loop was held up for %.0f ms, at %s",
                late_s * 1000,
                self.where or "no known place",
            )

    def _watch(self, loop_thread: int) -> None:
        seen = self._due
        while not self._leave.wait(self.slow_s / 2):
            due = self._due
            if due != seen and monotonic() - due > self.slow_s / 2:
                self.where, seen = place(sys._current_frames().get(loop_thread)), due


def place(frame: FrameType | None) -> str | None:
    """The innermost line of our own code, else of any: `api/uploads.py:131 in receive`."""
    innermost = frame
    while frame is not None:
        if Path(frame.f_code.co_filename).parent.name in OURS:
            return _told(frame)
        frame = frame.f_back
    return _told(innermost) if innermost is not None else None


def _told(frame: FrameType) -> str:
    path = Path(frame.f_code.co_filename)
    return f"{path.parent.name}/{path.name}:{frame.f_lineno} in {frame.f_code.co_name}"
