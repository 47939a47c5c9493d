"""How to search: through the HNSW graph, through more of it, or past every vector; docs/planner.md explains it."""

from typing import NamedTuple

from shared.jobs import PlanName

# Up to here an exact scan is cheap, 0.6 ms for 10,000 × 512, and no graph is built. At twice as many, clustered as
# pictures are, the scan takes 1.1 ms and the graph 0.4.
EXACT_UP_TO = 10_000
# Of the exact answer's hits a plan has to find so many on average, or another one is taken.
PROMISED_RECALL = 0.95
MIN_EF = 64
MAX_EF = 16_384
# So many more candidates than hits, one in eight, however many hits: a quantised graph mixes up the last ones.
SPARE_PART = 8


class Plan(NamedTuple):
    """Exact, or HNSW with `ef` candidates; `acorn` also walks through points that do not pass."""

    exact: bool
    ef: int | None = None
    acorn: bool = False

    @property
    def name(self) -> PlanName:
        return "exact" if self.exact else "graph+acorn" if self.acorn else "graph"

    def oversampling(self, limit: int) -> float | None:
        """How many times `limit` hits to compare by their full vectors: as many as there are candidates."""
        return None if self.ef is None else max(1.0, self.ef / limit)


EXACT = Plan(exact=True)


class Fetch(NamedTuple):
    """One question to the engine: `limit` hits by a plan, the excluded ids left out there, or dropped by us later."""

    plan: Plan
    limit: int
    exclude: bool

    @property
    def name(self) -> PlanName:
        return "graph+drop" if not self.exclude and self.plan.name == "graph" else self.plan.name


class Situation(NamedTuple):
    """What a plan depends on: points and dimensions of the collection, points that pass the filter, excluded ids."""

    points: int
    dim: int
    passing: int
    excluded: int

    @property
    def narrowed(self) -> bool:
        return self.passing < self.points

    @property
    def selectivity(self) -> int:
        """Alike for shares of passing points within a factor of four, 0 without a filter."""
        return (self.points // max(1, self.passing)).bit_length() // 2 + 1 if self.narrowed else 0


class Rung(NamedTuple):
    """A step of a ladder of graph plans, each more thorough than the one below: `factor` multiplies ef."""

    acorn: bool
    factor: int

    def plan(self, limit: int) -> Plan:
        ef = max(limit + limit // SPARE_PART, min(MAX_EF, self.factor * max(MIN_EF, limit)))
        return Plan(exact=False, ef=ef, acorn=self.acorn)


# Without a filter every point passes, and walking through those that do not means nothing.
OPEN = tuple(Rung(acorn=False, factor=2**step) for step in range(6))
NARROWED = (
    Rung(acorn=False, factor=1),
    Rung(acorn=False, factor=2),
    *(Rung(acorn=True, factor=2**step) for step in range(1, 8)),
)


# Where a scan takes too long for trials: thorough enough for vectors of every kind that were measured.
UNTRIED = {OPEN: OPEN[2], NARROWED: NARROWED[-2]}


def ladder(where: Situation, *, exclude: bool) -> tuple[Rung, ...]:
    return NARROWED if where.narrowed or (exclude and where.excluded) else OPEN
