"""What operators see and do: workers and queues of the whole stack, many jobs at once, and the trail of it."""

from collections.abc import Awaitable, Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api import auth, bodies, params
from api.answers import answer
from api.lanes import LaneView
from api.scope import scope_of
from api.state import State
from shared.audit import Action
from shared.errors import LaneNotFound
from shared.fleet import WorkerInfo
from shared.selection import Sweep, Swept, Verb

ACTIONS: dict[Verb, Action] = {"cancel": "jobs.cancel", "replay": "jobs.replay", "purge": "jobs.purge"}


class WorkerList(msgspec.Struct, frozen=True):
    workers: list[WorkerInfo]


class QueueList(msgspec.Struct, frozen=True):
    queues: list[LaneView]


async def workers(request: Request[State]) -> Response:
    auth.operator(request)
    params.read(request, params.NoParams)
    return answer(WorkerList(await request.state["fleet"].live()))


async def queues(request: Request[State]) -> Response:
    auth.operator(request)
    params.read(request, params.NoParams)
    return answer(QueueList(await request.state["lanes"].all()))


async def pause(request: Request[State]) -> Response:
    """The queue still accepts jobs, and hands out none."""
    identity, lane = auth.controller(request), _lane(request)
    await request.state["lanes"].pause(lane)
    await request.state["audit"].record(identity, "lane.pause", lane)
    return answer(await request.state["lanes"].one(lane))


async def resume(request: Request[State]) -> Response:
    identity, lane = auth.controller(request), _lane(request)
    await request.state["lanes"].resume(lane)
    await request.state["audit"].record(identity, "lane.resume", lane)
    return answer(await request.state["lanes"].one(lane))


async def drain(request: Request[State]) -> Response:
    """202: the worker takes no more jobs, and ends when those that it has are done or handed back."""
    identity = auth.controller(request)
    params.read(request, params.NoParams)
    worker_id = request.path_params["worker_id"]
    await request.state["fleet"].drain(worker_id)
    await request.state["audit"].record(identity, "worker.drain", worker_id)
    return Response(status_code=202)


def sweeping(verb: Verb) -> Callable[[Request[State]], Awaitable[Response]]:
    """The handler that applies a verb to the tenant's jobs that pass a filter."""

    async def sweep(request: Request[State]) -> Response:
        identity = auth.controller(request)
        params.read(request, params.NoParams)
        most_bytes = request.state["settings"].max_body_bytes
        wanted: Sweep = await bodies.read(request, Sweep, most_bytes=most_bytes)
        scope = scope_of(request, identity, wanted.tenant)
        run = request.state["sweeps"].run
        swept: Swept = await run(verb, scope.tenant, wanted, by_words=not scope.redacted)
        target = msgspec.json.encode(wanted).decode()
        await request.state["audit"].record(identity, ACTIONS[verb], target, done=swept.done)
        return answer(swept)

    return sweep


async def audit(request: Request[State]) -> Response:
    """What operators did, newest first."""
    identity = auth.auditor(request)
    wanted = params.read(request, params.AuditParams)
    return answer(await request.state["audit"].recent(identity.tenant, before=wanted.before, limit=wanted.limit))


def _lane(request: Request[State]) -> str:
    params.read(request, params.NoParams)
    lane: str = request.path_params["name"]
    if lane in request.state["lanes"].names:
        return lane
    raise LaneNotFound(f"no queue {request.path_params['name']!r}")
