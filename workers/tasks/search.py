"""The `search` job: encode the query, ask the store, name what came back."""

from shared.errors import Invalid
from shared.filter_check import check_filter
from shared.jobs import Collection, Group, Hit, Search, SearchResult, SearchTook
from workers.parts import Parts
from workers.stores.protocol import Scored, VectorQuery
from workers.tasks.call import Call, Stopwatch
from workers.tasks.groups import search_groups
from workers.tasks.names import INTERNAL, public, require_model, stored_name
from workers.tasks.vectors import query_vector


async def search(job: Search, call: Call, parts: Parts) -> SearchResult:
    """Run one search. Raises CollectionNotFound, ModelMismatch, Invalid, ItemNotFound, StoreAway, EncoderAway."""
    # Redis is asked for the text's vector while it is asked for the collection.
    with parts.texts.expect(job.query.text, lane=job.lane):
        return await _search(job, call, parts)


async def _search(job: Search, call: Call, parts: Parts) -> SearchResult:
    collection = await parts.collections.get(call.tenant, job.collection)
    require_model(collection, parts.encoder.info)
    if job.filter is not None:
        check_filter(job.filter, collection.payload)
    stored, watch = stored_name(call.tenant, job.collection), Stopwatch()
    parts.stages.enter(call.job_id, "encode")
    vector, truncated = await query_vector(
        job.query, stored=stored, lane=job.lane, parts=parts, on_device=call.on_device
    )
    encode_ms = watch.lap_ms()
    parts.stages.enter(call.job_id, "search")
    # One more than asked for tells whether anything is left.
    query = _vector_query(job, collection, vector.tobytes(), limit=job.limit + 1)
    hits: list[Hit] | None = None
    groups: list[Group] | None = None
    if job.group_by is None:
        found = await parts.searches.one(stored, query)
        hits, exhausted = [_hit(one) for one in found.hits[: job.limit]], len(found) <= job.limit
        plan, rounds = found.plan, found.rounds
    else:
        rows, plan, rounds = await search_groups(stored, query, job=job, store=parts.store)
        groups = [Group(group=key, hits=[_hit(one) for one in best]) for key, best in rows[: job.limit]]
        exhausted = len(rows) <= job.limit
    took = SearchTook(
        queue_ms=call.queued_ms,
        encode_ms=encode_ms,
        search_ms=watch.lap_ms(),
        total_ms=call.total_ms(),
        plan=plan,
        rounds=rounds,
    )
    return SearchResult(
        took=took,
        model=parts.encoder.info.fingerprint,
        exhausted=exhausted,
        hits=hits,
        groups=groups,
        truncated=truncated,
    )


def _vector_query(job: Search, collection: Collection, vector: bytes, *, limit: int) -> VectorQuery:
    excluded = job.exclude
    if excluded is not None and excluded.groups and collection.group_field is None:
        raise Invalid(f"collection {collection.name!r} has no group_field", field="exclude.groups")
    ids = {*job.seen, *job.query.named_ids, *(excluded.ids if excluded else ())}
    return VectorQuery(
        vector=vector,
        limit=limit,
        filter=job.filter,
        exclude_ids=sorted(ids),
        exclude_field=collection.group_field,
        exclude_groups=excluded.groups if excluded else (),
        payload=job.payload,
    )


def _hit(scored: Scored) -> Hit:
    ours = (scored.payload or {}).get(INTERNAL, {})
    return Hit(id=scored.id, score=round(scored.score, 6), source=ours.get("source"), payload=public(scored.payload))
