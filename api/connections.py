"""The bounds on open websockets and event streams."""

from collections import Counter

from api.counted import Counted
from shared.errors import TooManyRequests, Unavailable
from shared.settings import Settings

RETRY_S = 5


class Connections:
    """Counts what is open in this process, in all and by tenant."""

    def __init__(self, settings: Settings) -> None:
        self.most = settings.max_connections
        self.most_of_tenant = settings.tenant_max_connections
        self._all: Counter[None] = Counter()
        self._by_tenant: Counter[str] = Counter()

    @property
    def now(self) -> int:
        return self._all[None]

    def one(self) -> Counted[None]:
        """To be entered at once. Raises Unavailable."""
        if self.now >= self.most:
            raise Unavailable(f"{self.most:,} connections are open", retry_after_s=RETRY_S)
        return Counted(self._all, None)

    def of_tenant(self, tenant: str) -> Counted[str]:
        """To be entered at once. Raises TooManyRequests."""
        if self._by_tenant[tenant] >= self.most_of_tenant:
            raise TooManyRequests(f"{self.most_of_tenant:,} connections of yours are open", retry_after_s=RETRY_S)
        return Counted(self._by_tenant, tenant)
