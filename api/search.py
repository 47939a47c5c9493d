"""POST /v1/search."""

from asyncio import gather

from starlette.requests import Request
from starlette.responses import Response

from api import auth, bodies, models, params
from api.state import State
from api.submission import enqueue
from shared.filter_check import check_filter
from shared.jobs import Collection, Search
from shared.sequences import group_field_of


async def submit(request: Request[State]) -> Response:
    """Enqueue a search; an unknown collection or session is told at once, not by a failed job."""
    identity = auth.reader(request)
    settings = request.state["settings"]
    wait_s = params.wait_s(request, most_s=settings.max_wait_s)
    idempotency_key = params.idempotency_key(request)
    search: Search = await bodies.read(request, Search, most_bytes=settings.max_body_bytes)
    bodies.check_search(search, settings)
    collection = await check_places(request.state, search, tenant=identity.tenant)
    return await enqueue(
        request,
        search,
        tenant=identity.tenant,
        wait_s=wait_s,
        idempotency_key=idempotency_key,
        model_name=models.serving(request.state, collection),
    )


async def check_places(state: State, search: Search, *, tenant: str, root: str = "") -> Collection:
    """The collection. Raises CollectionNotFound, SessionNotFound, NothingToContinue, Invalid for what does not fit."""
    collection, _ = await gather(
        state["collections"].get(tenant, search.collection), state["sessions"].require_for(tenant, search)
    )
    if search.filter is not None:
        check_filter(search.filter, collection.payload, field=f"{root}.filter" if root else "filter")
    if search.then:
        group_field_of(search, collection, field=f"{root}.then" if root else "then")
    return collection
