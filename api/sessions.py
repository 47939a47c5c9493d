"""POST /v1/sessions: a session for clients without a websocket."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api import auth, params
from api.answers import answer
from api.state import State


class NewSession(msgspec.Struct, frozen=True):
    session: str


async def create(request: Request[State]) -> Response:
    identity = auth.reader(request)
    params.read(request, params.NoParams)
    return answer(NewSession(await request.state["sessions"].create(identity.tenant)), status=201)
