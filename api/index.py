"""Keeps the terms under which jobs are found, no longer than the ledger keeps the jobs."""

import random
from collections import defaultdict
from collections.abc import Iterable, Mapping
from time import monotonic
from typing import Any

import msgspec
from arq.connections import ArqRedis

from api.tally import Tally
from shared import keys
from shared.connection import redis_errors
from shared.pipe import Pipe
from shared.settings import Settings

# An index outlives the jobs in it a little.
MARGIN_S = 3_600
# Every key that is written is trimmed one time in so many: those that are used all the time often enough.
TRIMMED_ONE_IN = 16
# A key's expiry is put off so often, as long as no more keys are remembered than that.
PUT_OFF_S = 600.0
REMEMBERED = 50_000
# A job is entered when it comes and when it ends.
ENTERED = 2
# Of a tenant with more jobs than its ledger keeps, so many entries are forgotten with each batch: as many as come.
FORGOTTEN = 1_000


class Index:
    """Writes; `shared.finding` reads."""

    def __init__(self, redis: ArqRedis, settings: Settings) -> None:
        self.redis = redis
        self._pipe = Pipe(redis)
        self.kept_s = int(settings.keep_jobs_s) + MARGIN_S
        self.kept_jobs = settings.keep_jobs
        self._put_off: dict[str, float] = {}
        self._chance = random.Random()  # noqa: S311 - spreads the work

    async def add(self, tally: Tally, at_ms: int) -> None:
        """Entered twice is entered once. Raises QueueAway."""
        if not tally.entries:
            return
        logs = {keys.indexed(tenant): members for tenant, members in tally.indexed.items()}
        commands: list[tuple[Any, ...]] = []
        added: dict[str, Mapping[Any, int]] = {**tally.entries, **logs}
        for key, entries in added.items():
            scored = (part for member, score in entries.items() for part in (score, member))
            commands.append(("ZADD", key, *scored))
            if not self._chance.randrange(TRIMMED_ONE_IN):
                commands.append(("ZREMRANGEBYSCORE", key, "-inf", at_ms - self.kept_s * 1000))
        commands += [("EXPIRE", key, self.kept_s) for key in self._to_put_off(added)]
        with redis_errors():
            await self._pipe.calls(*commands)
        for tenant in tally.indexed:
            await self._forget(tenant)

    async def _forget(self, tenant: str) -> None:
        """The entries of a tenant's oldest jobs, when the ledger has trimmed so many by count."""
        log = keys.indexed(tenant)
        with redis_errors():
            over = await self.redis.zcard(log) - ENTERED * self.kept_jobs
            if over <= 0:
                return
            oldest = await self.redis.zpopmin(log, min(over, FORGOTTEN))
            gone: dict[str, list[str]] = defaultdict(list)
            for packed, _ in oldest:
                job_id, *names = msgspec.msgpack.decode(packed, type=list[str])
                for name in names:
                    gone[keys.term(tenant, name)].append(job_id)
            async with self.redis.pipeline(transaction=False) as pipe:
                for key, job_ids in gone.items():
                    pipe.zrem(key, *job_ids)
                await pipe.execute()

    def _to_put_off(self, names: Iterable[str]) -> list[str]:
        """Those that nobody put off lately; the bound is kept by forgetting all."""
        now = monotonic()
        if len(self._put_off) > REMEMBERED:
            self._put_off.clear()
        due = [name for name in names if now - self._put_off.get(name, -PUT_OFF_S) >= PUT_OFF_S]
        self._put_off.update(dict.fromkeys(due, now))
        return due
