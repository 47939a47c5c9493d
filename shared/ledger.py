"""The record of every job, read in ranges; scripts write it together with the queue."""

from typing import Any, cast

import msgspec
from arq.connections import ArqRedis

from shared import keys, wire
from shared.clock import iso
from shared.connection import redis_errors
from shared.errors import JobNotFound, Problem
from shared.jobs import FINAL, Attempt, JobView, Kind, Lane, State, Took

PAGE = 200
# `q` looks at this many of the newest jobs at most, so that one request stays bounded.
SEARCHED = 2_000

Entry = tuple[str, float]  # a job's id and its score in an index


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Jobs newest first; `next` is the cursor of the page after."""

    jobs: list[JobView]
    next: str | None = None


class JobFilter(msgspec.Struct, frozen=True, kw_only=True):
    """What `GET /v1/jobs` may ask for."""

    state: State | None = None
    kind: Kind | None = None
    q: str | None = None

    def passes(self, job: JobView) -> bool:
        if self.kind is not None and job.kind != self.kind:
            return False
        if self.state is not None and job.state != self.state:
            return False
        if not self.q:
            return True
        wanted = self.q.lower()
        words = (job.text or "").lower()
        return job.id.lower().startswith(wanted) or all(word in words for word in wanted.split())


class Ledger:
    """Reads job records of one Redis."""

    def __init__(self, redis: ArqRedis) -> None:
        self.redis = redis

    async def get(self, tenant: str, job_id: str) -> JobView:
        """One job with its result while that is kept. Raises JobNotFound, also for another tenant's job."""
        found = await self.many(tenant, [job_id])
        if job_id not in found:
            raise JobNotFound(f"no job {job_id!r}")
        return found[job_id]

    async def many(self, tenant: str, job_ids: list[str]) -> dict[str, JobView]:
        """Those of the jobs that exist and belong to the tenant, results included.

        Without a transaction: Redis refuses those when it has no memory left, and who waits must be told.
        """
        with redis_errors():
            async with self.redis.pipeline(transaction=False) as pipe:
                for job_id in job_ids:
                    pipe.hgetall(keys.record(job_id))
                    pipe.get(keys.ARQ_RESULT + job_id)
                rows = await pipe.execute()
        pairs = zip(job_ids, rows[::2], rows[1::2], strict=True)
        owner = tenant.encode()
        return {job_id: view(fields, result) for job_id, fields, result in pairs if fields.get(b"tenant") == owner}

    async def recent(self, tenant: str, *, where: JobFilter, before: str | None = None, limit: int = 50) -> Page:
        """A page of jobs, newest first, without results. `before` is a cursor that an earlier page gave."""
        index = keys.jobs(tenant) if where.state is None else keys.jobs_in(tenant, where.state)
        size = PAGE if where.kind or where.q else limit
        found: list[JobView] = []
        looked, cursor = 0, before
        while looked < SEARCHED:
            entries = await self._below(index, cursor, size)
            for (job_id, score), job in zip(entries, await self._plain(entries), strict=True):
                looked += 1
                cursor = f"{score:.0f}-{job_id}"
                if job is not None and where.passes(job):
                    found.append(job)
                if len(found) >= limit:
                    return Page(jobs=found, next=cursor)
            if not entries:
                return Page(jobs=found)
        return Page(jobs=found, next=cursor)

    async def _plain(self, entries: list[Entry]) -> list[JobView | None]:
        """The records without results; None for what was trimmed meanwhile."""
        with redis_errors():
            async with self.redis.pipeline(transaction=False) as pipe:
                for job_id, _ in entries:
                    pipe.hgetall(keys.record(job_id))
                rows = await pipe.execute()
        return [view(fields, None) if b"kind" in fields else None for fields in rows]

    async def _below(self, index: str, before: str | None, size: int) -> list[Entry]:
        """Entries below the cursor `score-id`, highest first; equal scores are ordered by id.

        All that share the cursor's millisecond come in one read, however many, since no range of scores divides them.
        """
        score, _, last_id = (before or "+inf-").partition("-")
        with redis_errors():
            async with self.redis.pipeline(transaction=True) as pipe:
                pipe.zrange(index, score, score, desc=True, byscore=True, withscores=True)
                pipe.zrange(index, f"({score}", "-inf", desc=True, byscore=True, offset=0, num=size, withscores=True)
                same, lower = await pipe.execute()
        entries = [(job_id.decode(), float(at)) for job_id, at in (*same, *lower)]
        return [entry for entry in entries[: len(same)] if entry[0] < last_id] + entries[len(same) :]


def view(fields: dict[bytes, bytes], result: bytes | None) -> JobView:
    """A record (and arq's result, when it is kept) as clients see it."""
    text = {name.decode(): value for name, value in fields.items()}
    state = cast(State, text["state"].decode())
    envelope = wire.decode_envelope(result) if result is not None else None
    if envelope is not None and state not in FINAL:
        # A stock arq worker ran it: the result is there, the record does not know.
        state = "succeeded" if envelope.s else "failed"
    return JobView(
        id=text["id"].decode(),
        kind=cast(Kind, text["kind"].decode()),
        state=state,
        lane=cast(Lane, text["lane"].decode()),
        collection=text["collection"].decode(),
        tenant=text["tenant"].decode(),
        created_at=iso(text["created"]) or "",
        started_at=iso(text.get("started")),
        finished_at=iso(text.get("finished")),
        attempts=int(text.get("attempts", b"0")),
        worker=_text(text.get("worker")),
        text=_text(text.get("text")),
        session=_text(text.get("session")),
        timings=_unpack(text.get("timings"), Took),
        result=wire.decode_result(envelope) if envelope is not None and envelope.s and state == "succeeded" else None,
        error=_unpack(text.get("error"), Problem),
        history=_history(text),
    )


class _Told(msgspec.Struct, frozen=True, array_like=True):
    """An attempt as the scripts keep it."""

    attempt: int
    worker: str
    started_ms: int
    ended_ms: int
    problem: Problem


def _history(fields: dict[str, bytes]) -> list[Attempt]:
    """The attempts that failed, oldest first: the fields h1, h2, … of the record."""
    numbers = sorted(int(name[1:]) for name in fields if name[0] == "h" and name[1:].isdecimal())
    told = [msgspec.msgpack.decode(fields[f"h{number}"], type=_Told) for number in numbers]
    return [
        Attempt(
            attempt=one.attempt,
            worker=one.worker,
            started_at=iso(one.started_ms) or "",
            ended_at=iso(one.ended_ms) or "",
            problem=one.problem,
        )
        for one in told
    ]


def _text(value: bytes | None) -> str | None:
    return value.decode() if value else None


def _unpack(value: bytes | None, type_: Any) -> Any:
    return msgspec.msgpack.decode(value, type=type_) if value else None
