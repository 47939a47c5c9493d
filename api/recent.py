"""The newest events, as the dispatcher read them: most reconnects are served from here, without a word to Redis."""

from collections import deque
from collections.abc import Callable

from shared.events import News, order

MOST = 10_000


class Recent:
    """Every event after `since`, up to the newest one that was added."""

    def __init__(self) -> None:
        self.since: str | None = None
        self._events: deque[News] = deque(maxlen=MOST)

    def restart(self, offset: str) -> None:
        """Nothing is known of what was before `offset`."""
        self.since = offset
        self._events.clear()

    def add(self, event: News) -> None:
        if len(self._events) == self._events.maxlen:
            self.since = self._events[0].offset
        self._events.append(event)

    def after(self, offset: str, *, heard: Callable[[News], bool]) -> list[News] | None:
        """Those that happened after `offset` and are heard, oldest first; None when some are no longer known."""
        wanted = order(offset)
        if self.since is None or wanted < order(self.since):
            return None
        found: list[News] = []
        for event in reversed(self._events):
            if order(event.offset) <= wanted:
                break
            if heard(event):
                found.append(event)
        found.reverse()
        return found
