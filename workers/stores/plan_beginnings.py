"""How searches lately began, for others like them: to choose a plan takes as long as a small search through a graph.

Situations alike differ by less than an eighth, as those of someone who pages on do. What is remembered holds for few
searches, since costs change; and only until a trial has told something, or a guess failed.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import NamedTuple

from workers.stores.plan import Fetch, Situation
from workers.stores.plan_guesses import FEW, SPREAD
from workers.stores.plan_scans import dropping

# So many searches begin as an earlier one of another call did; those of one call all do.
LASTS = 3
# Of one collection; the one used longest ago is forgotten first.
REMEMBERED = 256

Key = tuple[int, int, int, bool, bool, int]


class Beginning(NamedTuple):
    """The first question of a search, the kind of guess that it is, how many kinds were thought of to come to it, and
    what may be tried afterwards."""

    fetch: Fetch
    guess: int | None
    guesses_made: int
    untried: tuple[Fetch, ...]


@dataclass(slots=True)
class _Kept:
    beginning: Beginning
    where: Situation
    told: int
    call: int
    left: int


class Beginnings:
    """`call` counts the store's calls, `told` is how often trials have told something by now."""

    def __init__(self) -> None:
        self.call = 0
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()

    def find(self, where: Situation, limit: int, *, told: int) -> Beginning | None:
        """As it fits this situation, or None."""
        kept = self._kept.get(_key(where, limit))
        if kept is None or kept.told != told:
            return None
        if kept.call != self.call:
            if not kept.left:
                return None
            kept.call, kept.left = self.call, kept.left - 1
        return kept.beginning if where == kept.where else _fitted(kept.beginning, where)

    def keep(self, where: Situation, limit: int, beginning: Beginning, *, told: int) -> None:
        """For this call's other searches."""
        key = _key(where, limit)
        self._kept[key] = _Kept(beginning, where, told, self.call, 0)
        self._kept.move_to_end(key)
        if len(self._kept) > REMEMBERED:
            self._kept.popitem(last=False)

    def settle(self, where: Situation, limit: int) -> None:
        """For further calls as well, as there was nothing that is worth a trial."""
        kept = self._kept.get(_key(where, limit))
        if kept is not None:
            kept.beginning, kept.left = kept.beginning._replace(untried=()), LASTS

    def forget(self, where: Situation, limit: int) -> None:
        self._kept.pop(_key(where, limit), None)


def _key(where: Situation, limit: int) -> Key:
    return _rough(where.points), _rough(where.passing), _rough(where.excluded), where.narrowed, where.copies, limit


def _rough(number: int) -> int:
    """The same for numbers that differ by less than an eighth, most of the time."""
    shift = max(0, number.bit_length() - 4)
    return number >> shift << shift


def _fitted(beginning: Beginning, where: Situation) -> Beginning | None:
    """None where how much to fetch depends on what is excluded, and is soon found anew."""
    fetch = beginning.fetch
    if fetch.plan.fetched is not None:
        return beginning._replace(fetch=dropping(fetch, where))
    return beginning if fetch.exclude or beginning.guess in (SPREAD, FEW) else None
