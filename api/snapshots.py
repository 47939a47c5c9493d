"""The open jobs of a session, for a client that could not be told what it missed."""

from asyncio import Lock, Task, create_task, shield
from typing import cast

import msgspec
from arq.connections import ArqRedis

from shared import keys
from shared.connection import redis_errors
from shared.jobs import FINAL, State

PAGE = 500


class OpenJob(msgspec.Struct, frozen=True):
    id: str
    state: State
    session: str
    client_id: str | None


class Snapshots:
    """Reads the records of a tenant's open jobs; there are at most as many as the lanes may hold.

    After an outage everybody asks at once: one read at a time, and whoever asks before it starts shares it.
    """

    def __init__(self, redis: ArqRedis) -> None:
        self.redis = redis
        self._one = Lock()
        self._next: dict[str, Task[list[OpenJob]]] = {}

    async def open_jobs(self, tenant: str, session: str) -> list[OpenJob]:
        """Those of a session, each as it is, at the earliest, when this was called. Raises QueueAway."""
        task = self._next.get(tenant)
        if task is None:
            task = self._next[tenant] = create_task(self._read_next(tenant))
            # Seen, should nobody be left who asked.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
        return [job for job in await shield(task) if job.session == session]

    async def client_id(self, job_id: str) -> str | None:
        """The id that the job's client gave its search, when it came over a websocket."""
        with redis_errors():
            raw = await self.redis.hget(keys.record(job_id), "client_id")
        return raw.decode() if raw else None

    async def _read_next(self, tenant: str) -> list[OpenJob]:
        try:
            await self._one.acquire()
        finally:
            del self._next[tenant]
        try:
            return await self._read(tenant)
        finally:
            self._one.release()

    async def _read(self, tenant: str) -> list[OpenJob]:
        states: tuple[State, ...] = ("queued", "running")
        found: dict[str, OpenJob] = {}
        for state in states:
            with redis_errors():
                ids = await self.redis.zrange(keys.jobs_in(tenant, state), 0, -1)
            for start in range(0, len(ids), PAGE):
                found |= {job.id: job for job in await self._page([raw.decode() for raw in ids[start : start + PAGE]])}
        return list(found.values())

    async def _page(self, job_ids: list[str]) -> list[OpenJob]:
        """Without those that have ended since they were listed: their end is still to be told."""
        with redis_errors():
            async with self.redis.pipeline(transaction=False) as pipe:
                for job_id in job_ids:
                    pipe.hmget(keys.record(job_id), "session", "state", "client_id")
                rows = await pipe.execute()
        return [
            OpenJob(job_id, cast(State, state.decode()), session.decode(), client_id.decode() if client_id else None)
            for job_id, (session, state, client_id) in zip(job_ids, rows, strict=True)
            if session and state and state.decode() not in FINAL
        ]
