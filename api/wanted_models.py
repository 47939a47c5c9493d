"""Which models somebody counts on: those of the fleet, and those that collections name."""

from time import monotonic

from shared.collections import Collections
from shared.model_names import MOST
from shared.settings import Settings
from shared.tenants import Keyring

# Collections are of another model rarely, and every scrape asks.
EVERY_S = 60.0


class WantedModels:
    """Reads the tenants' collections, at most once in EVERY_S."""

    def __init__(self, settings: Settings, keyring: Keyring, collections: Collections) -> None:
        self._fleet = settings.model_names
        self._keyring = keyring
        self._collections = collections
        self._named: frozenset[str] = frozenset()
        self._read_at = float("-inf")

    async def names(self) -> list[str]:
        """The fleet's first. One that a collection still names, and the fleet has no more, is there as well; of those
        so many at most as a fleet may have. Raises QueueAway.
        """
        if monotonic() - self._read_at >= EVERY_S:
            self._named = await self._collections.model_names(self._keyring.tenants)
            self._read_at = monotonic()
        return [*self._fleet, *sorted(self._named.difference(self._fleet))[:MOST]]
