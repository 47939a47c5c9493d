"""Finds exactly as many hits as were asked for, in rounds: a first guess, wider ones, at last an exact scan.

The rounds do no input or output, so that an embedded store and a server share them: `rounds` yields questions to the
engine and is sent what it found. Widening in rounds is the expanding search of Exquisitor (Jónsson et al., ECIR 2020).
"""

from collections.abc import Callable, Generator, Sequence
from math import sqrt
from time import perf_counter
from typing import NamedTuple

import msgspec

from shared.jobs import PlanName
from workers.stores.plan import EXACT, EXACT_UP_TO, UNTRIED, Fetch, Plan, Situation, ladder
from workers.stores.plan_costs import Costs
from workers.stores.plan_guesses import DROPPING, Guesses
from workers.stores.plan_scans import DEVIATIONS, dropping, scans
from workers.stores.plan_trials import Trials
from workers.stores.protocol import Answer, Scored, VectorQuery

# A guess fetches so many more than asked, to have enough after the excluded are dropped; and with a filter as many more
# as are expected to pass it.
SPARE = 64
WIDEN = 4
MAX_ROUNDS = 4
# What answers with fewer hits than asked for has found all there are.
COMPLETE = ("exact", "scan")
# Exact scans beside another plan, to learn its recall, may take so long. Where one is trusted already, another has to
# promise to cost less by a tenth to be tried.
TRIAL_S = 0.5
DOUBT = 1.1


class Ask(NamedTuple):
    """A query as the engine is to run it; excluded ids that are to be dropped later are taken out of it."""

    query: VectorQuery
    plan: Plan


Found = list[list[Scored]]
Rounds = Generator[list[Ask], Found, list[Answer]]


class Planner:
    """What one process knows about one collection; `clock` tells in seconds what questions cost. Not thread-safe."""

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self.costs = Costs()
        self.trials = Trials()
        self.guesses = Guesses()

    def rounds(self, queries: Sequence[VectorQuery], situations: Sequence[Situation]) -> Rounds:
        """Yields questions of one kind, to be sent the hits of each; returns an answer for each query.

        Any plan but an exact one may find too few, so the last round of a query that fell short is exact.
        """
        pursuits = [Pursuit(query, where, self) for query, where in zip(queries, situations, strict=True)]
        while running := [one for one in pursuits if one.fetches]:
            asked = [(one, fetch) for one in running for fetch in one.fetches]
            found: dict[tuple[int, Fetch], list[Scored]] = {}
            for kind in sorted({fetch.plan.name for _, fetch in asked}):
                same = [(one, fetch) for one, fetch in asked if fetch.plan.name == kind]
                began = self._clock()
                answers = yield [one.ask(fetch) for one, fetch in same]
                self.costs.learn([(fetch, one.where) for one, fetch in same], self._clock() - began)
                found |= {(id(one), fetch): hits for (one, fetch), hits in zip(same, answers, strict=True)}
            for one in running:
                one.take([found[id(one), fetch] for fetch in one.fetches])
        return [Answer(hits=one.hits, plan=one.plan, rounds=one.rounds) for one in pursuits]


class Pursuit:
    """One query on its way: `fetches` are its questions in this round, none when it is answered."""

    def __init__(self, query: VectorQuery, where: Situation, planner: Planner) -> None:
        self.query, self.where, self.planner = query, where, planner
        self.hits: list[Scored] = []
        self.plan: PlanName = "exact"
        self.rounds = 0
        self.fetches: list[Fetch] = []
        self._guesses = iter(enumerate(self._guess_limits()))
        self._guess: int | None = None
        self._drops = True
        self._next(self._first())

    def ask(self, fetch: Fetch) -> Ask:
        """Payloads come along only where nearly all that is fetched is kept."""
        query = msgspec.structs.replace(
            self.query,
            limit=fetch.limit,
            exclude_ids=self.query.exclude_ids if fetch.exclude else (),
            payload=self.query.payload and fetch.limit <= WIDEN * self.query.limit and fetch == self.fetches[-1],
        )
        return Ask(query, fetch.plan)

    def take(self, found: Found) -> None:
        """What this round's questions found; decides whether there is another one."""
        fetch, raw = self.fetches[-1], found[-1]
        fell_short = self._fetch.plan.fetched is not None and not found[0]
        if len(self.fetches) > 1 and not fell_short:
            self.planner.trials.tell(self.where, self.fetches[0], found[0], raw)
        kept = raw if fetch.exclude else self._kept(raw)
        self.hits, self.plan = kept[: self.query.limit], fetch.name
        enough = len(kept) >= self.query.limit
        if self._guess is not None:
            self.planner.guesses.tell(self.where, self._guess, enough=enough and not fell_short)
            self._guess = None
        complete = fetch.plan.name in COMPLETE and (fetch.exclude or len(raw) < fetch.limit)
        if enough or complete:
            self.fetches = []
        else:
            self._next(self._wider(len(kept), len(raw)))

    def _next(self, fetch: Fetch) -> None:
        """Beside a plan that is not trusted yet runs an exact one, whose answer counts."""
        self._fetch = fetch
        self.rounds += 1
        if fetch.plan.fetched is not None:
            self._drops = False
            self._guess = DROPPING if self.where.narrowed else None
        sure = fetch._replace(plan=EXACT)
        tried = not fetch.plan.exact and self._cost(sure) <= TRIAL_S and self.planner.trials.due(self.where, fetch)
        self.fetches = [fetch, sure] if tried else [fetch]

    def _first(self) -> Fetch:
        sure = self._sure()
        return self._guessed(sure) or sure

    def _guessed(self, sure: Fetch) -> Fetch | None:
        """The next guess that pays. With few excluded the sure ways cost no more than a guess."""
        for kind, limit in self._guesses:
            guess = self._best(limit, exclude=False)
            costs = {"guess_s": self._cost(guess), "sure_s": self._cost(sure)}
            if 3 * limit < 2 * self._most and self.planner.guesses.worth(self.where, kind, **costs):
                self._guess = kind
                return guess
        return None

    def _guess_limits(self) -> tuple[int, ...]:
        """As if nearly nothing near were excluded; as if the excluded were spread over what passes a filter or not."""
        least = self.query.limit + max(SPARE, self.query.limit)
        if not self.where.narrowed:
            return (least,)
        expected = self.where.excluded * self.where.passing / max(1, self.where.points)
        return least, least + int(expected + DEVIATIONS * sqrt(expected))

    @property
    def _most(self) -> int:
        """So many of the nearest points hold enough, however many of them are excluded."""
        return self.query.limit + self.where.excluded

    def _kept(self, hits: list[Scored]) -> list[Scored]:
        excluded = set(self.query.exclude_ids)
        return [hit for hit in hits if hit.id not in excluded]

    def _sure(self) -> Fetch:
        """The cheapest of leaving the excluded out in the engine, of fetching as many more, and of scanning copies."""
        ways = [self._best(self.query.limit, exclude=True)]
        if self.where.excluded:
            ways.append(self._best(self._most, exclude=False))
        tried = self._cost(Fetch(EXACT, self.query.limit, exclude=True)) <= TRIAL_S
        found = list(scans(self.where, self.query.limit, self.planner.trials, tried=tried))
        sure = min(ways + found, key=self._price)
        return self._dropping(found, sure) or sure

    def _dropping(self, found: Sequence[Fetch], sure: Fetch) -> Fetch | None:
        """The best scan that drops, where it is cheaper; behind a filter it is a guess."""
        cheaper = min((dropping(scan, self.where) for scan in found), key=self._price, default=sure)
        costs = {"guess_s": self._price(cheaper), "sure_s": self._price(sure)}
        if not self._drops or costs["guess_s"] >= costs["sure_s"]:
            return None
        if self.where.narrowed and not self.planner.guesses.worth(self.where, DROPPING, **costs):
            return None
        return cheaper

    def _wider(self, kept: int, fetched: int) -> Fetch:
        """After a round that fell short: more of the same where that is cheaper than leaving the excluded out."""
        fetch = self._fetch
        if fetch.plan.fetched is not None and self.rounds < MAX_ROUNDS - 1:
            return self._sure()
        fell_short = fetch.exclude or fetched < fetch.limit or fetch.limit >= self._most
        if fell_short or self.rounds >= MAX_ROUNDS - 1:
            return Fetch(EXACT, self.query.limit, exclude=True)
        sure = self._sure()
        if guess := self._guessed(sure):
            return guess
        needed = fetch.limit * self.query.limit * 3 // (2 * max(1, kept))
        limit = min(self._most, max(WIDEN * fetch.limit, needed))
        wider = self._best(limit, exclude=False)
        return wider if self._cost(wider) < self._cost(sure) else sure

    def _best(self, limit: int, *, exclude: bool) -> Fetch:
        """The cheaper of an exact scan and the graph plan that keeps the promise, as far as is known."""
        exact = Fetch(EXACT, limit, exclude)
        if self.where.points <= EXACT_UP_TO:
            return exact
        if self._cost(exact) > TRIAL_S:
            return Fetch(UNTRIED[ladder(self.where, exclude=exclude)].plan(limit), limit, exclude)
        rung = self.planner.trials.rung(self.where, limit, exclude=exclude)
        if rung is None:
            return exact
        graph = Fetch(rung.plan(limit), limit, exclude)
        return graph if self._cost(graph) < self._cost(exact) else exact

    def _price(self, fetch: Fetch) -> float:
        """The cost, and more for what is not trusted yet, as exact scans will run beside it."""
        trusted = fetch.plan.exact or self.planner.trials.trusted(self.where, fetch)
        return self._cost(fetch) * (1.0 if trusted else DOUBT)

    def _cost(self, fetch: Fetch) -> float:
        return self.planner.costs.of(fetch, self.where)
