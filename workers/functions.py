"""arq's view of the tasks: one thin function for each kind of job."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from arq.worker import Function, func

from shared import keys, logs
from shared.clock import now_ms
from shared.errors import CliplineError, Expired
from shared.jobs import CollectionTask, Facets, Ingest, Items, Job, Kind, Neighbours, Reindex, Search, kind_of
from shared.lanes import model_of
from shared.packed_jobs import record_fields
from shared.problems import from_validation
from shared.settings import Settings
from shared.tenants import DEFAULT_TENANT
from shared.trace_context import read
from workers.device_trouble import DeviceFailed
from workers.observing import observed
from workers.other_model import OtherModel
from workers.outcome import Running
from workers.parts import Parts
from workers.tasks.call import Call, nothing
from workers.tasks.collection import collection
from workers.tasks.facets import facets
from workers.tasks.following import following
from workers.tasks.ingest import ingest
from workers.tasks.items import items
from workers.tasks.neighbours import neighbours
from workers.tasks.reindex import reindex
from workers.tasks.search import search

logger = logging.getLogger(__name__)

J = TypeVar("J", bound=Job)
Context = dict[Any, Any]
Task = Callable[[J, Call, Parts], Awaitable[msgspec.Struct]]


def functions(settings: Settings) -> list[Function]:
    """What a worker registers. They need `parts` in arq's ctx, so a stock arq worker can run them as well."""
    quick_s, long_s = settings.search_timeout_s, settings.ingest_timeout_s
    return [
        _function("search", Search, following(search), timeout_s=quick_s),
        _function("ingest", Ingest, ingest, timeout_s=long_s),
        _function("collection", CollectionTask, collection, timeout_s=quick_s),
        _function("items", Items, following(items), timeout_s=quick_s),
        _function("facets", Facets, following(facets), timeout_s=quick_s),
        _function("neighbours", Neighbours, following(neighbours), timeout_s=quick_s),
        _function("reindex", Reindex, reindex, timeout_s=long_s),
    ]


def _function(kind: Kind, type_: type[J], task: Task[J], *, timeout_s: float) -> Function:
    async def call(
        ctx: Context, payload: dict[str, Any], *, tenant: str = DEFAULT_TENANT, trace: str | None = None
    ) -> msgspec.Struct:
        parts: Parts = ctx["parts"]
        running: Running | None = ctx.get("running", {}).get(ctx["job_id"])
        request_id, parent = read(trace or ctx["job_id"])
        lane = running.lane if running is not None else "interactive"
        # A stock arq worker knows of no lanes.
        parts, attempt = parts.of(model_of(lane)), _call(ctx, tenant, running)
        with (
            logs.about(job=ctx["job_id"], tenant=tenant, trace=request_id),
            observed(kind, attempt, parts, lane=lane, parent=parent),
        ):
            try:
                job = await _read(ctx, payload, type_, parts, adopt=trace is None)
                return await _with_its_model(job, attempt, parts, task, running)
            except Exception as error:
                _log(kind, error)
                raise
            finally:
                parts.stages.leave(ctx["job_id"])

    return func(call, name=kind, timeout=timeout_s)


async def _with_its_model(job: J, call: Call, parts: Parts, task: Task[J], running: Running | None) -> msgspec.Struct:
    """Raises OtherModel when this worker does not hold it."""
    try:
        return await _run(job, call, parts, task, running)
    except OtherModel as error:
        if error.model_name not in parts.models:
            raise
        return await _run(job, call, parts.models[error.model_name], task, running)


async def _run(job: J, call: Call, parts: Parts, task: Task[J], running: Running | None) -> msgspec.Struct:
    deadline_ms = job.deadline_ms if isinstance(job, Search) else None
    if deadline_ms is None:
        result = await task(job, call, parts)
    else:
        try:
            async with _until(call, deadline_ms):
                result = await task(job, call, parts)
        except TimeoutError as error:
            raise Expired(f"not done within {deadline_ms} ms") from error
    if running is not None and hasattr(result, "took"):
        running.took = result.took
        parts.metrics.took(kind_of(job), result.took)
    logger.info("%s done in %.1f ms", kind_of(job), call.total_ms())
    return result


def _until(call: Call, deadline_ms: int) -> Any:
    return asyncio.timeout(max(0.0, (call.due_ms + deadline_ms - now_ms()) / 1000))


async def _read(ctx: Context, payload: dict[str, Any], type_: type[J], parts: Parts, *, adopt: bool) -> J:
    """The typed job, with the picture that travelled beside it. Raises Invalid."""
    job_id: str = ctx["job_id"]
    query = payload.get("query")
    if isinstance(query, dict) and query.get("image") == b"\0":
        payload = {**payload, "query": {**query, "image": await parts.redis.get(keys.blob(job_id)) or b""}}
    try:
        job = msgspec.convert(payload, type_)
    except msgspec.ValidationError as error:
        raise from_validation(error) from error
    if adopt:
        # A stock arq client enqueued it, so the ledger's record lacks what was asked for.
        await parts.redis.hset(keys.record(job_id), items=record_fields(job, client_id=None, trace=job_id, weight="1"))
    return job


def _call(ctx: Context, tenant: str, running: Running | None) -> Call:
    # A stock arq worker tells a score that is no time, so there the job was due when it was enqueued.
    due_ms = running.due_ms if running is not None else int(ctx["enqueue_time"].timestamp() * 1000)
    return Call(
        job_id=ctx["job_id"],
        tenant=tenant,
        attempt=ctx["job_try"],
        due_ms=due_ms,
        queued_ms=round(max(0.0, now_ms() - due_ms), 3),
        on_device=nothing if running is None else running.taken_by_device,
        got_further=nothing if running is None else running.got_further,
    )


def _log(kind: Kind, error: Exception) -> None:
    if isinstance(error, DeviceFailed):
        logger.warning("%s is handed back: the device failed", kind)
    elif isinstance(error, OtherModel):
        logger.info("%s goes to the lane of another model: %s", kind, error.detail)
    elif isinstance(error, CliplineError):
        logger.info("%s failed: %s: %s", kind, error.slug, error.detail)
    else:
        logger.error("%s failed unexpectedly", kind, exc_info=error)
