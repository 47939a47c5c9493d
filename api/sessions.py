"""Sessions over HTTP: for clients without a websocket, and what a session holds for its searcher."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api import auth, bodies, params
from api.answers import answer
from api.state import State
from shared.archive import Archive
from shared.errors import Invalid, SessionNotFound
from shared.marks import Joining, Marked, Marks, Step

MAX_SESSION = 128


class NewSession(msgspec.Struct, frozen=True):
    session: str


async def create(request: Request[State]) -> Response:
    identity = auth.reader(request)
    params.read(request, params.NoParams)
    return answer(NewSession(await request.state["sessions"].create(identity.tenant)), status=201)


async def recent(request: Request[State]) -> Response:
    identity, asked = auth.reader(request), params.read(request, params.SessionsParams)
    return answer(await request.state["sessions"].recent(identity.tenant, before=asked.before, limit=asked.limit))


async def drop(request: Request[State]) -> Response:
    """Whoever may make sessions may end them, or would have no way back from their bound."""
    identity = auth.reader(request)
    params.read(request, params.NoParams)
    await request.state["sessions"].drop(identity.tenant, session_in(request))
    return Response(status_code=204)


async def show(request: Request[State]) -> Response:
    identity = auth.reader(request)
    asked = params.read(request, params.SessionParams)
    return answer(await request.state["marking"].view(identity.tenant, session_in(request), asked.collection))


async def mark(request: Request[State]) -> Response:
    """What somebody has seen and thinks of it is no change of the collection: whoever may search may mark."""
    identity, session = auth.reader(request), session_in(request)
    marks: Marks = await _body(request, Marks)
    return answer(await marked(request.state, identity.tenant, session, marks))


async def marked(state: State, tenant: str, session: str, marks: Marks) -> Marked:
    """Raises CollectionNotFound, Invalid, SessionNotFound, SessionFull."""
    await _require_fit(state, tenant, marks)
    return await state["marking"].mark(tenant, session, marks)


async def _require_fit(state: State, tenant: str, marks: Marks) -> None:
    collection = await state["collections"].get(tenant, marks.collection)
    if marks.exclude_groups is not None and marks.exclude_groups.add and collection.group_field is None:
        raise Invalid(f"collection {collection.name!r} has no group_field", field="exclude_groups")


async def undo(request: Request[State]) -> Response:
    return await _step(request, request.state["marking"].undo)


async def redo(request: Request[State]) -> Response:
    return await _step(request, request.state["marking"].redo)


async def _step(request: Request[State], take: Callable[..., Awaitable[Marked]]) -> Response:
    identity, session, key = auth.reader(request), session_in(request), params.idempotency_key(request)
    step: Step = await _body(request, Step)
    return answer(await take(identity.tenant, session, step.collection, key=key))


async def join(request: Request[State]) -> Response:
    """201 for a new member, 200 for one who comes back."""
    identity, session = auth.reader(request), session_in(request)
    joining: Joining = await _body(request, Joining)
    seat, new = await request.state["sessions"].join(identity.tenant, session, joining.name)
    return answer(seat, status=201 if new else 200)


async def past(request: Request[State]) -> Response:
    identity, asked = auth.reader(request), params.read(request, params.HistoryParams)
    return answer(await request.state["marking"].history(identity.tenant, session_in(request), limit=asked.limit))


async def export(request: Request[State]) -> Response:
    identity = auth.reader(request)
    params.read(request, params.NoParams)
    return answer(await request.state["marking"].archive(identity.tenant, session_in(request)))


async def restore(request: Request[State]) -> Response:
    """A new session that holds what another one held."""
    identity = auth.reader(request)
    changes = await _changes(request, identity.tenant)
    session = await request.state["sessions"].create(identity.tenant)
    await _apply(request.state, identity.tenant, session, changes)
    return answer(NewSession(session), status=201)


async def replace(request: Request[State]) -> Response:
    """In the collections that the document names the session holds then what the document says, and can be undone."""
    identity, session = auth.reader(request), session_in(request)
    changes = await _changes(request, identity.tenant)
    await _apply(request.state, identity.tenant, session, changes)
    return answer(await request.state["marking"].view(identity.tenant, session, None))


async def _changes(request: Request[State], tenant: str) -> list[Marks]:
    """All that is wrong is found before anything changes."""
    archive: Archive = await _body(request, Archive)
    changes = [one.marks() for one in archive.collections]
    for marks in changes:
        await _require_fit(request.state, tenant, marks)
    return changes


async def _apply(state: State, tenant: str, session: str, changes: list[Marks]) -> None:
    await state["sessions"].require(tenant, session)
    for marks in changes:
        await state["marking"].mark(tenant, session, marks)


async def _body(request: Request[State], kind: Any) -> Any:
    params.read(request, params.NoParams)
    return await bodies.read(request, kind, most_bytes=request.state["settings"].max_body_bytes)


def session_in(request: Request[State]) -> str:
    """Raises SessionNotFound for a name that no session has."""
    name: str = request.path_params["session"]
    if len(name) > MAX_SESSION or not name.isprintable():
        raise SessionNotFound(f"no session {name[:MAX_SESSION]!r}")
    return name
