"""Exactly n groups, each with its best hits, without the store's own bounded grouping."""

from typing import NamedTuple

import msgspec

from shared.filters import Condition, Filter, both
from shared.jobs import GroupKey, PlanName, Search
from workers.stores.protocol import Answer, Scored, VectorQuery, VectorStore
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

    Each round excludes the groups found before, so it finds at least one more or shows that there is none. Rounds that
    bring little make the next page larger, so that even groups of thousands that lie together take few of them.
    """
    field = job.group_by
    assert field is not None, "called for grouped searches only"
    search = _Search(job)
    page, rounds = max(SMALLEST_PAGE, SPREAD * query.limit), 0
    while True:
        missing = query.limit - len(search.groups)
        [found] = await store.search(stored, [search.narrowed(query, field, page)])
        rounds += found.rounds
        new = search.learn(found)
        if len(found) < page or new >= missing:
            break
        if 2 * new < missing:
            page = min(2 * page, LARGEST_PAGE)
    rows = await _best_of(stored, query, search.rows[: query.limit], job=job, store=store)
    return Grouped(rows, found.plan, rounds)


class _Search:
    """What the rounds have found: groups with the hits that came along, best first, and items that have none."""

    def __init__(self, job: Search) -> None:
        self._job = job
        # With their types: to Python 1 and true are one key, to the store they are not.
        self.groups: dict[tuple[type, GroupKey], Row] = {}
        self._strays: list[int] = []

    @property
    def rows(self) -> list[Row]:
        return list(self.groups.values())

    def learn(self, found: Answer) -> int:
        """How many of the groups are new. A group's hits are all in the round that found it, or further down."""
        known = len(self.groups)
        for hit in found:
            key = _group_of(hit, self._job)
            if key is None:
                self._strays.append(hit.id)
            else:
                self.groups.setdefault((type(key), key), (key, []))[1].append(hit)
        return len(self.groups) - known

    def narrowed(self, query: VectorQuery, field: str, limit: int) -> VectorQuery:
        """The query for the next round: without the groups that are known, and without what has no group, once met."""
        known = [Condition(key=field, match=[key for key, _ in self.rows])] if self.groups else []
        none = [Condition(key=field, is_empty=True)] if self._strays else []
        where = both(query.filter, Filter(must_not=[*known, *none])) if known or none else query.filter
        ids = [*query.exclude_ids, *self._strays]
        return msgspec.structs.replace(query, limit=limit, filter=where, exclude_ids=ids, payload=True)


def _group_of(hit: Scored, job: Search) -> GroupKey | None:
    """The word, integer or truth at the field. A list is none; a filter looks into it, so such hits can stray in."""
    value = value_at(hit.payload, job.group_by or "")
    return value if isinstance(value, str | int) else None


async def _best_of(stored: str, query: VectorQuery, rows: list[Row], *, job: Search, store: VectorStore) -> list[Row]:
    """The best `group_size` hits of each group; the store is asked about those of which too few came along."""
    size = job.group_size
    short = [place for place, (_, hits) in enumerate(rows) if len(hits) < size]
    more = await _members_of(stored, query, [rows[place][0] for place in short], job=job, store=store)
    best = {**{place: hits for place, (_, hits) in enumerate(rows)}, **dict(zip(short, more, strict=True))}
    return [
        (key, [_plain(hit, payload=query.payload) for hit in best[place][:size]]) for place, (key, _) in enumerate(rows)
    ]


async def _members_of(
    stored: str, query: VectorQuery, groups: list[GroupKey], *, job: Search, store: VectorStore
) -> list[list[Scored]]:
    """At least `group_size` of each, asked for in one call, and in more only where strays take places."""
    limit = job.group_size
    while groups:
        found = await store.search(stored, [_members(query, group, job=job, limit=limit) for group in groups])
        kept = [[hit for hit in hits if _group_of(hit, job) is not None] for hits in found]
        if all(len(mine) >= job.group_size or len(hits) < limit for mine, hits in zip(kept, found, strict=True)):
            return kept
        limit *= SPREAD
    return []


def _members(query: VectorQuery, group: GroupKey, *, job: Search, limit: int) -> VectorQuery:
    mine = both(query.filter, Filter(must=[Condition(key=job.group_by or "", match=group)]))
    return msgspec.structs.replace(query, limit=limit, filter=mine, payload=True)


def _plain(hit: Scored, *, payload: bool) -> Scored:
    return hit if payload else msgspec.structs.replace(hit, payload=None)
