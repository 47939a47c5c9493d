"""Finds exactly as many hits as were asked for, in rounds: a first guess, wider ones, at last an exact scan.

The rounds do no input or output, so that an embedded store and a server share them: `rounds` yields questions to the
engine and is sent what it found. Widening in rounds is the expanding search of Exquisitor (Jónsson et al., ECIR 2020).
"""

from collections.abc import Callable, Generator, Sequence
from time import perf_counter

from workers.stores.plan import Ask, Fetch, Situation
from workers.stores.plan_beginnings import Beginnings
from workers.stores.plan_costs import Costs
from workers.stores.plan_guesses import Guesses
from workers.stores.plan_later import Later
from workers.stores.plan_pursuit import Pursuit
from workers.stores.plan_trials import Trials
from workers.stores.protocol import Answer, Scored, VectorQuery

Found = list[list[Scored]]
Asking = tuple[Pursuit, Fetch]
Rounds = Generator[list[Ask], Found, list[Answer]]


class Planner:
    """What one process knows about one collection; `clock` tells in seconds what questions cost. Not thread-safe."""

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self.costs = Costs()
        self.trials = Trials()
        self.guesses = Guesses()
        self.later = Later(self.costs, self.trials, clock)
        self.beginnings = Beginnings()
        self._asked: list[tuple[list[tuple[Fetch, Situation]], float]] = []
        self._left: list[Pursuit] = []

    @property
    def waiting(self) -> bool:
        """Whether there is something to try, now that the answers have left."""
        self._note()
        return self.later.waiting

    def _note(self) -> None:
        """What searches taught. Done on their way it took a small one, of 0.4 ms, a tenth longer."""
        for asked, took_s in self._asked:
            self.costs.learn(asked, took_s)
        for one in self._left:
            one.leave()
        self._asked, self._left = [], []

    def rounds(self, queries: Sequence[VectorQuery], situations: Sequence[Situation]) -> Rounds:
        """Yields questions of one kind, to be sent the hits of each; returns an answer for each query.

        Any plan but an exact one may find too few, so the last round of a query that fell short is exact.
        """
        self._note()
        self.beginnings.call += 1
        asked = zip(queries, situations, strict=True)
        pursuits = [Pursuit(query, where, self, place) for place, (query, where) in enumerate(asked)]
        while running := [(one, one.fetch) for one in pursuits if one.fetch is not None]:
            found: dict[int, list[Scored]] = {}
            for same in _by_kind(running):
                asks = [one.ask(fetch) for one, fetch in same]
                began = self._clock()
                answers = yield asks
                self._asked.append(([(fetch, one.where) for one, fetch in same], self._clock() - began))
                found |= {id(one): hits for (one, _), hits in zip(same, answers, strict=True)}
            for one, _ in running:
                one.take(found[id(one)])
        self._left += pursuits
        return [Answer(hits=one.hits, plan=one.plan, rounds=one.rounds) for one in pursuits]


def _by_kind(running: list[Asking]) -> list[list[Asking]]:
    """Questions that can be put to the engine in one call, and are timed together."""
    if len(running) == 1:
        return [running]
    kinds: dict[str, list[Asking]] = {}
    for one, fetch in running:
        kinds.setdefault(fetch.plan.name, []).append((one, fetch))
    return [kinds[name] for name in sorted(kinds)]
