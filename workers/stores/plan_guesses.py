"""Whether it pays to hope that few of the nearest points are excluded, found out by hoping."""

from math import ceil, sqrt

from workers.stores.plan import DEVIATIONS, Situation

# The share of guesses that found enough is followed at this rate, from this one on.
RATE = 0.25
UNKNOWN = 0.5
# Kinds, from the narrowest on: as if the excluded were spread over all points; as if few of the nearest were excluded;
# as if the excluded were spread over what passes a filter or not. That the nearest points pass a filter as often as
# others do, for a scan, is hoped for with better reason.
SPREAD, FEW, ALIKE, DROPPING = range(4)
SPARE = 64
LIKELY = 0.9
# Where it is small, a guess is made at times to see whether that is still so: as often as takes such a share of the
# searches' time, but not more often than every second time that it is thought of, nor less often than every fifth.
# Most searches begin as another one did, and it is not thought of.
COSTS = 0.05
AGAIN_EVERY = 2, 5

Key = tuple[int, int, int]


class Guesses:
    """How often guesses found enough, by number of excluded ids, selectivity of the filter, and kind of guess."""

    def __init__(self) -> None:
        self._known: dict[Key, tuple[float, int]] = {}

    def worth(self, where: Situation, kind: int, *, guess_s: float, sure_s: float) -> bool:
        """Whether it pays, or is made to see whether it does."""
        key = _key(where, kind)
        share, uses = self._known.get(key, _unknown(kind))
        self._known[key] = share, uses + 1
        often, seldom = AGAIN_EVERY
        again_every = min(max(often, ceil(guess_s / (COSTS * sure_s))), seldom)
        due = guess_s < sure_s and uses % again_every == 0
        return due or self.pays(where, kind, guess_s=guess_s, sure_s=sure_s)

    def share(self, where: Situation, kind: int) -> float:
        """Of such guesses, how many find enough."""
        return self._known.get(_key(where, kind), _unknown(kind))[0]

    def pays(self, where: Situation, kind: int, *, guess_s: float, sure_s: float) -> bool:
        """A guess that fails is followed by the sure way, so it has to be cheaper than what it saves on average."""
        return guess_s < self.share(where, kind) * sure_s

    def tell(self, where: Situation, kind: int, *, enough: bool) -> None:
        key = _key(where, kind)
        share, uses = self._known.get(key, _unknown(kind))
        # One that found enough is due again at once: who starts anew goes on so.
        self._known[key] = share + RATE * (enough - share), 0 if enough else uses


def limits(where: Situation, limit: int) -> tuple[int, ...]:
    """How many to fetch for `limit` hits, by kind of guess."""
    points = max(1, where.points)
    share = min(0.5, where.excluded / points)
    spread = ceil((limit + DEVIATIONS * sqrt(limit * share)) / (1 - share))
    few = limit + max(SPARE, limit)
    if not where.narrowed:
        return spread, few
    expected = where.excluded * where.passing / points
    return spread, few, few + int(expected + DEVIATIONS * sqrt(expected))


def _unknown(kind: int) -> tuple[float, int]:
    return LIKELY if kind == DROPPING else UNKNOWN, 0


def _key(where: Situation, kind: int) -> Key:
    return where.excluded.bit_length(), where.selectivity, kind
