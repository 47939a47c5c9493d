"""What must be done now and then, by one worker for all: trim ledgers and events, settle what others ended."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from arq.connections import ArqRedis

from shared import keys, scripts
from shared.clock import now_ms
from shared.connection import redis_errors
from shared.errors import Unavailable
from shared.lanes import lanes_of
from shared.settings import Settings

logger = logging.getLogger(__name__)

EVERY_S = 60.0
# Bounds of one run: tenants looked after, and rounds of sixteen jobs for each.
TENANTS = 200
ROUNDS = 20

Sweep = Callable[[], Awaitable[object]]


class Tidying:
    """Runs about every EVERY_S; a lock keeps the other workers from doing the same. `sweep` clears local files."""

    def __init__(self, redis: ArqRedis, settings: Settings, *, worker_id: str, sweep: Sweep | None = None) -> None:
        self.redis = redis
        self.settings = settings
        self.worker_id = worker_id
        self._sweep = sweep
        self._lanes_known = lanes_of(settings.model_names)
        self._tenant = redis.register_script(scripts.source("tidy_tenant", settings))
        self._lane = redis.register_script(scripts.source("tidy_lane", settings))

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S * random.uniform(0.5, 1.5))  # noqa: S311 - spreads the workers
            try:
                await self.once()
            except (Unavailable, OSError) as error:
                logger.info("nothing is tidied up: %s", error)

    async def once(self) -> int | None:
        """Jobs that were dropped or settled; None when another worker did it lately. Raises QueueAway."""
        with redis_errors():
            mine = await self.redis.set(keys.upkeep("tidy"), self.worker_id, nx=True, px=int(EVERY_S * 900))
            if not mine:
                return None
            done = await self._lanes() + await self._tenants()
            # Sessions are over by then, so nobody resumes from older events.
            oldest_ms = now_ms() - int(self.settings.session_ttl_s * 1000)
            await self.redis.xtrim(keys.EVENTS, minid=f"{oldest_ms}-0", approximate=True, limit=10_000)
        if self._sweep is not None:
            await self._sweep()
        if done:
            logger.info("tidied up: %d jobs", done)
        return done

    async def _lanes(self) -> int:
        counts = [await self._lane(keys=[keys.queue(lane)], args=[lane]) for lane in self._lanes_known]
        return sum(int(count) for count in counts)

    async def _tenants(self) -> int:
        """Those that were looked after longest ago come first."""
        done = 0
        for tenant in await self.redis.zrange(keys.TENANTS, 0, TENANTS - 1):
            await self.redis.zadd(keys.TENANTS, {tenant: now_ms()}, xx=True)
            for _ in range(ROUNDS):
                gone = int(await self._tenant(keys=[keys.TENANTS], args=[tenant]))
                done += gone
                if not gone:
                    break
        return done
