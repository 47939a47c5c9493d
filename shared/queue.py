"""Submit, cancel, retry and wait for jobs; each change is one script."""

import asyncio
from time import monotonic
from typing import Any
from uuid import uuid4

import msgspec
from arq.connections import ArqRedis
from arq.jobs import serialize_job
from redis.commands.core import AsyncScript

from shared import keys, scripts, wire
from shared.clock import now_ms
from shared.connection import BLOCK_S, redis_errors
from shared.errors import (
    CliplineError,
    JobFinished,
    JobNotFound,
    JobNotRetryable,
    JobStillOpen,
    KeyReused,
    QueueFull,
    RateLimited,
    TenantBusy,
)
from shared.events import Events, of_jobs
from shared.jobs import FINAL, Job, JobView, Lane, Search, State, kind_of
from shared.lanes import lane_name, lane_of, lanes_of
from shared.ledger import Ledger
from shared.model_names import DEFAULT_MODEL
from shared.packed_jobs import digest, pack, record_fields, slot_of
from shared.pipe import Pipe, Script
from shared.settings import Settings

BODY_TTL_MS = 86_400_000  # as arq: a job that could not start within a day is given up


class Submitted(msgspec.Struct, frozen=True, kw_only=True):
    """An accepted job; `known` when an Idempotency-Key had brought it before."""

    id: str
    state: State
    position: int | None = None
    known: bool = False


class Queue:
    """The writing side of the queue, for the API, the command line and tests."""

    def __init__(self, redis: ArqRedis, settings: Settings) -> None:
        self.redis = redis
        self.settings = settings
        self.ledger = Ledger(redis)
        self._events = Events(redis)
        self._weights = settings.weights
        self._tenant_bounds = (settings.tenant_max_open, settings.tenant_rate, settings.tenant_burst)
        self._scripts: dict[str, AsyncScript] = {
            name: redis.register_script(scripts.source(name, settings)) for name in ("cancel", "retry", "drop")
        }
        self._submit = Script(Pipe(redis), scripts.source("submit", settings))

    async def submit(
        self,
        job: Job,
        *,
        tenant: str,
        client_id: str | None = None,
        idempotency_key: str | None = None,
        trace: str | None = None,
        defer_s: float = 0.0,
        any_session: bool = False,
        model_name: str = DEFAULT_MODEL,
    ) -> Submitted:
        """Enqueue a job for the workers that hold a model; a refused one leaves nothing behind.

        With `any_session` an idempotency key stands for the same search in whichever session it is asked again.
        Raises QueueFull, TenantBusy, RateLimited, KeyReused, QueueAway.
        """
        job_id, lane = uuid4().hex, lane_name(lane_of(job), model_name)
        body, blob = pack(job)
        trace = trace or job_id
        call = {"tenant": tenant, "trace": trace}
        search = job if isinstance(job, Search) else None
        weight = f"{self._weights.get(tenant, 1.0):g}"
        args: list[Any] = [
            job_id,
            tenant,
            lane,
            self._depth(lane_of(job)),
            serialize_job(kind_of(job), (body,), call, None, now_ms(), serializer=wire.encode),
            BODY_TTL_MS,
            int(defer_s * 1000),
            (search and search.session) or "",
            client_id or "",
            search.deadline_ms if search and search.deadline_ms is not None else "",
            slot_of(job),
            keys.idempotency(tenant, idempotency_key) if idempotency_key else "",
            digest(job, any_session=any_session) if idempotency_key else "",
            blob,
            weight,
            *self._tenant_bounds,
            *record_fields(job, client_id=client_id, trace=trace, weight=weight),
        ]
        names = [keys.queue(lane), keys.ARQ_JOB + job_id, keys.record(job_id), keys.jobs(tenant)]
        with redis_errors():
            answer = await self._submit(keys=names, args=args)
        return await self._submitted(tenant, job_id, _decoded(answer))

    async def _submitted(self, tenant: str, job_id: str, answer: list[str]) -> Submitted:
        match answer:
            case ["queued", _, depth]:
                return Submitted(id=job_id, state="queued", position=int(depth))
            case ["exists", _]:
                # The call was repeated after a lost answer: the first one went through.
                return Submitted(id=job_id, state="queued")
            case ["known", first]:
                view = await self.ledger.get(tenant, first)
                return Submitted(id=first, state=view.state, known=True)
            case ["reused", _]:
                raise KeyReused("that Idempotency-Key came with another body")
            case _:
                raise _refusal(answer)

    async def cancel(self, tenant: str, job_id: str) -> str:
        """Returns "cancelled", or "cancelling" for a job that runs. Raises JobNotFound, JobFinished."""
        with redis_errors():
            answer = await self._scripts["cancel"](keys=[keys.record(job_id)], args=[job_id, tenant])
        match answer.decode():
            case "missing":
                raise JobNotFound(f"no job {job_id!r}")
            case "finished":
                raise JobFinished(f"job {job_id} has already ended")
            case outcome:
                return str(outcome)

    async def retry(self, tenant: str, job_id: str) -> None:
        """Queue an ended job again under its id. Raises JobNotFound, JobNotRetryable, QueueFull."""
        view = await self.ledger.get(tenant, job_id)
        if view.model_name not in self.settings.model_names:
            raise JobNotRetryable(f"the fleet no longer has its model {view.model_name!r}")
        names = [keys.record(job_id), keys.ARQ_JOB + job_id, keys.kept_body(job_id)]
        args = [job_id, tenant, BODY_TTL_MS, self._depth(view.lane)]
        with redis_errors():
            answer = _decoded(await self._scripts["retry"](keys=names, args=args))
        match answer:
            case ["queued"]:
                return
            case ["missing"]:
                raise JobNotFound(f"no job {job_id!r}")
            case ["full", *_]:
                raise _refusal(answer)
            case ["gone"]:
                raise JobNotRetryable("what the job was asked to do is no longer kept")
            case [state]:
                raise JobNotRetryable(f"the job is {'still open' if state == 'open' else state}")

    async def drop(self, tenant: str, job_id: str) -> None:
        """Forget an ended job and all that is kept of it. Raises JobNotFound, JobStillOpen."""
        with redis_errors():
            answer = (await self._scripts["drop"](keys=[keys.record(job_id)], args=[job_id, tenant])).decode()
        if answer == "missing":
            raise JobNotFound(f"no job {job_id!r}")
        if answer == "open":
            raise JobStillOpen(f"job {job_id} has not ended")

    async def result(self, tenant: str, job_id: str) -> JobView:
        """The job as it is now. Raises JobNotFound."""
        return await self.ledger.get(tenant, job_id)

    async def wait(self, tenant: str, job_id: str, *, timeout_s: float) -> JobView:
        """The job when it ended, or as it is after `timeout_s`. Raises JobNotFound."""
        ends = monotonic() + timeout_s
        offset = await self._events.last()
        view = await self.result(tenant, job_id)
        while view.state not in FINAL and (left := ends - monotonic()) > 0:
            asks = self.ledger.asks(job_id)
            happened, answers = await self._events.follow_with(offset, *asks, block_s=min(left, BLOCK_S / 2))
            if happened:
                offset = happened[-1].offset
            if not happened or any(event.job == job_id for event in of_jobs(happened)):
                view = await self.ledger.told(tenant, job_id, answers)
        return view

    async def depths(self) -> dict[str, int]:
        """Jobs in each lane, running ones included."""
        lanes = lanes_of(self.settings.model_names)
        with redis_errors():
            counts = await asyncio.gather(*(self.redis.zcard(keys.queue(lane)) for lane in lanes))
        return dict(zip(lanes, counts, strict=True))

    def _depth(self, lane: Lane) -> int:
        return self.settings.max_queued_interactive if lane == "interactive" else self.settings.max_queued_bulk


def _decoded(answer: list[bytes | int]) -> list[str]:
    return [part.decode() if isinstance(part, bytes) else str(part) for part in answer]


def _refusal(answer: list[str]) -> CliplineError:
    """Why a job was not admitted; seconds to wait come from how fast jobs left in the last minute."""
    match answer:
        case ["busy", count, wait_s]:
            return TenantBusy(f"{count} jobs of yours have not ended yet", retry_after_s=int(wait_s))
        case ["limited", rate, wait_s]:
            return RateLimited(f"{float(rate):g} jobs a second are allowed", retry_after_s=int(wait_s))
        case [_, depth, wait_s]:
            return QueueFull(f"{depth} jobs are already waiting", retry_after_s=int(wait_s))
        case _:
            raise AssertionError(f"a script answered {answer}")
