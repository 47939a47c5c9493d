"""How a job is submitted and answered: 202 with its address, or the finished job when the caller waits."""

import logging

import msgspec
from arq.jobs import SerializationError
from starlette.requests import Request
from starlette.responses import Response

from api.answers import answer
from api.state import State
from shared.errors import Invalid
from shared.jobs import FINAL, Job, JobView, Kind, Lane, kind_of
from shared.jobs import State as JobState
from shared.lanes import lane_name, lane_of
from shared.logs import about, current_trace
from shared.queue import Submitted
from shared.trace_context import carried, followed

logger = logging.getLogger(__name__)


class Accepted(msgspec.Struct, frozen=True, kw_only=True):
    """A job that was taken; `position` jobs were in its lane before it."""

    id: str
    state: JobState
    kind: Kind
    lane: Lane
    collection: str
    position: int | None = None


def place_of(job_id: str) -> dict[str, str]:
    return {"Location": f"/v1/jobs/{job_id}"}


async def submit(
    state: State,
    job: Job,
    *,
    tenant: str,
    idempotency_key: str | None = None,
    client_id: str | None = None,
    any_session: bool = False,
    model_name: str,
) -> Submitted:
    """Enqueue a job for a model, under the current trace.

    Raises Invalid for numbers that do not travel, QueueFull, KeyReused.
    """
    lane = lane_name(lane_of(job), model_name)
    with state["tracing"].span(f"enqueue {kind_of(job)}", role="producer", parent=followed()) as span:
        trace = carried(current_trace(), span.traceparent or followed())
        try:
            submitted = await state["queue"].submit(
                job,
                tenant=tenant,
                idempotency_key=idempotency_key,
                client_id=client_id,
                trace=trace,
                any_session=any_session,
                model_name=model_name,
            )
        except (OverflowError, SerializationError) as error:
            raise Invalid("a number is outside of -2^63 to 2^64 - 1") from error
        span.note(clipline__job__id=submitted.id, clipline__tenant=tenant, clipline__lane=lane)
    with about(job=submitted.id, tenant=tenant):
        logger.info("job %s → %s in lane %s%s", submitted.id, kind_of(job), lane, _note(submitted))
    return submitted


def _note(submitted: Submitted) -> str:
    return " (known by its Idempotency-Key)" if submitted.known else ""


async def enqueue(
    request: Request[State],
    job: Job,
    *,
    tenant: str,
    wait_s: float,
    idempotency_key: str | None = None,
    model_name: str,
) -> Response:
    """Submit and answer."""
    submitted = await submit(request.state, job, tenant=tenant, idempotency_key=idempotency_key, model_name=model_name)
    return await answer_to(request.state, job, submitted, tenant=tenant, wait_s=wait_s)


async def answer_to(state: State, job: Job, submitted: Submitted, *, tenant: str, wait_s: float) -> Response:
    """202 and where to look, or 200 and the finished job when it ends within `wait_s`."""
    taken = Accepted(
        id=submitted.id,
        state=submitted.state,
        kind=kind_of(job),
        lane=lane_of(job),
        collection=job.collection,
        position=submitted.position,
    )
    if wait_s > 0:
        view = await state["dispatcher"].wait_for(tenant, submitted.id, timeout_s=wait_s)
        if view.state in FINAL:
            return answer(view, headers=place_of(view.id))
        taken = msgspec.structs.replace(taken, state=view.state)
    return answer(taken, status=202, headers=place_of(taken.id))


def taken_again(view: JobView) -> Accepted:
    return Accepted(id=view.id, state=view.state, kind=view.kind, lane=view.lane, collection=view.collection)
