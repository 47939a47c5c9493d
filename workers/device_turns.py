"""Turns at one device, of several models or replicas: interactive work first, else in the order of asking."""

import threading
from collections.abc import Callable

from shared.jobs import Lane
from workers.batch_queue import BULK_SHARE

# Of one model that waits: which of its lanes would get the turn if it came now.
Wants = Callable[[], Lane]


class DeviceTurns:
    """Shared by the batchers of one device, whose threads wait here. So many batches at a time as it has `seats`: one,
    or a CPU's replicas, of which a batch may take several."""

    def __init__(self, seats: int = 1) -> None:
        self._changed = threading.Condition()
        self._waiting: list[Wants] = []
        self.seats = self._free = seats
        self._interactive_streak = 0

    def take_if_free(self) -> bool:
        """Whether the turn is ours at once, as it always is where a device has one model and nothing is replicated."""
        with self._changed:
            free = self._free > 0 and not self._waiting
            self._free -= free
            return free

    def wait(self, wants: Wants) -> None:
        """Until the turn is ours. `wants` is asked anew whenever the device becomes free."""
        with self._changed:
            self._waiting.append(wants)
            self._changed.wait_for(lambda: self._free > 0 and self._next() is wants)
            self._waiting.remove(wants)
            passed_by = wants() == "interactive" and any(one() == "bulk" for one in self._waiting)
            self._interactive_streak = self._interactive_streak + 1 if passed_by else 0
            self._free -= 1
            # Another seat may be free, for whoever is next now.
            self._changed.notify_all()

    def more(self, most: int) -> int:
        """How many seats are ours besides the one that is: up to so many that nobody waits for."""
        with self._changed:
            found = 0 if self._waiting else min(most, self._free)
            self._free -= found
            return found

    def done(self, seats: int = 1) -> None:
        """Whoever has the turn gives it back."""
        with self._changed:
            self._free += seats
            self._changed.notify_all()

    def _next(self) -> Wants:
        """As within one model, a stream of interactive work lets a bulk batch through now and then."""
        first: Lane = "bulk" if self._interactive_streak >= BULK_SHARE else "interactive"
        return next((one for one in self._waiting if one() == first), self._waiting[0])
