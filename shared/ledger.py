"""The record of every job, read in ranges; scripts write it together with the queue."""

from collections.abc import Sequence
from typing import Any, cast

import msgspec
from arq.connections import ArqRedis

from shared import keys, wire
from shared.clock import iso
from shared.connection import redis_errors
from shared.errors import JobNotFound, Problem
from shared.finding import Finder
from shared.index_walk import sizes
from shared.job_filter import JobFilter
from shared.jobs import FINAL, STATES, Attempt, JobView, Kind, State, Took
from shared.lanes import model_of, urgency_of
from shared.pipe import Pipe
from shared.trace_context import read

# In place of a tenant: all of them, of which those that came last are looked at, so many at most.
ALL = "*"
MOST_TENANTS = 64


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """Jobs newest first; `next` is the cursor of the page after. `left_out`: tenants too many to be looked at."""

    jobs: list[JobView]
    next: str | None = None
    left_out: int | msgspec.UnsetType = msgspec.UNSET


class Ledger:
    """Reads job records of one Redis."""

    def __init__(self, redis: ArqRedis) -> None:
        self.redis = redis
        self._pipe = Pipe(redis)

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
        found = await self._rows(job_ids)
        torn = [job_id for job_id, (fields, result) in found.items() if result is not None and not _is_final(fields)]
        if torn:
            # They ended between the two reads, and their records know it by now; those that a stock worker ran do not.
            found |= await self._rows(torn)
        owner = tenant.encode()
        return {
            job_id: view(fields, result) for job_id, (fields, result) in found.items() if fields.get(b"tenant") == owner
        }

    def asks(self, job_id: str) -> tuple[tuple[str, str], ...]:
        """What to ask Redis for a job's record and result; `told` understands the answers."""
        return ("HGETALL", keys.record(job_id)), ("GET", keys.ARQ_RESULT + job_id)

    async def told(self, tenant: str, job_id: str, answers: Sequence[Any]) -> JobView:
        """The job as the answers to `asks` say, or as it is now where they were given while it ended.

        Raises JobNotFound.
        """
        row, result = answers
        fields = dict(zip(row[::2], row[1::2], strict=True))
        if fields.get(b"tenant") != tenant.encode() or (result is not None and not _is_final(fields)):
            return await self.get(tenant, job_id)
        return view(fields, result)

    async def _rows(self, job_ids: list[str]) -> dict[str, tuple[dict[bytes, bytes], bytes | None]]:
        """Record and result of each job."""
        asked = [command for job_id in job_ids for command in self.asks(job_id)]
        with redis_errors():
            rows = await self._pipe.calls(*asked)
        records = [dict(zip(row[::2], row[1::2], strict=True)) for row in rows[::2]]
        return dict(zip(job_ids, zip(records, rows[1::2], strict=True), strict=True))

    async def recent(self, tenant: str, *, where: JobFilter, before: str | None = None, limit: int = 50) -> Page:
        """A page of jobs, newest first, without results. `before` is a cursor that an earlier page gave.

        It may have fewer jobs than `limit`, or none, and still a `next`: what one page looks at is bounded.
        With ALL it is of all tenants.
        """
        tenants, left_out = await self._tenants(tenant)
        found = await Finder(self.redis, tenants, where, self._plain).page(before, limit)
        return Page(jobs=found.jobs, next=found.next, left_out=left_out)

    async def counts(self, tenant: str) -> dict[State, int]:
        """How many jobs of the tenant, or of those that are looked at with ALL, are in each state."""
        tenants, _ = await self._tenants(tenant)
        found = await sizes(self.redis, [keys.jobs_in(one, state) for state in STATES for one in tenants])
        size = len(tenants)
        return {state: sum(found[n * size : (n + 1) * size]) for n, state in enumerate(STATES)}

    async def _tenants(self, tenant: str) -> tuple[list[str], int | msgspec.UnsetType]:
        """Whose jobs are looked at, and how many tenants are left out."""
        if tenant != ALL:
            return [tenant], msgspec.UNSET
        with redis_errors():
            async with self.redis.pipeline(transaction=True) as pipe:
                pipe.zrevrange(keys.TENANTS, 0, MOST_TENANTS - 1)
                pipe.zcard(keys.TENANTS)
                newest, count = await pipe.execute()
        return [name.decode() for name in newest], count - len(newest)

    async def _plain(self, job_ids: list[str]) -> list[JobView | None]:
        """The records without results; None for what was trimmed meanwhile."""
        with redis_errors():
            async with self.redis.pipeline(transaction=False) as pipe:
                for job_id in job_ids:
                    pipe.hgetall(keys.record(job_id))
                rows = await pipe.execute()
        return [view(fields, None) if b"kind" in fields else None for fields in rows]


def _is_final(fields: dict[bytes, bytes]) -> bool:
    return fields.get(b"state", b"").decode() in FINAL


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
        lane=urgency_of(text["lane"].decode()),
        collection=text["collection"].decode(),
        tenant=text["tenant"].decode(),
        created_at=iso(text["created"]) or "",
        started_at=iso(text.get("started")),
        finished_at=iso(text.get("finished")),
        attempts=int(text.get("attempts", b"0")),
        worker=_text(text.get("worker")),
        text=_text(text.get("text")),
        session=_text(text.get("session")),
        trace=read(text["trace"].decode())[0] if text.get("trace") else None,
        timings=_unpack(text.get("timings"), Took),
        result=wire.decode_result(envelope) if envelope is not None and envelope.s and state == "succeeded" else None,
        error=_unpack(text.get("error"), Problem),
        history=_history(text),
        model_name=model_of(text["lane"].decode()),
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
