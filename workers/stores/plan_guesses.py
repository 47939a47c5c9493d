"""Whether it pays to hope that few of the nearest points are excluded, found out by hoping."""

from math import ceil

from workers.stores.plan import Situation

# The share of guesses that found enough is followed at this rate, from this one on.
RATE = 0.25
UNKNOWN = 0.5
# That the nearest points pass a filter as often as others do is hoped for with better reason, and is another kind.
DROPPING = 2
LIKELY = 0.9
# Where it is small, a guess is made at times to see whether that is still so: as often as takes such a share of the
# searches' time, but not more often than every fourth time, nor less often than every sixteenth.
COSTS = 0.05
AGAIN_EVERY = 4, 16

Key = tuple[int, int, int]


class Guesses:
    """How often guesses found enough, by number of excluded ids, selectivity of the filter, and kind of guess."""

    def __init__(self) -> None:
        self._known: dict[Key, tuple[float, int]] = {}

    def worth(self, where: Situation, kind: int, *, guess_s: float, sure_s: float) -> bool:
        """A guess that fails is followed by the sure way, so it has to be cheaper than what it saves on average."""
        key = _key(where, kind)
        share, uses = self._known.get(key, _unknown(kind))
        self._known[key] = share, uses + 1
        often, seldom = AGAIN_EVERY
        again_every = min(max(often, ceil(guess_s / (COSTS * sure_s))), seldom)
        return guess_s < share * sure_s or (guess_s < sure_s and uses % again_every == 0)

    def tell(self, where: Situation, kind: int, *, enough: bool) -> None:
        key = _key(where, kind)
        share, uses = self._known.get(key, _unknown(kind))
        self._known[key] = share + RATE * (enough - share), uses


def _unknown(kind: int) -> tuple[float, int]:
    return LIKELY if kind == DROPPING else UNKNOWN, 0


def _key(where: Situation, kind: int) -> Key:
    return where.excluded.bit_length(), where.selectivity, kind
