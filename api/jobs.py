"""/v1/jobs: look, list, cancel, run again."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api import auth, params
from api.answers import answer
from api.scope import scope_of
from api.state import State
from api.submission import place_of, taken_again
from shared.job_filter import filter_of
from shared.jobs import FINAL


async def show(request: Request[State]) -> Response:
    """One job; with `?wait=` when it ended, or as it is when the time is up."""
    identity = auth.reader(request)
    wanted = params.read(request, params.JobParams)
    scope = scope_of(request, identity, wanted.tenant)
    wait_s = params.bounded(wanted.wait, most_s=request.state["settings"].max_wait_s)
    job_id = request.path_params["job_id"]
    return answer(scope.shown(await request.state["dispatcher"].wait_for(scope.tenant, job_id, timeout_s=wait_s)))


async def recent(request: Request[State]) -> Response:
    """The tenant's jobs, or those of all, newest first, without results."""
    identity = auth.reader(request)
    wanted = params.read(request, params.JobsParams)
    scope = scope_of(request, identity, wanted.tenant)
    # Hidden words cannot be looked for either: hits would tell them.
    where = filter_of(wanted, state=wanted.state, by_words=not scope.redacted)
    page = await request.state["ledger"].recent(scope.tenant, where=where, before=wanted.before, limit=wanted.limit)
    return answer(msgspec.structs.replace(page, jobs=[scope.shown(job) for job in page.jobs]))


async def cancel(request: Request[State]) -> Response:
    """200 when the job is cancelled, 202 while the worker that runs it is still to be told."""
    identity = auth.writer(request)
    params.read(request, params.NoParams)
    job_id = request.path_params["job_id"]
    outcome = await request.state["queue"].cancel(identity.tenant, job_id)
    view = await request.state["queue"].result(identity.tenant, job_id)
    return answer(view, status=200 if outcome == "cancelled" else 202, headers=place_of(job_id))


async def retry(request: Request[State]) -> Response:
    """Run an ended job again under its own id."""
    identity = auth.writer(request)
    wait_s = params.wait_s(request, most_s=request.state["settings"].max_wait_s)
    job_id = request.path_params["job_id"]
    await request.state["queue"].retry(identity.tenant, job_id)
    view = await request.state["dispatcher"].wait_for(identity.tenant, job_id, timeout_s=wait_s)
    if wait_s and view.state in FINAL:
        return answer(view, headers=place_of(job_id))
    return answer(taken_again(view), status=202, headers=place_of(job_id))
