"""What each tenant has and uses, beside what it may."""

from typing import Any, cast

import msgspec
from arq.connections import ArqRedis

from shared import keys
from shared.clock import now_ms
from shared.connection import redis_errors
from shared.settings import Settings
from shared.steps import day_of


class Used(msgspec.Struct, frozen=True, kw_only=True):
    """Jobs of one day, in UTC; `run_ms` is the time that workers ran them."""

    came: int = 0
    left: int = 0
    wrong: int = 0
    run_ms: int = 0


class TenantUsage(msgspec.Struct, frozen=True, kw_only=True):
    """Counts are now; `tokens` are the jobs that its rate admits at once, null without a rate."""

    name: str
    queued: int
    running: int
    dead: int
    kept: int
    collections: int
    weight: float
    tokens: float | None
    today: Used
    yesterday: Used


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The same for every tenant; a rate of 0 is none."""

    max_open: int
    rate: float
    burst: int
    keep_jobs: int
    keep_dead: int


class TenantPage(msgspec.Struct, frozen=True, kw_only=True):
    """Tenants with jobs, by name; `next` is the `after` of the page after."""

    tenants: list[TenantUsage]
    limits: Limits
    next: str | None = None


class Usage:
    """Reads what tenants use. One page of `MOST` asks Redis for eight short answers each, in one round trip."""

    MOST = 100
    # So many tenants are known to the upkeep; more are not listed.
    KNOWN = 10_000

    def __init__(self, redis: ArqRedis, settings: Settings) -> None:
        self.redis = redis
        self.settings = settings

    async def names(self) -> list[str]:
        """Every tenant with jobs, by name. Raises QueueAway."""
        with redis_errors():
            found = cast(list[bytes], await self.redis.zrange(keys.TENANTS, 0, self.KNOWN - 1))
        return sorted(name.decode() for name in found)

    async def page(self, own: str, *, after: str | None = None, only_own: bool = False) -> TenantPage:
        """The caller's own tenant is always there. Raises QueueAway."""
        known = [own] if only_own else sorted({own, *await self.names()})
        left = [name for name in known if after is None or name > after]
        shown = left[: self.MOST]
        return TenantPage(
            tenants=await self._of(shown),
            limits=self._limits(),
            next=shown[-1] if len(left) > len(shown) else None,
        )

    async def _of(self, names: list[str]) -> list[TenantUsage]:
        today = day_of(now_ms())
        with redis_errors():
            async with self.redis.pipeline(transaction=False) as pipe:
                for name in names:
                    pipe.zcard(keys.jobs_in(name, "queued"))
                    pipe.zcard(keys.jobs_in(name, "running"))
                    pipe.zcard(keys.jobs_in(name, "dead"))
                    pipe.zcard(keys.jobs(name))
                    pipe.hlen(keys.collections(name))
                    pipe.hgetall(keys.used(name, today))
                    pipe.hgetall(keys.used(name, today - 1))
                    pipe.hmget(keys.tokens(name), "left", "at")
                rows = await pipe.execute()
        size = len(rows) // len(names) if names else 0
        return [self._usage(name, rows[n * size : (n + 1) * size]) for n, name in enumerate(names)]

    def _usage(self, name: str, row: list[Any]) -> TenantUsage:
        queued, running, dead, kept, collections, today, yesterday, bucket = row
        return TenantUsage(
            name=name,
            queued=queued,
            running=running,
            dead=dead,
            kept=kept,
            collections=collections,
            weight=self.settings.weights.get(name, 1.0),
            tokens=self._tokens(bucket),
            today=_used(today),
            yesterday=_used(yesterday),
        )

    def _tokens(self, bucket: list[bytes | None]) -> float | None:
        """As submitting counts them: the bucket fills while nobody takes from it."""
        rate, burst = self.settings.tenant_rate, float(self.settings.tenant_burst)
        if not rate:
            return None
        left, at = bucket
        if left is None or at is None:
            return burst
        return round(min(burst, float(left) + (now_ms() - float(at)) / 1000 * rate), 1)

    def _limits(self) -> Limits:
        settings = self.settings
        return Limits(
            max_open=settings.tenant_max_open,
            rate=settings.tenant_rate,
            burst=settings.tenant_burst,
            keep_jobs=settings.keep_jobs,
            keep_dead=settings.keep_dead,
        )


def _used(fields: dict[bytes, bytes]) -> Used:
    told = {name.decode(): int(value) for name, value in fields.items()}
    return Used(
        came=told.get("in", 0), left=told.get("out", 0), wrong=told.get("wrong", 0), run_ms=told.get("run_ms", 0)
    )
