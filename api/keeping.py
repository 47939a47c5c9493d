"""A session lives as long as somebody is connected to it: one task keeps those of all connections."""

import asyncio
import logging
from collections import Counter

from api.counted import Counted
from shared.errors import CliplineError
from shared.sessions import Sessions

logger = logging.getLogger(__name__)

BATCH = 500


class Keeper:
    """Renews what is held, three times in a session's life."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        self._held: Counter[tuple[str, str]] = Counter()

    def holding(self, tenant: str, session: str) -> Counted[tuple[str, str]]:
        return Counted(self._held, (tenant, session))

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self.sessions.ttl_s / 3)
            await self.renew()

    async def renew(self) -> None:
        held = list(self._held)
        for start in range(0, len(held), BATCH):
            try:
                await self.sessions.renew(held[start : start + BATCH])
            except CliplineError as error:
                # Two more rounds come before a session is gone.
                logger.warning("sessions are not renewed: %s", error)
