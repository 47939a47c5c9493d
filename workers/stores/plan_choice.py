"""Which question to the engine is best for one query, by what is known: a sure way, or a guess that pays."""

from collections.abc import Sequence
from typing import Protocol

from workers.stores.plan import EXACT, EXACT_UP_TO, UNTRIED, Fetch, Situation, ladder
from workers.stores.plan_beginnings import Beginnings
from workers.stores.plan_costs import Costs
from workers.stores.plan_guesses import ALIKE, DROPPING, Guesses, limits
from workers.stores.plan_later import Later
from workers.stores.plan_scans import cheapest, dropping, scans
from workers.stores.plan_trials import Trials

WIDEN = 4
# What may fall short again has to be so many times cheaper than the sure way.
SAVING = 2
MAX_ROUNDS = 4
# Exact scans that a plan is compared with, to learn its recall, may take so long.
TRIAL_S = 0.5


class Knowledge(Protocol):
    """What is known about a collection."""

    costs: Costs
    trials: Trials
    guesses: Guesses
    later: Later
    beginnings: Beginnings


class Choice:
    """For `wanted` hits. `untried` are plans that may be tried when nobody waits.

    `guess` is the kind of guess that the last question is, `guesses_made` how many kinds were thought of; `drops` is
    whether copies may still be scanned to drop. `leads` is False where a guess was made only to see whether it pays,
    which is not for others to follow.
    """

    def __init__(self, wanted: int, where: Situation, known: Knowledge) -> None:
        self.wanted, self.where, self.known = wanted, where, known
        self.guess: int | None = None
        self.guesses_made = 0
        self.drops = self.leads = True
        self.untried: list[Fetch] = []
        self._quick: dict[bool, bool] = {}

    def first(self) -> Fetch:
        """Without exclusions and filter there is nothing to guess."""
        sure = self._sure()
        if self.where.excluded or self.where.narrowed:
            return self._guessed(sure) or sure
        return sure

    def _guessed(self, sure: Fetch) -> Fetch | None:
        """The narrowest guess that pays, or that is made to see whether it does. With few excluded the sure ways cost
        no more than a guess."""
        chosen: Fetch | None = None
        else_s = self.cost(sure)
        for kind, limit in reversed(list(enumerate(limits(self.where, self.wanted)))):
            if kind < self.guesses_made or 3 * limit >= 2 * self._most:
                continue
            guess = self._best(limit, exclude=False)
            guess_s = self.cost(guess)
            if self._may_guess(guess, sure) and self._worth(kind, guess_s=guess_s, sure_s=else_s):
                chosen, self.guess = guess, kind
                else_s = guess_s + (1 - self.known.guesses.share(self.where, kind)) * else_s
        self.guesses_made = ALIKE + 1 if self.guess is None else self.guess + 1
        return chosen

    def _may_guess(self, guess: Fetch, sure: Fetch) -> bool:
        """Past every vector is no guess, but for a narrow filter."""
        return not guess.plan.exact or self.where.passing <= EXACT_UP_TO or self._saves(guess, sure)

    def _saves(self, guess: Fetch, sure: Fetch) -> bool:
        return SAVING * self.cost(guess) < self.cost(sure)

    def wider(self, fetch: Fetch, kept: int, fetched: int, *, rounds: int) -> Fetch:
        """After a round that fell short: more of the same where that is cheaper than leaving the excluded out."""
        if fetch.plan.fetched is not None and rounds < MAX_ROUNDS - 1:
            return self._sure()
        fell_short = fetch.exclude or fetched < fetch.limit or fetch.limit >= self._most
        if fell_short or rounds >= MAX_ROUNDS - 1:
            return Fetch(EXACT, self.wanted, exclude=True)
        sure = self._sure()
        if guess := self._guessed(sure):
            return guess
        needed = fetch.limit * self.wanted * 3 // (2 * max(1, kept))
        limit = min(self._most, max(WIDEN * fetch.limit, needed))
        wider = self._best(limit, exclude=False)
        return wider if self._saves(wider, sure) else sure

    @property
    def _most(self) -> int:
        """So many of the nearest points hold enough, however many of them are excluded."""
        return self.wanted + self.where.excluded

    def _sure(self) -> Fetch:
        """The cheapest of leaving the excluded out in the engine, of fetching as many more, and of scanning copies."""
        ways = [self._best(self.wanted, exclude=True)]
        if self.where.excluded:
            ways.append(self._best(self._most, exclude=False))
        found = list(scans(self.where, self.wanted, self.known.trials, tried=self.tried(exclude=True)))
        sure = self._promised(ways + found)
        return self._dropping([scan for scan in found if self._keeps(scan)], sure) or sure

    def _dropping(self, found: Sequence[Fetch], sure: Fetch) -> Fetch | None:
        """The best scan that drops, where it is cheaper; behind a filter it is a guess."""
        cheaper = min((dropping(scan, self.where) for scan in found), key=self.cost, default=sure)
        costs = {"guess_s": self.cost(cheaper), "sure_s": self.cost(sure)}
        if not self.drops or costs["guess_s"] >= costs["sure_s"]:
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
        if not worth or not self.leads:
            return False
        self.leads = False
        return True

    def _best(self, limit: int, *, exclude: bool) -> Fetch:
        """The cheaper of an exact scan and the graph plan that keeps the promise, as far as is known."""
        exact = Fetch(EXACT, limit, exclude, wanted=self.wanted)
        if self.where.points <= EXACT_UP_TO:
            return exact
        if not self.tried(exclude=exclude):
            return exact._replace(plan=UNTRIED[ladder(self.where, exclude=exclude)].plan(limit))
        rung = self.known.trials.rung(self.where, limit, exclude=exclude, wanted=exact.wanted)
        return exact if rung is None else self._promised([exact, exact._replace(plan=rung.plan(limit))])

    def _promised(self, ways: Sequence[Fetch]) -> Fetch:
        """The cheapest that keeps the promise; the others may be tried later."""
        best = min((one for one in ways if self._keeps(one)), key=self.cost)
        self.untried += [cheapest(one, self.where, self.known.costs) for one in ways if not self._keeps(one)]
        return best

    def _keeps(self, fetch: Fetch) -> bool:
        """Whether that plan was tried often enough, or cannot be tried."""
        tried = not fetch.plan.exact and self.tried(exclude=fetch.exclude)
        return not tried or self.known.trials.trusted(self.where, fetch)

    def tried(self, *, exclude: bool) -> bool:
        """Whether exact scans are quick enough to try plans beside them, however many hits are asked for."""
        if exclude not in self._quick:
            self._quick[exclude] = self.cost(Fetch(EXACT, self.wanted, exclude)) <= TRIAL_S
        return self._quick[exclude]

    def cost(self, fetch: Fetch) -> float:
        return self.known.costs.of(fetch, self.where)
