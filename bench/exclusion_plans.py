"""The ways to search without what was seen that `bench.exclusion` compares, all inside the process that owns Edge."""

from collections.abc import Callable, Sequence

import msgspec

from workers.stores.edge_collection import Collection
from workers.stores.plan import EXACT, Ask, Plan
from workers.stores.protocol import Scored, VectorQuery

Search = Callable[[Collection, VectorQuery], Sequence[Scored]]

# What the engine does when nobody says anything about the plan.
DEFAULT = Plan(exact=False)


def clipline(collection: Collection, query: VectorQuery) -> Sequence[Scored]:
    [answer] = collection.search([query])
    return answer.hits


def must_not(collection: Collection, query: VectorQuery) -> Sequence[Scored]:
    """The seen ids as a filter, the engine's own defaults."""
    [hits] = collection.ask([Ask(query, DEFAULT)])
    return hits


def exact(collection: Collection, query: VectorQuery) -> Sequence[Scored]:
    """The seen ids as a filter, past every vector."""
    [hits] = collection.ask([Ask(query, EXACT)])
    return hits


def over_fetch(collection: Collection, query: VectorQuery) -> Sequence[Scored]:
    """As many more as were seen, dropped afterwards."""
    return _dropped(collection, query, query.limit + len(query.exclude_ids))[0]


def fetch_and_drop(collection: Collection, query: VectorQuery) -> Sequence[Scored]:
    """Fetch, drop what was seen, fetch twice as many while too few are left: the loop of classic systems."""
    limit = query.limit
    while True:
        kept, fetched = _dropped(collection, query, limit)
        if len(kept) >= query.limit or fetched < limit:
            return kept
        limit *= 2


def _dropped(collection: Collection, query: VectorQuery, limit: int) -> tuple[Sequence[Scored], int]:
    """HNSW needs as many candidates as it is to return."""
    asked = msgspec.structs.replace(query, limit=limit, exclude_ids=(), payload=False)
    [hits] = collection.ask([Ask(asked, Plan(exact=False, ef=max(128, limit)))])
    seen = set(query.exclude_ids)
    return [hit for hit in hits if hit.id not in seen][: query.limit], len(hits)


NAIVE: dict[str, Search] = {
    "must_not": must_not,
    "exact": exact,
    "over_fetch": over_fetch,
    "fetch_and_drop": fetch_and_drop,
}
# Ours a second time: how far it is from itself is noise.
CONTROL = "clipline_again"
PLANS: dict[str, Search] = {"clipline": clipline, CONTROL: clipline, **NAIVE}
