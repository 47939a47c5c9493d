"""Takes jobs for one worker: many in one call, from all lanes."""

from collections.abc import Mapping
from time import monotonic

import msgspec

from shared import keys, scripts
from shared.connection import redis_errors
from shared.lanes import urgency_of
from shared.pipe import Pipe, Script
from shared.settings import Settings
from workers.outcome import GRACE_S, Running

CLAIM_AT_MOST = 64
# Zero is for ever to Redis, and so is one millisecond to Redis 6.2, which reads a little less and cuts it off.
SHORTEST_S = 0.002
# What the script answers of each job.
FIELDS = 9


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """What one call brought. `next_s`: until the next job falls due; `more`: the call stopped early."""

    jobs: list[Running]
    next_s: float | None
    more: bool


class Claims:
    """The claim script, in the name of one worker."""

    def __init__(self, pipe: Pipe, settings: Settings, *, worker_id: str) -> None:
        self.settings = settings
        self.worker_id = worker_id
        self._claim = Script(pipe, scripts.source("claim", settings))

    async def take(self, free: Mapping[str, int], *, wait_s: float = 0.0) -> Claimed:
        """Jobs for the free places of each lane; lanes are served in the order given.

        Waits up to `wait_s` for news of those lanes first. Raises QueueAway, QueueFull.
        """
        wanted = {lane: max(0, min(count, CLAIM_AT_MOST)) for lane, count in free.items()}
        pairs = [part for lane, count in wanted.items() for part in (lane, count)]
        patience = f"{max(wait_s, SHORTEST_S):.3f}"
        wait = ("BLPOP", *(keys.wake(lane) for lane in wanted), patience) if wait_s > 0 else ()
        with redis_errors():
            answer = await self._claim(
                keys=[keys.queue(lane) for lane in wanted],
                args=[self.worker_id, int(self.settings.lease_s * 1000), *pairs],
                after=wait,
            )
        next_ms, stopped_early, *found = answer
        jobs = [self._running(*found[start : start + FIELDS]) for start in range(0, len(found), FIELDS)]
        return Claimed(
            jobs=jobs,
            next_s=next_ms / 1000 if next_ms >= 0 else None,
            more=bool(stopped_early) or len(jobs) >= CLAIM_AT_MOST,
        )

    def _running(
        self,
        job_id: bytes,
        due: bytes,
        lane: bytes,
        attempts: int,
        crashes: bytes | int,
        first: bytes,
        expires: bytes,
        body: bytes | None,
        tries: int,
    ) -> Running:
        is_bulk = urgency_of(lane.decode()) == "bulk"
        timeout_s = self.settings.ingest_timeout_s if is_bulk else self.settings.search_timeout_s
        return Running(
            job_id=job_id.decode(),
            lane=lane.decode(),
            due_ms=int(float(due)),
            first_ms=int(float(first)),
            attempts=int(attempts),
            crashes=int(crashes),
            expires_ms=int(float(expires)) if expires else None,
            deadline=monotonic() + timeout_s + GRACE_S,
            body=body,
            tries=tries,
        )
