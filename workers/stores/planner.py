"""Finds exactly as many hits as were asked for, in rounds: a first guess, wider ones, at last an exact scan.

The rounds do no input or output, so that an embedded store and a server share them: `rounds` yields questions to the
engine and is sent what it found. Widening in rounds is the expanding search of Exquisitor (Jónsson et al., ECIR 2020).
"""

from collections.abc import Callable, Generator, Sequence
from math import sqrt
from time import perf_counter

import msgspec

from shared.jobs import PlanName
from workers.stores.plan import EXACT, EXACT_UP_TO, UNTRIED, Ask, Fetch, Situation, ladder
from workers.stores.plan_costs import Costs
from workers.stores.plan_guesses import DROPPING, Guesses
from workers.stores.plan_later import Later
from workers.stores.plan_scans import DEVIATIONS, cheapest, dropping, scans
from workers.stores.plan_trials import Trials
from workers.stores.protocol import Answer, Scored, VectorQuery

# A guess fetches so many more than asked, to have enough after the excluded are dropped; and with a filter as many more
# as are expected to pass it.
SPARE = 64
WIDEN = 4
# What may fall short again has to be so many times cheaper than the sure way.
SAVING = 2
MAX_ROUNDS = 4
# What answers with fewer hits than asked for has found all there are.
COMPLETE = ("exact", "scan")
# Exact scans that a plan is compared with, to learn its recall, may take so long. A plan is tried where it is believed
# to cost less by a tenth than what answers.
TRIAL_S = 0.5
DOUBT = 1.1


Found = list[list[Scored]]
Rounds = Generator[list[Ask], Found, list[Answer]]


class Planner:
    """What one process knows about one collection; `clock` tells in seconds what questions cost. Not thread-safe."""

    def __init__(self, clock: Callable[[], float] = perf_counter) -> None:
        self._clock = clock
        self.costs = Costs()
        self.trials = Trials()
        self.guesses = Guesses()
        self.later = Later(self.costs, self.trials, clock)
        # How queries begin that leave nothing out, and what may be tried on them; found once for all of a call.
        self.firsts: dict[tuple[Situation, int], tuple[Fetch, tuple[Fetch, ...]]] = {}

    def rounds(self, queries: Sequence[VectorQuery], situations: Sequence[Situation]) -> Rounds:
        """Yields questions of one kind, to be sent the hits of each; returns an answer for each query.

        Any plan but an exact one may find too few, so the last round of a query that fell short is exact.
        """
        self.firsts = {}
        pursuits = [Pursuit(query, where, self) for query, where in zip(queries, situations, strict=True)]
        while running := [one for one in pursuits if one.fetch is not None]:
            found: dict[int, list[Scored]] = {}
            for kind in sorted({one.fetch.plan.name for one in running if one.fetch is not None}):
                same = [(one, one.fetch) for one in running if one.fetch is not None and one.fetch.plan.name == kind]
                began = self._clock()
                answers = yield [one.ask(fetch) for one, fetch in same]
                self.costs.learn([(fetch, one.where) for one, fetch in same], self._clock() - began)
                found |= {id(one): hits for (one, _), hits in zip(same, answers, strict=True)}
            for one in running:
                one.take(found[id(one)])
        for one in pursuits:
            one.leave()
        return [Answer(hits=one.hits, plan=one.plan, rounds=one.rounds) for one in pursuits]


class Pursuit:
    """One query on its way: `fetch` is its question in this round, None when it is answered."""

    def __init__(self, query: VectorQuery, where: Situation, planner: Planner) -> None:
        self.query, self.where, self.planner = query, where, planner
        self.hits: list[Scored] = []
        self.plan: PlanName = "exact"
        self.rounds = 0
        self.fetch: Fetch | None = None
        self._answered = Fetch(EXACT, query.limit, exclude=True)
        self._guesses = iter(enumerate(self._guess_limits()))
        self._guess: int | None = None
        self._drops = True
        # Plans that may be tried, and what exact scans found on the way, to compare them with.
        self._untried: list[Fetch] = []
        self._again: list[Fetch] = []
        self._exact: dict[tuple[int, bool], list[Scored]] = {}
        self._quick: dict[bool, bool] = {}
        self._next(self._first())

    def ask(self, fetch: Fetch) -> Ask:
        """Payloads come along only where nearly all that is fetched is kept."""
        query = msgspec.structs.replace(
            self.query,
            limit=fetch.limit,
            exclude_ids=self.query.exclude_ids if fetch.exclude else (),
            payload=self.query.payload and fetch.limit <= WIDEN * self.query.limit,
        )
        return Ask(query, fetch.plan)

    def take(self, raw: list[Scored]) -> None:
        """What this round's question found; decides whether there is another one."""
        fetch = self.fetch
        assert fetch is not None, "asked before"
        fell_short = fetch.plan.fetched is not None and not raw
        self._answered = fetch
        if fetch.plan.exact:
            self._exact[fetch.limit, fetch.exclude] = raw
        kept = raw if fetch.exclude else self._kept(raw)
        self.hits, self.plan = kept[: self.query.limit], fetch.name
        enough = len(kept) >= self.query.limit
        if self._guess is not None:
            self.planner.guesses.tell(self.where, self._guess, enough=enough and not fell_short)
            self._guess = None
        complete = fetch.plan.name in COMPLETE and (fetch.exclude or len(raw) < fetch.limit)
        if enough or complete:
            self.fetch = None
        else:
            self._next(self._wider(fetch, len(kept), len(raw)))

    def leave(self) -> None:
        """What is to be tried on this query when nobody waits."""
        most_s = self._cost(self._answered) / DOUBT if self._untried else 0.0
        cheaper = sorted({one for one in self._untried if self._cost(one) < most_s}, key=self._cost)
        for limit, exclude in dict.fromkeys((one.limit, one.exclude) for one in cheaper):
            same = [one for one in cheaper if (one.limit, one.exclude) == (limit, exclude)]
            self.planner.later.add(self.query, self.where, same, exact=self._exact.get((limit, exclude)))
        for fetch in self._again:
            self.planner.later.add(self.query, self.where, [fetch], again=True)

    def _next(self, fetch: Fetch) -> None:
        self.fetch = fetch
        self.rounds += 1
        if fetch.plan.fetched is not None:
            self._drops = False
            self._guess = DROPPING if self.where.narrowed else None
        if not fetch.plan.exact and self._tried(exclude=fetch.exclude) and self.planner.trials.used(self.where, fetch):
            self._again.append(fetch)

    def _first(self) -> Fetch:
        """Without exclusions and filter there is nothing to guess, and another query of the call may know the way."""
        if self.where.excluded or self.where.narrowed:
            sure = self._sure()
            return self._guessed(sure) or sure
        alike = self.where, self.query.limit
        if alike not in self.planner.firsts:
            self.planner.firsts[alike] = self._sure(), tuple(self._untried)
        sure, self._untried[:] = self.planner.firsts[alike]
        return sure

    def _guessed(self, sure: Fetch) -> Fetch | None:
        """The next guess that pays. With few excluded the sure ways cost no more than a guess."""
        for kind, limit in self._guesses:
            if 3 * limit >= 2 * self._most:
                continue
            guess = self._best(limit, exclude=False)
            costs = {"guess_s": self._cost(guess), "sure_s": self._cost(sure)}
            # Past every vector it is none, but for a narrow filter.
            cheap = not guess.plan.exact or self._saves(guess, sure)
            if cheap and self.planner.guesses.worth(self.where, kind, **costs):
                self._guess = kind
                return guess
        return None

    def _saves(self, guess: Fetch, sure: Fetch) -> bool:
        return SAVING * self._cost(guess) < self._cost(sure)

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
        found = list(scans(self.where, self.query.limit, self.planner.trials, tried=self._tried(exclude=True)))
        sure = self._promised(ways + found)
        return self._dropping([scan for scan in found if self._keeps(scan)], sure) or sure

    def _dropping(self, found: Sequence[Fetch], sure: Fetch) -> Fetch | None:
        """The best scan that drops, where it is cheaper; behind a filter it is a guess."""
        cheaper = min((dropping(scan, self.where) for scan in found), key=self._cost, default=sure)
        costs = {"guess_s": self._cost(cheaper), "sure_s": self._cost(sure)}
        if not self._drops or costs["guess_s"] >= costs["sure_s"]:
            return None
        if self.where.narrowed and not self.planner.guesses.worth(self.where, DROPPING, **costs):
            return None
        return cheaper

    def _wider(self, fetch: Fetch, kept: int, fetched: int) -> Fetch:
        """After a round that fell short: more of the same where that is cheaper than leaving the excluded out."""
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
        return wider if self._saves(wider, sure) else sure

    def _best(self, limit: int, *, exclude: bool) -> Fetch:
        """The cheaper of an exact scan and the graph plan that keeps the promise, as far as is known."""
        exact = Fetch(EXACT, limit, exclude)
        if self.where.points <= EXACT_UP_TO:
            return exact
        if not self._tried(exclude=exclude):
            return Fetch(UNTRIED[ladder(self.where, exclude=exclude)].plan(limit), limit, exclude)
        rung = self.planner.trials.rung(self.where, limit, exclude=exclude)
        return exact if rung is None else self._promised([exact, Fetch(rung.plan(limit), limit, exclude)])

    def _promised(self, ways: Sequence[Fetch]) -> Fetch:
        """The cheapest that keeps the promise; the others may be tried later."""
        best = min((one for one in ways if self._keeps(one)), key=self._cost)
        self._untried += [cheapest(one, self.where, self.planner.costs) for one in ways if not self._keeps(one)]
        return best

    def _keeps(self, fetch: Fetch) -> bool:
        """Whether that plan was tried often enough, or cannot be tried."""
        tried = not fetch.plan.exact and self._tried(exclude=fetch.exclude)
        return not tried or self.planner.trials.trusted(self.where, fetch)

    def _tried(self, *, exclude: bool) -> bool:
        """Whether exact scans are quick enough to try plans beside them, however many hits are asked for."""
        if exclude not in self._quick:
            self._quick[exclude] = self._cost(Fetch(EXACT, self.query.limit, exclude)) <= TRIAL_S
        return self._quick[exclude]

    def _cost(self, fetch: Fetch) -> float:
        return self.planner.costs.of(fetch, self.where)
