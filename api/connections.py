"""The bounds on open websockets and event streams."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import TooManyRequests, Unavailable
from shared.settings import Settings

RETRY_S = 5


class Connections:
    """Counts what is open in this process, in all and by tenant."""

    def __init__(self, settings: Settings) -> None:
        self.most = settings.max_connections
        self.most_of_tenant = settings.tenant_max_connections
        self.now = 0
        self._by_tenant: Counter[str] = Counter()

    @contextmanager
    def one(self) -> Iterator[None]:
        """Raises Unavailable."""
        if self.now >= self.most:
            raise Unavailable(f"{self.most:,} connections are open", retry_after_s=RETRY_S)
        self.now += 1
        try:
            yield
        finally:
            self.now -= 1

    @contextmanager
    def of_tenant(self, tenant: str) -> Iterator[None]:
        """Raises TooManyRequests."""
        if self._by_tenant[tenant] >= self.most_of_tenant:
            raise TooManyRequests(f"{self.most_of_tenant:,} connections of yours are open", retry_after_s=RETRY_S)
        self._by_tenant[tenant] += 1
        try:
            yield
        finally:
            self._by_tenant[tenant] -= 1
            if not self._by_tenant[tenant]:
                del self._by_tenant[tenant]
