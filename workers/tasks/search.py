"""The `search` job: encode the query, ask the store, name what came back."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from shared.collections import indexes_of
from shared.errors import Invalid, NothingToContinue
from shared.filter_check import check_filter
from shared.jobs import Collection, Group, Hit, PlanName, Search, SearchResult, SearchTook
from shared.sequences import group_field_of
from workers.parts import Parts
from workers.sittings import Asked, Sitting
from workers.stores.protocol import Scored, VectorQuery
from workers.tasks.call import Call, Stopwatch
from workers.tasks.continuing import gone_on, kept, with_marks, without_groups
from workers.tasks.groups import search_groups
from workers.tasks.names import INTERNAL, public, require_model, stored_name
from workers.tasks.relevance import above, best_of, is_known, is_whole, line_for
from workers.tasks.sequence import aims_of, search_sequences


class _Found(NamedTuple):
    """One page: hits, or groups of them; whether nothing is left after it; how the store went about it."""

    hits: list[Hit] | None
    groups: list[Group] | None
    exhausted: bool
    plan: PlanName
    rounds: int


async def search(job: Search, call: Call, parts: Parts) -> SearchResult:
    """Run one search.

    Raises CollectionNotFound, SessionNotFound, NothingToContinue, ModelMismatch, Invalid, ItemNotFound, StoreAway,
    EncoderAway.
    """
    # Redis is asked for the text's vector while it is asked for the collection and the session.
    with parts.texts.expect(job.query.text, lane=job.lane):
        return await _search(job, call, parts)


async def _search(job: Search, call: Call, parts: Parts) -> SearchResult:
    collection, sitting = await _places(job, call, parts)
    require_model(collection, parts)
    watch = Stopwatch()
    asked = await _asked(job, sitting, collection, call, parts)
    encode_ms = 0.0 if job.next else watch.lap_ms()
    parts.stages.enter(call.job_id, "search")
    found, line = await _found(asked, sitting, collection, call, parts)
    asked = msgspec.structs.replace(asked, line=line)
    await kept(job, asked, call, parts, hits=found.hits, groups=found.groups)
    took = SearchTook(
        queue_ms=call.queued_ms,
        encode_ms=encode_ms,
        search_ms=watch.lap_ms(),
        total_ms=call.total_ms(),
        plan=found.plan,
        rounds=found.rounds,
    )
    return SearchResult(
        took=took,
        model=parts.encoder.info.fingerprint,
        exhausted=found.exhausted,
        hits=found.hits,
        groups=found.groups,
        truncated=asked.truncated,
        relevant=above(line, hits=found.hits, groups=found.groups),
        line=line,
    )


async def _places(job: Search, call: Call, parts: Parts) -> tuple[Collection, Sitting]:
    known, sitting = parts.collections.get(call.tenant, job.collection), parts.sittings.recall
    if job.session is None:
        # It answers without asking Redis, so there is nothing to do side by side.
        return await known, await sitting(call.tenant, job, job_id=call.job_id)
    return await asyncio.gather(known, sitting(call.tenant, job, job_id=call.job_id))


async def _asked(job: Search, sitting: Sitting, collection: Collection, call: Call, parts: Parts) -> Asked:
    """The vector, from the encoder, or as the session's last search had it."""
    if sitting.last is not None:
        if sitting.last.model != parts.encoder.info.fingerprint:
            raise NothingToContinue("the collection has another model since; ask the query anew", field="next")
        return gone_on(job, sitting.last)
    if job.filter is not None:
        check_filter(job.filter, collection.payload)
    queries = [with_marks(job, sitting), *job.queries[1:]]
    parts.stages.enter(call.job_id, "encode")
    first, *later = await aims_of(
        queries,
        stored=stored_name(call.tenant, collection),
        lane=job.lane,
        parts=parts,
        on_device=call.on_device,
        marked={*sitting.positive, *sitting.negative} - job.query.named_ids,
    )
    return Asked(
        search=job,
        vector=first.vector.tobytes(),
        later=[one.vector.tobytes() for one in later],
        positive=[row.tobytes() for row in first.positive],
        negative=[row.tobytes() for row in first.negative],
        model=parts.encoder.info.fingerprint,
        named=sorted(set[int]().union(*(query.named_ids for query in queries))),
        truncated=any(one.truncated for one in (first, *later)),
    )


async def _found(
    asked: Asked, sitting: Sitting, collection: Collection, call: Call, parts: Parts
) -> tuple[_Found, float | None]:
    """A page, and the relevance line."""
    stored = stored_name(call.tenant, collection)
    # One more than asked for tells whether anything is left.
    queries = [
        _vector_query(asked, sitting, collection, vector=vector, limit=asked.search.limit + 1)
        for vector in (asked.vector, *asked.later)
    ]
    finding = _find(asked, queries, sitting, collection, stored=stored, parts=parts)
    if is_known(asked):
        return await finding, asked.line
    if is_whole(queries[0], asked):
        found = await finding
        best = [hit.score for hit in found.hits or ()]
    else:
        found, best = await asyncio.gather(finding, best_of(asked, stored=stored, parts=parts))
    return found, await line_for(asked, best, stored=stored, parts=parts)


async def _find(
    asked: Asked,
    queries: Sequence[VectorQuery],
    sitting: Sitting,
    collection: Collection,
    *,
    stored: str,
    parts: Parts,
) -> _Found:
    job, query = asked.search, queries[0]
    if job.then:
        field = group_field_of(job, collection)
        steps = [without_groups(one, field, sitting) for one in queries]
        index = indexes_of(collection).get(field)
        return _Found(None, *await search_sequences(stored, steps, field=field, index=index, job=job, parts=parts))
    if job.group_by is None:
        found = await parts.searches.one(stored, query)
        hits = [_hit(one) for one in found.hits[: job.limit]]
        return _Found(hits, None, len(found) <= job.limit, found.plan, found.rounds)
    query = without_groups(query, job.group_by, sitting)
    rows, plan, rounds = await search_groups(stored, query, job=job, store=parts.store)
    groups = [Group(group=key, hits=[_hit(one) for one in best]) for key, best in rows[: job.limit]]
    return _Found(None, groups, len(rows) <= job.limit, plan, rounds)


def _vector_query(asked: Asked, sitting: Sitting, collection: Collection, *, vector: bytes, limit: int) -> VectorQuery:
    job = asked.search
    excluded = job.exclude
    groups = [*(excluded.groups if excluded else ()), *sitting.exclude_groups]
    if excluded and excluded.groups and collection.group_field is None:
        raise Invalid(f"collection {collection.name!r} has no group_field", field="exclude.groups")
    return VectorQuery(
        vector=vector,
        positive=asked.positive,
        negative=asked.negative,
        limit=limit,
        filter=job.filter,
        exclude_ids=sitting.excluded([*job.seen, *asked.named, *(excluded.ids if excluded else ())]),
        exclude_field=collection.group_field,
        exclude_groups=groups if collection.group_field is not None else (),
        payload=job.payload,
    )


def _hit(scored: Scored) -> Hit:
    ours = (scored.payload or {}).get(INTERNAL, {})
    return Hit(id=scored.id, score=round(scored.score, 6), source=ours.get("source"), payload=public(scored.payload))
