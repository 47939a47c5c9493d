"""The open jobs of a session, for a client that could not be told what it missed."""

from typing import cast

import msgspec
from arq.connections import ArqRedis

from shared import keys
from shared.connection import redis_errors
from shared.jobs import State

PAGE = 500


class OpenJob(msgspec.Struct, frozen=True):
    id: str
    state: State
    client_id: str | None


class Snapshots:
    """Reads the records of a tenant's open jobs; there are at most as many as the lanes may hold."""

    def __init__(self, redis: ArqRedis) -> None:
        self.redis = redis

    async def open_jobs(self, tenant: str, session: str) -> list[OpenJob]:
        """Oldest first. Raises QueueAway."""
        states: tuple[State, ...] = ("queued", "running")
        found: dict[str, OpenJob] = {}
        for state in states:
            with redis_errors():
                ids = await self.redis.zrange(keys.jobs_in(tenant, state), 0, -1)
            for start in range(0, len(ids), PAGE):
                for job in await self._of_session(session, [raw.decode() for raw in ids[start : start + PAGE]]):
                    found[job.id] = job
        return list(found.values())

    async def client_id(self, job_id: str) -> str | None:
        """The id that the job's client gave its search, when it came over a websocket."""
        with redis_errors():
            raw = await self.redis.hget(keys.record(job_id), "client_id")
        return raw.decode() if raw else None

    async def _of_session(self, session: str, job_ids: list[str]) -> list[OpenJob]:
        with redis_errors():
            async with self.redis.pipeline(transaction=False) as pipe:
                for job_id in job_ids:
                    pipe.hmget(keys.record(job_id), "session", "state", "client_id")
                rows = await pipe.execute()
        wanted = session.encode()
        return [
            OpenJob(job_id, cast(State, state.decode()), client_id.decode() if client_id else None)
            for job_id, (owner, state, client_id) in zip(job_ids, rows, strict=True)
            if owner == wanted and state
        ]
