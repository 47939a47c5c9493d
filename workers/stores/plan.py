"""How to search: through the HNSW graph, through more of it, or past every vector."""

from typing import NamedTuple

from shared.jobs import PlanName
from workers.stores.protocol import VectorQuery

# Up to here an exact scan is cheap: 1 ms for 20,000 × 512 with AVX-512, 3 ms with AVX2, one core.
EXACT_UP_TO = 20_000
# With filters or many exclusions a scan (13 ms for 100,000 × 512 with AVX-512) beats the graph's recall up to here.
EXACT_WHEN_NARROWED_UP_TO = 200_000
# Excluded points are the query's nearest ones; from about here on the graph loses its core (recall 0.98 at 100).
MANY_EXCLUSIONS = 100
MIN_EF = 128
# ef 8192 with ACORN kept recall 0.99 with 1,000 exclusions and 0.97 with 5,000 on 60,000 × 256.
MAX_EF = 8_192


class Plan(NamedTuple):
    """Exact, or HNSW with `ef` candidates; `acorn` also walks through points that do not pass."""

    exact: bool
    ef: int | None = None
    acorn: bool = False

    @property
    def name(self) -> PlanName:
        return "exact" if self.exact else "graph+acorn" if self.acorn else "graph"


EXACT = Plan(exact=True)


def plan(query: VectorQuery, *, count: int) -> Plan:
    """Choose for one query on a collection of about `count` points."""
    if count <= EXACT_UP_TO:
        return EXACT
    excluded = len(query.exclude_ids)
    narrowed = bool(query.filter) or bool(query.exclude_groups) or excluded >= MANY_EXCLUSIONS
    if narrowed and count <= EXACT_WHEN_NARROWED_UP_TO:
        return EXACT
    if narrowed:
        return Plan(exact=False, ef=MAX_EF, acorn=True)
    return Plan(exact=False, ef=max(MIN_EF, 2 * (query.limit + excluded)), acorn=excluded > 0)


def fell_short(query: VectorQuery, plan: Plan, found: int) -> bool:
    """Fewer results than asked for, where an exact scan might find more."""
    return not plan.exact and found < query.limit
