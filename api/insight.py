"""What the dashboard shows beside jobs and queues: who looks, what was counted, what tenants use."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api import auth, params
from api.answers import answer
from api.scope import scope_of
from api.state import State
from shared import statistics
from shared.errors import Forbidden
from shared.jobs import State as JobState
from shared.requests import request_of
from shared.tenants import Role


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks, and what may be done: `may_control` is false for viewers, and for everybody in read-only mode."""

    tenant: str
    role: Role
    may_operate: bool
    may_control: bool
    read_only: bool
    keys: bool
    operators_see: str


class StateCounts(msgspec.Struct, frozen=True):
    states: dict[JobState, int]


async def caller(request: Request[State]) -> Response:
    identity = auth.reader(request)
    params.read(request, params.NoParams)
    settings = request.state["settings"]
    return answer(
        Caller(
            tenant=identity.tenant,
            role=identity.role,
            may_operate=identity.may_operate,
            may_control=identity.may_control and not settings.read_only,
            read_only=settings.read_only,
            keys=not request.state["keyring"].open,
            operators_see=settings.operators_see,
        )
    )


async def overview(request: Request[State]) -> Response:
    auth.operator(request)
    span = params.read(request, params.SpanParams).span
    return answer(await statistics.read(request.state["redis"], span, lanes=request.state["lanes"].names))


async def tenants(request: Request[State]) -> Response:
    """Usage beside limits; the caller's own tenant alone, where others' are not shown."""
    identity = auth.operator(request)
    after = params.read(request, params.TenantsParams).after
    only_own = request.state["settings"].operators_see == "own"
    return answer(await request.state["usage"].page(identity.tenant, after=after, only_own=only_own))


async def states(request: Request[State]) -> Response:
    """How many jobs are in each state."""
    identity = auth.reader(request)
    scope = scope_of(request, identity, params.read(request, params.CountParams).tenant)
    return answer(StateCounts(await request.state["ledger"].counts(scope.tenant)))


async def asked(request: Request[State]) -> Response:
    """What a job was asked to do. Raises JobNotFound, Forbidden where that is hidden."""
    identity = auth.reader(request)
    scope = scope_of(request, identity, params.read(request, params.TenantParams).tenant)
    if scope.redacted:
        raise Forbidden("what other tenants ask for is not shown here")
    job_id = request.path_params["job_id"]
    await request.state["ledger"].get(scope.tenant, job_id)
    return answer(await request_of(request.state["redis"], job_id))
