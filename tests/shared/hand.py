"""A worker's side of the queue, one step at a time: the scripts that a worker calls, without its loop."""

from typing import Any

import msgspec
from arq.connections import ArqRedis

from shared import keys, scripts, wire
from shared.clock import now_ms
from shared.errors import BadPicture, Cancelled
from shared.jobs import LANES, Lane, Query, Search, State, Took
from shared.settings import Settings
from workers.claiming import FIELDS


def a_search(text: str = "cat", **more: Any) -> Search:
    return Search(collection="pictures", query=Query(text=text), **more)


class Hand:
    """Claims, finishes and releases as the worker of one name."""

    def __init__(self, redis: ArqRedis, settings: Settings, *, worker: str = "w1") -> None:
        self.redis = redis
        self.settings = settings
        self.worker = worker
        self._scripts = {
            name: redis.register_script(scripts.source(name, settings))
            for name in ("bury", "claim", "finish", "release", "renew", "go_on")
        }

    async def claim(self, count: int = 1, *, lanes: tuple[Lane, ...] = LANES, lease_ms: int = 60_000) -> list[str]:
        """Up to `count` jobs of each lane; their ids."""
        pairs = [part for lane in lanes for part in (lane, count)]
        _, _, *found = await self._scripts["claim"](
            keys=[keys.queue(lane) for lane in lanes], args=[self.worker, lease_ms, *pairs]
        )
        return [job_id.decode() for job_id in found[::FIELDS]]

    async def finish(self, job_id: str, state: State = "succeeded", *, lane: Lane = "interactive") -> bool:
        """Whether the lease was still this worker's."""
        fine = state == "succeeded"
        problem = None if fine else (Cancelled() if state == "cancelled" else BadPicture("cut off")).problem()
        envelope = {"s": fine, "r": {"done": job_id} if fine else problem, "t": 1, "f": "search", "a": (), "k": {}}
        args = [job_id, self.worker, state, wire.encode(envelope), int(self.settings.keep_result_s * 1000)]
        args += [b"" if problem is None else wire.encode(problem), msgspec.msgpack.encode(Took(total_ms=3.0))]
        return bool(await self._scripts["finish"](keys=[keys.queue(lane)], args=args))

    async def release(
        self, job_id: str, *, delay_ms: int = 0, counted: bool = False, lane: Lane = "interactive"
    ) -> bool:
        args = [job_id, self.worker, delay_ms, "0" if counted else "1", b""]
        return bool(await self._scripts["release"](keys=[keys.queue(lane)], args=args))

    async def renew(self, *job_ids: str, lease_ms: int = 60_000, lane: Lane = "interactive") -> list[str]:
        pairs = [part for job_id in job_ids for part in (job_id, lane)]
        answers = await self._scripts["renew"](keys=[], args=[self.worker, lease_ms, *pairs])
        return [answer.decode() for answer in answers]

    async def go_on(self, job_id: str, *, attempts: int = 1, crashes: int = 0) -> bool:
        args = [job_id, self.worker, attempts, crashes, attempts]
        return bool(await self._scripts["go_on"](keys=[keys.record(job_id)], args=args))

    async def bury(self, worker: str) -> int:
        """What its parent does for a dead worker; returns how many jobs it held."""
        return int(await self._scripts["bury"](keys=[], args=[worker, *LANES]))

    async def lapse(self, job_id: str, *, lane: Lane = "interactive") -> None:
        """As when the worker is gone for longer than its lease."""
        async with self.redis.pipeline(transaction=True) as pipe:
            pipe.delete(keys.ARQ_LEASE + job_id)
            pipe.zadd(keys.queue(lane), {job_id: now_ms()}, xx=True)
            await pipe.execute()
