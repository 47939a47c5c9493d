"""A circuit breaker: after repeated failures, calls fail at once for a short while."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from shared.errors import StoreAway


class Breaker:
    """Opens after `failures` in a row, for `open_s`, doubling up to `max_open_s` while probes fail.

    When the time is over, one call is let through as a probe; the others still fail until it succeeds.
    """

    def __init__(
        self,
        *,
        failures: int = 5,
        open_s: float = 1.0,
        max_open_s: float = 15.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._failures = failures
        self._first_open_s = open_s
        self._max_open_s = max_open_s
        self._clock = clock
        self._in_a_row = 0
        self._open_s = open_s
        self._open_until: float | None = None
        self._probing = False

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Around one call: StoreAway raised inside counts as a failure, everything else as an answer."""
        probe = self._admit()
        try:
            yield
        except StoreAway:
            self._failed()
            raise
        except Exception:
            self._answered()
            raise
        else:
            self._answered()
        finally:
            # A cancelled probe has shown nothing: the next call probes.
            if probe:
                self._probing = False

    def _admit(self) -> bool:
        if self._open_until is None:
            return False
        left_s = self._open_until - self._clock()
        if left_s > 0 or self._probing:
            wait_s = max(1, round(left_s))
            raise StoreAway(f"the vector store failed {self._in_a_row} times in a row", retry_after_s=wait_s)
        self._probing = True
        return True

    def _failed(self) -> None:
        self._in_a_row += 1
        if self._probing:
            self._open_s = min(2 * self._open_s, self._max_open_s)
        if self._in_a_row >= self._failures:
            self._open_until = self._clock() + self._open_s

    def _answered(self) -> None:
        self._in_a_row, self._open_s, self._open_until = 0, self._first_open_s, None
