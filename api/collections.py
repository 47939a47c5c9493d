"""/v1/collections: list, look, create, reindex, drop; workers do the work."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api import auth, bodies, models, params
from api.answers import answer
from api.problems import answer as problem_answer
from api.state import State
from api.submission import enqueue, place_of, submit, taken_again
from shared.collections import require_same
from shared.jobs import FINAL, Collection, CollectionSpec, CollectionTask, JobView, Name, Reindex
from shared.problems import from_validation

# Creating and dropping takes milliseconds; who waits longer is told where to look.
WAIT_S = 10.0


class CollectionList(msgspec.Struct, frozen=True):
    collections: list[Collection]


async def every(request: Request[State]) -> Response:
    identity = auth.reader(request)
    params.read(request, params.NoParams)
    return answer(CollectionList(await request.state["collections"].all(identity.tenant)))


async def show(request: Request[State]) -> Response:
    identity = auth.reader(request)
    params.read(request, params.NoParams)
    return answer(await request.state["collections"].get(identity.tenant, request.path_params["name"]))


async def put(request: Request[State]) -> Response:
    """201 when created, 200 when it was there already, 409 when it is there with other settings."""
    identity = auth.writer(request)
    params.read(request, params.NoParams)
    name, spec = _name(request), await _spec(request)
    there = await request.state["collections"].find(identity.tenant, name)
    if there is not None:
        require_same(there, spec)
        return answer(there)
    model_name = models.known(request.state, spec.model_name)
    task = CollectionTask(op="create", collection=name, spec=spec)
    view = await _run(request, task, tenant=identity.tenant, model_name=model_name)
    if view.state != "succeeded":
        return _not_done(view)
    made = await request.state["collections"].get(identity.tenant, name)
    return answer(made, status=201, headers={"Location": f"/v1/collections/{name}"})


async def drop(request: Request[State]) -> Response:
    """204 when it is gone."""
    identity = auth.writer(request)
    params.read(request, params.NoParams)
    found = await request.state["collections"].get(identity.tenant, request.path_params["name"])
    model_name = await models.reaching(request.state, found)
    task = CollectionTask(op="drop", collection=found.name)
    view = await _run(request, task, tenant=identity.tenant, model_name=model_name)
    return Response(status_code=204) if view.state == "succeeded" else _not_done(view)


class ReindexRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`leave_out`: switch even if some pictures can no longer be read, which are gone from the collection then.

    `model_name`: the model of the fleet that the collection moves to; it keeps its own, as that is now, without.
    """

    leave_out: bool = False
    model_name: Name | None = None


async def reindex(request: Request[State]) -> Response:
    """202: the job goes on in the bulk lane, however long it takes."""
    identity = auth.writer(request)
    settings = request.state["settings"]
    wait_s = params.wait_s(request, most_s=settings.max_wait_s)
    found = await request.state["collections"].get(identity.tenant, request.path_params["name"])
    asked = ReindexRequest()
    if _has_body(request):
        asked = await bodies.read(request, ReindexRequest, most_bytes=settings.max_body_bytes)
    wanted = asked.model_name
    model_name = models.serving(request.state, found) if wanted is None else models.known(request.state, wanted)
    job = Reindex(collection=found.name, leave_out=asked.leave_out, model_name=model_name)
    key = params.idempotency_key(request)
    return await enqueue(
        request, job, tenant=identity.tenant, wait_s=wait_s, idempotency_key=key, model_name=model_name
    )


def _name(request: Request[State]) -> str:
    try:
        name: str = msgspec.convert(request.path_params["name"], Name)
    except msgspec.ValidationError as error:
        raise from_validation(error, root="name") from error
    return name


async def _spec(request: Request[State]) -> CollectionSpec:
    """No body at all means a plain collection."""
    most_bytes = request.state["settings"].max_body_bytes
    if not _has_body(request):
        return CollectionSpec()
    spec: CollectionSpec = await bodies.read(request, CollectionSpec, most_bytes=most_bytes)
    return spec


def _has_body(request: Request[State]) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


async def _run(request: Request[State], task: CollectionTask, *, tenant: str, model_name: str) -> JobView:
    """Without a live worker of the model there is nothing to wait for: the job stays queued until one comes."""
    submitted = await submit(request.state, task, tenant=tenant, model_name=model_name)
    wait_s = WAIT_S if await models.is_held(request.state, model_name) else 0.0
    return await request.state["dispatcher"].wait_for(tenant, submitted.id, timeout_s=wait_s)


def _not_done(view: JobView) -> Response:
    if view.state in FINAL and view.error is not None:
        return problem_answer(view.error, headers=place_of(view.id))
    return answer(taken_again(view), status=202, headers=place_of(view.id))
