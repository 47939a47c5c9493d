"""Turns of several models at one device: one batch at a time, interactive work first, else in the order of asking."""

import threading
from collections.abc import Callable

from shared.jobs import Lane
from workers.batch_queue import BULK_SHARE

# Of one model that waits: which of its lanes would get the turn if it came now.
Wants = Callable[[], Lane]


class DeviceTurns:
    """Shared by the batchers of one device, each of which waits on its own thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: list[Wants] = []
        self._busy = False
        self._interactive_streak = 0

    def take_if_free(self) -> bool:
        """Whether the turn is ours at once, as it always is where a device has one model."""
        with self._changed:
            free = not self._busy and not self._waiting
            self._busy = self._busy or free
            return free

    def wait(self, wants: Wants) -> None:
        """Until the turn is ours. `wants` is asked anew whenever the device becomes free."""
        with self._changed:
            self._waiting.append(wants)
            self._changed.wait_for(lambda: not self._busy and self._next() is wants)
            self._waiting.remove(wants)
            passed_by = wants() == "interactive" and any(one() == "bulk" for one in self._waiting)
            self._interactive_streak = self._interactive_streak + 1 if passed_by else 0
            self._busy = True

    def done(self) -> None:
        """Whoever has the turn gives it back."""
        with self._changed:
            self._busy = False
            self._changed.notify_all()

    def _next(self) -> Wants:
        """As within one model, a stream of interactive work lets a bulk batch through now and then."""
        first: Lane = "bulk" if self._interactive_streak >= BULK_SHARE else "interactive"
        return next((one for one in self._waiting if one() == first), self._waiting[0])
