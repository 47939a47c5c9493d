"""How to search: through the HNSW graph, past every vector, or past their copies; docs/planner.md explains it."""

from typing import NamedTuple

from shared.jobs import PlanName
from workers.stores.protocol import VectorQuery

# Up to here an exact scan is cheap, 0.6 ms for 10,000 × 512, and no graph is built. At twice as many, clustered as
# pictures are, the scan takes 1.1 ms and the graph 0.4.
EXACT_UP_TO = 10_000
# Of the exact answer's hits a plan has to find so many on average, or another one is taken.
PROMISED_RECALL = 0.95
MIN_EF = 64
MAX_EF = 16_384
# So many more candidates than hits, one in eight, however many hits, where a quantised graph mixes up the last ones.
SPARE_PART = 8
# So many standard deviations more are fetched than are expected to be dropped.
DEVIATIONS = 4


class Plan(NamedTuple):
    """Exact; HNSW with `ef` candidates; or past small copies, `rescored` of which are compared by their full vectors.

    `acorn` also walks through points that do not pass. `coarse` reads copies in 4 bits, else in 8. With `fetched`, the
    engine is asked for so many of the nearest copies, whatever they are, and what is excluded or does not pass is left
    out of these alone.
    """

    exact: bool
    ef: int | None = None
    acorn: bool = False
    rescored: int | None = None
    coarse: bool = False
    fetched: int | None = None

    @property
    def name(self) -> PlanName:
        if self.rescored is not None:
            return "scan" if self.fetched is None else "scan+drop"
        return "exact" if self.exact else "graph+acorn" if self.acorn else "graph"

    def oversampling(self, limit: int) -> float | None:
        """How many times `limit` hits to compare by their full vectors: as many as there are candidates."""
        return None if self.ef is None else max(1.0, self.ef / limit)


EXACT = Plan(exact=True)


class Fetch(NamedTuple):
    """One question to the engine: `limit` hits by a plan, the excluded ids left out there, or dropped by us later.

    `wanted`: so many of those that are not dropped make the answer; None for all.
    """

    plan: Plan
    limit: int
    exclude: bool
    wanted: int | None = None

    @property
    def name(self) -> PlanName:
        return "graph+drop" if not self.exclude and self.plan.name == "graph" else self.plan.name


class Ask(NamedTuple):
    """A query as the engine is to run it; excluded ids that are to be dropped later are taken out of it.

    `place`: which one of a call's queries it belongs to, if there is a call.
    """

    query: VectorQuery
    plan: Plan
    place: int | None = None


class Situation(NamedTuple):
    """What a plan depends on: points and dimensions of the collection, points that pass the filter, excluded ids.

    `copies`: whether each vector has small copies that can be scanned.
    """

    points: int
    dim: int
    passing: int
    excluded: int
    copies: bool = False

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
    factor: float
    spare: bool = True

    def plan(self, limit: int) -> Plan:
        least = limit + limit // SPARE_PART if self.spare else limit
        ef = max(least, min(MAX_EF, int(self.factor * max(MIN_EF, limit))))
        return Plan(exact=False, ef=ef, acorn=self.acorn)


class ScanRung(NamedTuple):
    """A step of a ladder of scans: so many more candidates than hits, as rounding mixes up what is nearly alike."""

    spare: int
    coarse: bool

    def plan(self, limit: int) -> Plan:
        return Plan(exact=False, rescored=limit + self.spare, coarse=self.coarse)


# Without a filter every point passes, and walking through those that do not means nothing.
OPEN = (
    Rung(acorn=False, factor=1, spare=False),
    *(Rung(acorn=False, factor=factor) for factor in (1, 1.5, 2, 4, 8, 16, 32)),
)
NARROWED = (
    *OPEN[:4],
    *(Rung(acorn=True, factor=2**step) for step in range(1, 8)),
)
# Of 50 hits behind the nearest 20,000 of 1,000,000, 350 spare candidates of 8 bits found all and 150 found 49.
FINE = tuple(ScanRung(256 * 2**step, coarse=False) for step in range(5))
COARSE = tuple(ScanRung(512 * 2**step, coarse=True) for step in range(5))


# Where a scan takes too long for trials: thorough enough for vectors of every kind that were measured.
UNTRIED = {OPEN: OPEN[4], NARROWED: NARROWED[-2]}
UNTRIED_SCAN = FINE[3]


def ladder(where: Situation, *, exclude: bool) -> tuple[Rung, ...]:
    return NARROWED if where.narrowed or (exclude and where.excluded) else OPEN
