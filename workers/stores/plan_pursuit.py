"""One query on its way to exactly as many hits as there are to find: which question to the engine is next."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from shared.jobs import PlanName
from workers.stores.plan import EXACT, EXACT_UP_TO, UNTRIED, Ask, Fetch, Situation, ladder
from workers.stores.plan_beginnings import LASTS, Beginning, Beginnings
from workers.stores.plan_costs import Costs
from workers.stores.plan_guesses import ALIKE, DROPPING, Guesses, limits
from workers.stores.plan_later import Later
from workers.stores.plan_scans import cheapest, dropping, scans
from workers.stores.plan_trials import Trials
from workers.stores.protocol import Scored, VectorQuery

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


class Knowledge(Protocol):
    """What is known about a collection."""

    costs: Costs
    trials: Trials
    guesses: Guesses
    later: Later
    beginnings: Beginnings


class Pursuit:
    """`fetch` is the query's question in this round, None when it is answered."""

    def __init__(self, query: VectorQuery, where: Situation, known: Knowledge, place: int) -> None:
        self.query, self.where, self.known, self.place = query, where, known, place
        self.hits: list[Scored] = []
        self.plan: PlanName = "exact"
        self.rounds = 0
        self.fetch: Fetch | None = None
        self._guess: int | None = None
        self._guesses_made = 0
        self._drops = True
        # Plans that may be tried, and what exact scans found on the way, to compare them with.
        self._untried: list[Fetch] = []
        self._again: list[Fetch] = []
        self._exact: dict[tuple[int, bool], list[Scored]] = {}
        self._quick: dict[bool, bool] = {}
        # Whether it began by a choice of its own that others may follow; and made a guess only to see whether it pays.
        self._leads = self._explored = False
        self._begin()

    def ask(self, fetch: Fetch) -> Ask:
        """Payloads come along only where nearly all that is fetched is kept."""
        query = self.query
        if fetch.limit == query.limit and (fetch.exclude or not query.exclude_ids):
            return Ask(query, fetch.plan, self.place)
        asked = msgspec.structs.replace(
            query,
            limit=fetch.limit,
            exclude_ids=query.exclude_ids if fetch.exclude else (),
            payload=query.payload and fetch.limit <= WIDEN * query.limit,
        )
        return Ask(asked, fetch.plan, self.place)

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
            self._tell_guess(enough=enough and not fell_short)
        complete = fetch.plan.name in COMPLETE and (fetch.exclude or len(raw) < fetch.limit)
        if enough or complete:
            self.fetch = None
        else:
            self._next(self._wider(fetch, len(kept), len(raw)))

    def _tell_guess(self, *, enough: bool) -> None:
        assert self._guess is not None, "made before"
        self.known.guesses.tell(self.where, self._guess, enough=enough)
        self._guess = None
        if not enough:
            self.known.beginnings.forget(self.where, self.query.limit)

    def leave(self) -> None:
        """What is to be tried on this query when nobody waits."""
        cheaper: list[Fetch] = []
        if self._untried:
            most_s = self._cost(self._answered) / DOUBT
            cheaper = sorted({one for one in self._untried if self._cost(one) < most_s}, key=self._cost)
        for limit, exclude in dict.fromkeys((one.limit, one.exclude) for one in cheaper):
            same = [one for one in cheaper if (one.limit, one.exclude) == (limit, exclude)]
            self.known.later.add(self.query, self.where, same, exact=self._exact.get((limit, exclude)))
        for fetch in self._again:
            self.known.later.add(self.query, self.where, [fetch], again=True)
        if self._leads and not cheaper:
            self.known.beginnings.settle(self.where, self.query.limit)

    def _begin(self) -> None:
        """As a search like this one lately did, or by a choice that others follow."""
        known, alike = self.known, (self.where, self.query.limit)
        if found := known.beginnings.find(*alike, told=known.trials.told):
            self._guess, self._guesses_made, self._untried = found.guess, found.guesses_made, list(found.untried)
            self._next(found.fetch, stands_for=0)
            return
        self._leads = True
        first = self._first()
        if self._leads:
            found = Beginning(first, self._guess, self._guesses_made, tuple(self._untried))
            known.beginnings.keep(*alike, found, told=known.trials.told)
        self._next(first, stands_for=1 + LASTS if self._leads else 1)

    def _next(self, fetch: Fetch, *, stands_for: int = 1) -> None:
        """`stands_for` so many searches that plan is used, as those that begin as another one did do not count."""
        self.fetch = fetch
        self.rounds += 1
        if fetch.plan.fetched is not None:
            self._drops = False
            self._guess = DROPPING if self.where.narrowed else None
        if not stands_for or fetch.plan.exact or not self._tried(exclude=fetch.exclude):
            return
        if self.known.trials.used(self.where, fetch, times=stands_for):
            self._again.append(fetch)

    def _first(self) -> Fetch:
        """Without exclusions and filter there is nothing to guess."""
        sure = self._sure()
        if self.where.excluded or self.where.narrowed:
            return self._guessed(sure) or sure
        return sure

    def _guessed(self, sure: Fetch) -> Fetch | None:
        """The narrowest guess that pays, or that is made to see whether it does. With few excluded the sure ways cost
        no more than a guess."""
        chosen: Fetch | None = None
        else_s = self._cost(sure)
        for kind, limit in reversed(list(enumerate(limits(self.where, self.query.limit)))):
            if kind < self._guesses_made or 3 * limit >= 2 * self._most:
                continue
            guess = self._best(limit, exclude=False)
            guess_s = self._cost(guess)
            if self._may_guess(guess, sure) and self._worth(kind, guess_s=guess_s, sure_s=else_s):
                chosen, self._guess = guess, kind
                else_s = guess_s + (1 - self.known.guesses.share(self.where, kind)) * else_s
        self._guesses_made = ALIKE + 1 if self._guess is None else self._guess + 1
        return chosen

    def _may_guess(self, guess: Fetch, sure: Fetch) -> bool:
        """Past every vector is no guess, but for a narrow filter."""
        return not guess.plan.exact or self.where.passing <= EXACT_UP_TO or self._saves(guess, sure)

    def _saves(self, guess: Fetch, sure: Fetch) -> bool:
        return SAVING * self._cost(guess) < self._cost(sure)

    @property
    def _most(self) -> int:
        """So many of the nearest points hold enough, however many of them are excluded."""
        return self.query.limit + self.where.excluded

    def _kept(self, hits: list[Scored]) -> list[Scored]:
        # Of two sets the small one is made: there may be 100,000 excluded.
        excluded = {hit.id for hit in hits}.intersection(self.query.exclude_ids)
        return [hit for hit in hits if hit.id not in excluded] if excluded else hits

    def _sure(self) -> Fetch:
        """The cheapest of leaving the excluded out in the engine, of fetching as many more, and of scanning copies."""
        ways = [self._best(self.query.limit, exclude=True)]
        if self.where.excluded:
            ways.append(self._best(self._most, exclude=False))
        found = list(scans(self.where, self.query.limit, self.known.trials, tried=self._tried(exclude=True)))
        sure = self._promised(ways + found)
        return self._dropping([scan for scan in found if self._keeps(scan)], sure) or sure

    def _dropping(self, found: Sequence[Fetch], sure: Fetch) -> Fetch | None:
        """The best scan that drops, where it is cheaper; behind a filter it is a guess."""
        cheaper = min((dropping(scan, self.where) for scan in found), key=self._cost, default=sure)
        costs = {"guess_s": self._cost(cheaper), "sure_s": self._cost(sure)}
        if not self._drops or costs["guess_s"] >= costs["sure_s"]:
            return None
        if self.where.narrowed and not self._worth(DROPPING, **costs):
            return None
        return cheaper

    def _worth(self, kind: int, *, guess_s: float, sure_s: float) -> bool:
        """A guess that is made only to see whether it pays again is not for others to follow, and is the only one."""
        guesses = self.known.guesses
        worth = guesses.worth(self.where, kind, guess_s=guess_s, sure_s=sure_s)
        if guesses.pays(self.where, kind, guess_s=guess_s, sure_s=sure_s):
            return True
        if not worth or self._explored:
            return False
        self._explored, self._leads = True, False
        return True

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
        exact = Fetch(EXACT, limit, exclude, wanted=self.query.limit)
        if self.where.points <= EXACT_UP_TO:
            return exact
        if not self._tried(exclude=exclude):
            return exact._replace(plan=UNTRIED[ladder(self.where, exclude=exclude)].plan(limit))
        rung = self.known.trials.rung(self.where, limit, exclude=exclude, wanted=exact.wanted)
        return exact if rung is None else self._promised([exact, exact._replace(plan=rung.plan(limit))])

    def _promised(self, ways: Sequence[Fetch]) -> Fetch:
        """The cheapest that keeps the promise; the others may be tried later."""
        best = min((one for one in ways if self._keeps(one)), key=self._cost)
        self._untried += [cheapest(one, self.where, self.known.costs) for one in ways if not self._keeps(one)]
        return best

    def _keeps(self, fetch: Fetch) -> bool:
        """Whether that plan was tried often enough, or cannot be tried."""
        tried = not fetch.plan.exact and self._tried(exclude=fetch.exclude)
        return not tried or self.known.trials.trusted(self.where, fetch)

    def _tried(self, *, exclude: bool) -> bool:
        """Whether exact scans are quick enough to try plans beside them, however many hits are asked for."""
        if exclude not in self._quick:
            self._quick[exclude] = self._cost(Fetch(EXACT, self.query.limit, exclude)) <= TRIAL_S
        return self._quick[exclude]

    def _cost(self, fetch: Fetch) -> float:
        return self.known.costs.of(fetch, self.where)
