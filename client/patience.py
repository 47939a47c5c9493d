"""For how long a server that is busy or away is asked again."""

import asyncio
from time import monotonic

from client.backoff import Backoff
from shared.errors import CliplineError


class Patience:
    """One request's share of it; a server's `Retry-After` is kept to, or not waited for at all."""

    def __init__(self, patience_s: float, backoff: Backoff) -> None:
        self._ends = monotonic() + patience_s
        self._backoff = backoff

    async def wait(self, failure: CliplineError) -> None:
        """Until the next attempt may be made. Raises `failure` when that would take too long."""
        wait_s = self._backoff.next_s(at_least_s=failure.retry_after_s or 0)
        if monotonic() + wait_s > self._ends:
            raise failure
        await asyncio.sleep(wait_s)
