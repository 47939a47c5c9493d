"""Jobs that read what is stored, answered as if they were none."""

from contextlib import suppress
from typing import TypeVar

import msgspec
from starlette.requests import Request

from api.state import State
from api.submission import submit
from shared.errors import CliplineError, Problem, Unavailable
from shared.jobs import FINAL, Job

WAIT_S = 5.0

Result = TypeVar("Result", bound=msgspec.Struct)


async def read(request: Request[State], job: Job, type_: type[Result], *, tenant: str) -> Result | Problem:
    """The result of an interactive job, or why there is none. Raises Unavailable when no worker answers in time."""
    submitted = await submit(request.state, job, tenant=tenant)
    view = await request.state["dispatcher"].wait_for(tenant, submitted.id, timeout_s=WAIT_S)
    if view.state not in FINAL:
        with suppress(CliplineError):
            await request.state["queue"].cancel(tenant, submitted.id)
        raise Unavailable("no worker answered in time")
    if view.error is not None or view.result is None:
        return view.error or Unavailable("the answer is gone").problem()
    return msgspec.convert(view.result, type_)
