"""Exponential backoff with full jitter: many clients that lost the same server come back spread out."""

import random
from collections.abc import Callable

BASE_S = 0.25
CAP_S = 15.0
# 2**30 times any base is past every cap; further doubling would only overflow.
MOST_DOUBLINGS = 30


class Backoff:
    """How long to wait before the next attempt, between nothing and a ceiling that doubles each time.

    "Full jitter" of M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """

    def __init__(
        self, *, base_s: float = BASE_S, cap_s: float = CAP_S, random_: Callable[[], float] = random.random
    ) -> None:
        self._base_s = base_s
        self._cap_s = cap_s
        self._random = random_
        self._attempt = 0

    def next_s(self, *, at_least_s: float = 0.0) -> float:
        """Seconds to wait; `at_least_s` is a server's own wish."""
        ceiling_s = min(self._cap_s, self._base_s * 2.0 ** min(self._attempt, MOST_DOUBLINGS))
        self._attempt += 1
        return at_least_s + self._random() * ceiling_s

    def reset(self) -> None:
        self._attempt = 0
