"""/v1/collections/{name}/facets: how many items have which values."""

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api import auth, bodies, params, reading
from api.answers import answer
from api.problems import answer as problem_answer
from api.state import State
from shared.collections import check_facets
from shared.errors import Problem
from shared.filter_check import check_filter
from shared.filters import Filter
from shared.jobs import FacetFields, FacetLimit, Facets, FacetsResult


class FacetsRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Fields whose values are counted, the `limit` most frequent ones of each, among the items that pass `filter`."""

    fields: FacetFields
    filter: Filter | None = None
    limit: FacetLimit = 20


async def count(request: Request[State]) -> Response:
    """Counted by a worker on the interactive lane."""
    identity = auth.reader(request)
    params.read(request, params.NoParams)
    found = await request.state["collections"].get(identity.tenant, request.path_params["name"])
    most_bytes = request.state["settings"].max_body_bytes
    wanted: FacetsRequest = await bodies.read(request, FacetsRequest, most_bytes=most_bytes)
    check_facets(found, wanted.fields)
    if wanted.filter is not None:
        check_filter(wanted.filter, found.payload)
    job = Facets(collection=found.name, fields=wanted.fields, filter=wanted.filter, limit=wanted.limit)
    result = await reading.read(request, job, FacetsResult, tenant=identity.tenant, collection=found)
    return problem_answer(result) if isinstance(result, Problem) else answer(result)
