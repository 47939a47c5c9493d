"""Trials of plans, for when nobody waits for an answer: what a plan finds is compared with what an exact scan found."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from workers.stores.plan import EXACT, Ask, Fetch, Situation
from workers.stores.plan_costs import Costs
from workers.stores.plan_scans import cheapest
from workers.stores.plan_trials import Trials
from workers.stores.protocol import Scored, VectorQuery

# Searches of one collection that are remembered to try plans on; each may hold 100,000 excluded ids.
WAITING = 8


@dataclass
class _Trial:
    """`exact`: the hits that there are, once they are known. `again`: also a plan that is trusted is tried."""

    query: VectorQuery
    where: Situation
    fetches: list[Fetch]
    exact: list[Scored] | None
    again: bool


class Later:
    """Questions to the engine that only teach: `ask` tells the next one, `take` is told what it found, in turns.

    The questions of one trial are alike but for their plans. Points that are written meanwhile can spoil a comparison;
    they are few beside those that are compared.
    """

    def __init__(self, costs: Costs, trials: Trials, clock: Callable[[], float]) -> None:
        self._costs, self._trials, self._clock = costs, trials, clock
        self._waiting: deque[_Trial] = deque()
        self._asked: tuple[_Trial, Fetch] | None = None
        self._began_s = 0.0

    def add(
        self,
        query: VectorQuery,
        where: Situation,
        fetches: Sequence[Fetch],
        *,
        exact: Sequence[Scored] | None = None,
        again: bool = False,
    ) -> None:
        """Also forget those that became needless; when enough are waiting they come first."""
        self._trim()
        if fetches and len(self._waiting) < WAITING:
            known = None if exact is None else list(exact)
            self._waiting.append(_Trial(query, where, list(fetches), known, again))

    @property
    def waiting(self) -> bool:
        self._trim()
        return bool(self._waiting)

    def ask(self) -> Ask:
        """Of the trial that waits longest; called when one is `waiting`."""
        trial = self._waiting[0]
        sure = trial.fetches[0]._replace(plan=EXACT)
        fetch = sure if trial.exact is None else trial.fetches[0]
        self._asked = trial, fetch
        exclude_ids = trial.query.exclude_ids if fetch.exclude else ()
        query = msgspec.structs.replace(trial.query, limit=fetch.limit, exclude_ids=exclude_ids, payload=False)
        self._began_s = self._clock()
        return Ask(query, fetch.plan)

    def take(self, hits: list[Scored]) -> None:
        assert self._asked is not None, "asked before"
        trial, fetch = self._asked
        self._costs.learn([(fetch, trial.where)], self._clock() - self._began_s)
        if trial.exact is None:
            trial.exact = hits
        else:
            trial.fetches = [*self._judged(trial, fetch, hits), *trial.fetches[1:]]

    def give_up(self) -> None:
        """The engine failed, or its points are others now."""
        self._waiting.clear()

    def _judged(self, trial: _Trial, fetch: Fetch, hits: list[Scored]) -> list[Fetch]:
        """The plan to go on with, where that one fell short of the promise and a scan would not be as cheap."""
        where, exact = trial.where, trial.exact or []
        if fetch.plan.fetched is not None and not hits:
            # Too few of what is near pass the filter, which says nothing about the copies.
            return [fetch._replace(plan=fetch.plan._replace(fetched=None))]
        if self._trials.tell(where, fetch, *_answers(trial.query, fetch, hits, exact)):
            return []
        further = self._trials.next(where, fetch)
        if further is None or self._costs.of(further, where) >= self._costs.of(fetch._replace(plan=EXACT), where):
            return []
        return [cheapest(further, where, self._costs)]

    def _trim(self) -> None:
        for trial in self._waiting:
            trial.fetches = [one for one in trial.fetches if trial.again or not self._trials.trusted(trial.where, one)]
        while self._waiting and not self._waiting[0].fetches:
            self._waiting.popleft()


def _answers(query: VectorQuery, fetch: Fetch, *hits: list[Scored]) -> Sequence[list[Scored]]:
    """What is left when the excluded are dropped, since the last of many hits are found worst; all where this leaves
    too few, so that another question would follow."""
    if fetch.exclude or fetch.wanted is None:
        return hits
    excluded = {hit.id for some in hits for hit in some}.intersection(query.exclude_ids)
    kept = [[hit for hit in some if hit.id not in excluded][: fetch.wanted] for some in hits]
    return kept if len(kept[-1]) == fetch.wanted else hits
