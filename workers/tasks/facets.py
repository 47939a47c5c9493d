"""The `facets` job: count the values of fields among what passes a filter."""

from shared.collections import check_facets
from shared.filter_check import check_filter
from shared.jobs import Facet, Facets, FacetsResult
from workers.parts import Parts
from workers.stores.protocol import FacetQuery
from workers.tasks.call import Call
from workers.tasks.names import stored_name


async def facets(job: Facets, call: Call, parts: Parts) -> FacetsResult:
    """Exact counts. Raises CollectionNotFound, Invalid, StoreAway."""
    collection = await parts.collections.get(call.tenant, job.collection)
    check_facets(collection, job.fields)
    if job.filter is not None:
        check_filter(job.filter, collection.payload)
    queries = [FacetQuery(field=field, limit=job.limit, filter=job.filter) for field in job.fields]
    counted = await parts.store.facets(stored_name(call.tenant, collection), queries)
    return FacetsResult(
        facets=[Facet(field=field, values=values) for field, values in zip(job.fields, counted, strict=True)]
    )
