"""Exactly n groups, each with its best hits, without the store's own bounded grouping."""

from typing import NamedTuple

import msgspec

from shared.filters import Condition, Filter, both
from shared.jobs import GroupKey, PlanName, Search
from workers.stores.protocol import Scored, VectorQuery, VectorStore
from workers.tasks.names import value_at

# A page of hits holds this many times the groups that are missing, so that few rounds are needed.
SPREAD = 4
SMALLEST_PAGE = 64
LARGEST_PAGE = 4_096

Row = tuple[GroupKey, list[Scored]]


class Grouped(NamedTuple):
    """The best groups with their hits; the last plan by which the store looked for groups, and its rounds in all."""

    rows: list[Row]
    plan: PlanName
    rounds: int


async def search_groups(stored: str, query: VectorQuery, *, job: Search, store: VectorStore) -> Grouped:
    """The first `query.limit` groups in the order of their best hit, fewer only when no more exist.

    Each round excludes the groups found before, so it finds at least one more or shows that there is none.
    """
    field = job.group_by
    assert field is not None, "called for grouped searches only"
    # With their types: to Python 1 and true are one key, to the store they are not.
    groups: dict[tuple[type, GroupKey], GroupKey] = {}
    no_group: list[int] = []
    page, rounds = max(SMALLEST_PAGE, SPREAD * query.limit), 0
    while True:
        known = len(groups)
        [found] = await store.search(stored, [_round(query, field, page, groups=list(groups.values()), ids=no_group)])
        rounds += found.rounds
        for hit in found:
            key = _group_of(hit, job)
            if key is not None:
                groups.setdefault((type(key), key), key)
            else:
                no_group.append(hit.id)
        if len(found) < page or len(groups) >= query.limit:
            break
        if len(groups) == known:
            # Items without a group fill the pages: larger ones keep the rounds few.
            page = min(2 * page, LARGEST_PAGE)
    rows = await _best_of(stored, query, list(groups.values())[: query.limit], job=job, store=store)
    return Grouped(rows, found.plan, rounds)


def _group_of(hit: Scored, job: Search) -> GroupKey | None:
    """The word, integer or truth at the field. A list is none; a filter looks into it, so such hits can stray in."""
    value = value_at(hit.payload, job.group_by or "")
    return value if isinstance(value, str | int) else None


def _round(query: VectorQuery, field: str, limit: int, *, groups: list[GroupKey], ids: list[int]) -> VectorQuery:
    where = both(query.filter, Filter(must_not=[Condition(key=field, match=groups)])) if groups else query.filter
    return msgspec.structs.replace(
        query,
        limit=limit,
        filter=where,
        exclude_ids=[*query.exclude_ids, *ids],
        payload=True,
    )


async def _best_of(
    stored: str, query: VectorQuery, groups: list[GroupKey], *, job: Search, store: VectorStore
) -> list[Row]:
    """The best `group_size` hits of each group, asked for in one call, and in more only where strays take places."""
    if not groups:
        return []
    size = limit = job.group_size
    while True:
        found = await store.search(stored, [_members(query, group, job=job, limit=limit) for group in groups])
        kept = [[hit for hit in hits if _group_of(hit, job) is not None] for hits in found]
        if all(len(mine) >= size or len(hits) < limit for mine, hits in zip(kept, found, strict=True)):
            best = [[_plain(hit, payload=query.payload) for hit in mine[:size]] for mine in kept]
            return list(zip(groups, best, strict=True))
        limit *= SPREAD


def _members(query: VectorQuery, group: GroupKey, *, job: Search, limit: int) -> VectorQuery:
    mine = both(query.filter, Filter(must=[Condition(key=job.group_by or "", match=group)]))
    return msgspec.structs.replace(query, limit=limit, filter=mine, payload=True)


def _plain(hit: Scored, *, payload: bool) -> Scored:
    return hit if payload else msgspec.structs.replace(hit, payload=None)
