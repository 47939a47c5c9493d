"""What a question to the engine costs, learned from what earlier ones took."""

from collections.abc import Sequence

from workers.stores.plan import Fetch, Situation

# Seconds of Qdrant Edge on one core with AVX-512, 100,000 × 512 with copies in 8 bits. They say how costs grow; what is
# learned, how far they are right here.
CALL_S = 3e-4
NUMBER_S = 1.8e-10  # one number of a vector, scanned
CANDIDATE_S = 5.5e-9  # one number of one of `ef` candidates, its neighbours included
WALK_S = 1.5e-9  # one number of an excluded point that ACORN walks through
ID_S = 7e-7  # an id left out by the engine, which looks it up several times
HIT_S = 2e-6  # a hit on its way out
PASSED_S = 7e-8  # a point that a filter lets through, on its way to a scan
SPREAD = 2.0  # vectors that do not lie side by side, as those that pass a filter, take so many times as long
CHECKED_S = 1.5e-8  # a point that a scan looks up among the excluded
COPY_S = 6e-11  # one number of a copy in 8 bits, scanned
COARSE_S = 3.3e-11  # one number of a copy in 4 bits
FETCHED_S = 1e-6  # one of many nearest copies, whatever it is
DROPPED_S = 1e-7  # an id that we leave out ourselves
RESCORED_S = 1.5e-6  # a candidate that is compared again by its full vector
# How fast measurements replace what was believed, and how far they may go: faster where something took less, as much
# can slow a search down and nothing speeds it up. The first one, which may have waited for a disk, says at most that it
# is so many times as slow.
SLOWER, QUICKER = 0.2, 0.8
LEAST, MOST = 0.02, 50.0
FIRST_MOST = 2.0
# That something is slow is believed less with every question after so many in which it was not measured: it is not
# chosen for that, and gets another chance. That something is quick is believed on.
FRESH = 64
KEPT = 0.99


# The plan's name and copies, what share a filter lets through, within a factor of four, and how many ids the engine
# leaves out, within a factor of two: what passes a narrow filter is not found through a graph, whatever the plan is
# called.
Kind = tuple[str, bool, int, int]


class Costs:
    """Seconds of a question: a formula for its kind, times a factor that follows what such questions took lately."""

    def __init__(self) -> None:
        self._questions = 0
        # A factor, and when it was measured.
        self._known: dict[Kind, tuple[float, int]] = {}
        # The least of each plan's, and of all.
        self._quickest: dict[str, float] = {}
        self._least = 1.0

    def of(self, fetch: Fetch, where: Situation) -> float:
        """A kind that was not met yet is taken to be as quick as any of its plan, a plan that was not as quick as any:
        so they are tried."""
        return _formula(fetch, where) * self._factor(_kind(fetch, where))

    def _factor(self, kind: Kind) -> float:
        factor, at = self._known.get(kind) or (self._quickest.get(kind[0], self._least), 0)
        stale = self._questions - at - FRESH
        return factor if stale <= 0 or factor <= 1.0 else float(factor**KEPT**stale)

    def learn(self, asked: Sequence[tuple[Fetch, Situation]], took_s: float) -> None:
        """Questions of one kind took that long together."""
        expected = sum([_formula(fetch, where) for fetch, where in asked])
        seen = min(MOST, max(LEAST, took_s / expected))
        self._questions += 1
        for kind in {_kind(fetch, where) for fetch, where in asked}:
            believed = self._factor(kind)
            nearer = believed * (seen / believed) ** (SLOWER if seen > believed else QUICKER)
            factor = nearer if kind in self._known else min(seen, FIRST_MOST * believed)
            self._known[kind] = factor, self._questions
            self._quickest[kind[0]] = min(factor, self._quickest.get(kind[0], factor))
            self._least = min(self._least, factor)


def _kind(fetch: Fetch, where: Situation) -> Kind:
    ids = where.excluded.bit_length() if fetch.exclude else 0
    return fetch.plan.name, fetch.plan.coarse, where.selectivity, ids


def _formula(fetch: Fetch, where: Situation) -> float:
    plan, ids = fetch.plan, where.excluded if fetch.exclude else 0
    copy_s = where.dim * (COARSE_S if plan.coarse else COPY_S)
    if plan.fetched is not None:
        fetched_s = where.points * copy_s + plan.fetched * FETCHED_S
        return CALL_S + fetched_s + ids * DROPPED_S + max(0, plan.fetched - ids) * RESCORED_S
    around = CALL_S + ids * ID_S + fetch.limit * HIT_S
    if plan.ef is not None:
        walked = ids * WALK_S if plan.acorn else 0.0
        return around + (plan.ef * CANDIDATE_S + walked) * where.dim
    around += where.passing * ((PASSED_S if where.narrowed else 0.0) + (CHECKED_S if ids else 0.0))
    if plan.rescored is not None:
        return around + where.passing * copy_s + plan.rescored * RESCORED_S
    return around + where.passing * where.dim * NUMBER_S * (SPREAD if where.narrowed else 1.0)
