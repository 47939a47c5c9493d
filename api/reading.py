"""Jobs that read what is stored, answered as if they were none."""

from contextlib import suppress
from typing import TypeVar

import msgspec
from starlette.requests import Request

from api import models
from api.state import State
from api.submission import submit
from shared.errors import CliplineError, Problem, Unavailable
from shared.jobs import FINAL, Collection, Job

WAIT_S = 5.0

Result = TypeVar("Result", bound=msgspec.Struct)


async def read(
    request: Request[State], job: Job, type_: type[Result], *, tenant: str, collection: Collection
) -> Result | Problem:
    """The result of an interactive job, or why there is none. Raises Unavailable when no worker answers in time."""
    model_name = await models.reaching(request.state, collection)
    submitted = await submit(request.state, job, tenant=tenant, model_name=model_name)
    view = await request.state["dispatcher"].wait_for(tenant, submitted.id, timeout_s=WAIT_S)
    if view.state not in FINAL:
        with suppress(CliplineError):
            await request.state["queue"].cancel(tenant, submitted.id)
        if not await models.is_held(request.state, model_name):
            raise Unavailable(f"no live worker holds the model {model_name!r}")
        raise Unavailable("no worker answered in time")
    if view.error is not None or view.result is None:
        return view.error or Unavailable("the answer is gone").problem()
    return msgspec.convert(view.result, type_)
