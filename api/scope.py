"""Whose jobs a caller may see, and how much of them."""

import msgspec
from starlette.requests import Request

from api import auth
from api.state import State
from shared.errors import Forbidden, Problem
from shared.jobs import Attempt, JobView
from shared.tenants import Identity


class Scope(msgspec.Struct, frozen=True):
    """A tenant, or ALL of them, and whether what jobs of other tenants than `own` asked and answered stays hidden."""

    tenant: str
    own: str
    redacted: bool = False

    def shown(self, job: JobView) -> JobView:
        return redacted(job) if self.redacted and job.tenant != self.own else job


def scope_of(request: Request[State], identity: Identity, tenant: str | None) -> Scope:
    """Operators and viewers may look at other tenants, as far as `operators_see` lets them. Raises Forbidden."""
    if tenant is None or tenant == identity.tenant:
        return Scope(identity.tenant, own=identity.tenant)
    auth.operator(request)
    see = request.state["settings"].operators_see
    if see == "own":
        raise Forbidden("other tenants' jobs are not shown here")
    return Scope(tenant, own=identity.tenant, redacted=see == "redacted")


def redacted(job: JobView) -> JobView:
    """Without the query, what came of it, and texts of errors, which may quote either."""
    return msgspec.structs.replace(
        job,
        text=None,
        session=None,
        result=None,
        error=None if job.error is None else _named(job.error),
        history=[_without_text(one) for one in job.history],
        redacted=True,
    )


def _without_text(attempt: Attempt) -> Attempt:
    return msgspec.structs.replace(attempt, problem=_named(attempt.problem))


def _named(problem: Problem) -> Problem:
    return Problem(type=problem.type, title=problem.title, status=problem.status, retryable=problem.retryable)
