"""How a search and its session act on each other: marks join the query, a last query goes on, a page is kept."""

from collections.abc import Sequence

import msgspec

from shared import history
from shared.clock import now_ms
from shared.filters import Condition, Filter, Scalar
from shared.jobs import Exclude, Group, Hit, Query, Search
from workers.parts import Parts
from workers.sittings import Asked, Sitting
from workers.stores.protocol import VectorQuery
from workers.tasks.call import Call

# As many values as a request's own condition may list.
VALUES = 1_000


def with_marks(job: Search, sitting: Sitting) -> Query:
    """The query, with the session's marks among its examples. Raises Invalid when it says nothing then.

    What the request itself says of an item counts more than its mark. They are single pictures: no step of a sequence.
    """
    query, said = job.query, job.query.named_ids
    if job.session is not None and job.marks and not job.then:
        query = msgspec.structs.replace(
            query,
            positive=[*query.positive, *(one for one in sitting.positive if one not in said)],
            negative=[*query.negative, *(one for one in sitting.negative if one not in said)],
        )
    job.require_parts(marked=bool(query.positive))
    return query


def gone_on(job: Search, last: Asked) -> Asked:
    """The last query as the next page asks for it: with its own limit, and what else it wants left out."""
    before, more = last.search.exclude or Exclude(), job.exclude or Exclude()
    search = msgspec.structs.replace(
        last.search,
        limit=job.limit,
        payload=job.payload and last.search.payload,
        remember=job.remember or last.search.remember,
        seen=[*last.search.seen, *job.seen],
        exclude=Exclude(ids=[*before.ids, *more.ids], groups=[*before.groups, *more.groups]),
    )
    return msgspec.structs.replace(last, search=search)


def without_groups(query: VectorQuery, field: str, sitting: Sitting) -> VectorQuery:
    """Without the groups that earlier pages showed. To Python 1 and true are one key, to the store they are not."""
    where = query.filter or Filter()
    told = [Condition(key=field, match=some) for some in _slices(sitting.shown_groups)]
    return msgspec.structs.replace(
        query, filter=msgspec.structs.replace(where, must_not=[*where.must_not, *told]) if told else query.filter
    )


def _slices(values: Sequence[Scalar]) -> list[list[Scalar]]:
    return [list(values[start : start + VALUES]) for start in range(0, len(values), VALUES)]


def _without_picture(query: Query) -> Query:
    return msgspec.structs.replace(query, image=None)


async def kept(
    job: Search, asked: Asked, call: Call, parts: Parts, *, hits: list[Hit] | None, groups: list[Group] | None
) -> None:
    """Tell the session of the page; the picture of a query is not kept, its vector is."""
    if job.session is None:
        return
    shown = [hit.id for hit in hits or ()] + [hit.id for group in groups or () for hit in group.hits]
    search = asked.search
    then = [msgspec.structs.replace(one, query=_without_picture(one.query)) for one in search.then]
    bare = msgspec.structs.replace(search, query=_without_picture(search.query), then=then)
    await parts.sittings.keep(
        call.tenant,
        job,
        job_id=call.job_id,
        asked=None if job.next else msgspec.structs.replace(asked, search=bare),
        shown=shown,
        groups=[group.group for group in groups or ()],
        remember=search.remember,
        entry=b"" if job.next else _entry(bare, call, picture=search.query.image is not None),
    )


def _entry(search: Search, call: Call, *, picture: bool) -> bytes:
    return history.packed(search, job_id=call.job_id, at_ms=now_ms(), picture=picture)
