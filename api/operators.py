"""What operators see: workers and queues of the whole stack."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api import auth, params
from api.answers import answer
from api.lanes import LaneView
from api.state import State
from shared.fleet import WorkerInfo


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
