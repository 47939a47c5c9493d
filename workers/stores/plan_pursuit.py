"""One query on its way to exactly as many hits as there are to find: which question to the engine is next."""

import msgspec

from shared.jobs import PlanName
from workers.stores.plan import Ask, Fetch, Situation
from workers.stores.plan_beginnings import LASTS, Beginning
from workers.stores.plan_choice import WIDEN, Choice, Knowledge
from workers.stores.plan_guesses import DROPPING
from workers.stores.protocol import Scored, VectorQuery

# What answers with fewer hits than asked for has found all there are.
COMPLETE = ("exact", "scan")
# A plan is tried where it is believed to cost less by a tenth than what answers.
DOUBT = 1.1


class Pursuit:
    """`fetch` is the query's question in this round, None when it is answered."""

    def __init__(self, query: VectorQuery, where: Situation, known: Knowledge, place: int) -> None:
        self.query, self.where, self.known, self.place = query, where, known, place
        self.hits: list[Scored] = []
        self.plan: PlanName = "exact"
        self.rounds = 0
        self.fetch: Fetch | None = None
        self._choice = Choice(query.limit, where, known)
        # Plans to compare again, and what exact scans found on the way, to compare plans with.
        self._again: list[Fetch] = []
        self._exact: dict[tuple[int, bool], list[Scored]] = {}
        # Whether it began by a choice of its own.
        self._chose = False
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
        if self._choice.guess is not None:
            self._tell_guess(enough=enough and not fell_short)
        complete = fetch.plan.name in COMPLETE and (fetch.exclude or len(raw) < fetch.limit)
        if enough or complete:
            self.fetch = None
        else:
            self._next(self._choice.wider(fetch, len(kept), len(raw), rounds=self.rounds))

    def _tell_guess(self, *, enough: bool) -> None:
        choice = self._choice
        assert choice.guess is not None, "made before"
        self.known.guesses.tell(self.where, choice.guess, enough=enough)
        choice.guess = None
        if not enough:
            self.known.beginnings.forget(self.where, self.query.limit)

    def leave(self) -> None:
        """What is to be tried on this query when nobody waits."""
        cheaper: list[Fetch] = []
        if untried := self._choice.untried:
            cost = self._choice.cost
            most_s = cost(self._answered) / DOUBT
            cheaper = sorted({one for one in untried if cost(one) < most_s}, key=cost)
        for limit, exclude in dict.fromkeys((one.limit, one.exclude) for one in cheaper):
            same = [one for one in cheaper if (one.limit, one.exclude) == (limit, exclude)]
            self.known.later.add(self.query, self.where, same, exact=self._exact.get((limit, exclude)))
        for fetch in self._again:
            self.known.later.add(self.query, self.where, [fetch], again=True)
        if self._leads and not cheaper:
            self.known.beginnings.settle(self.where, self.query.limit)

    @property
    def _leads(self) -> bool:
        """Whether others may begin as this one did."""
        return self._chose and self._choice.leads

    def _begin(self) -> None:
        """As a search like this one lately did, or by a choice that others follow."""
        known, choice, alike = self.known, self._choice, (self.where, self.query.limit)
        if found := known.beginnings.find(*alike, told=known.trials.told):
            choice.guess, choice.guesses_made, choice.untried = found.guess, found.guesses_made, list(found.untried)
            self._next(found.fetch, stands_for=0)
            return
        self._chose = True
        first = choice.first()
        if self._leads:
            found = Beginning(first, choice.guess, choice.guesses_made, tuple(choice.untried))
            known.beginnings.keep(*alike, found, told=known.trials.told)
        self._next(first, stands_for=1 + LASTS if self._leads else 1)

    def _next(self, fetch: Fetch, *, stands_for: int = 1) -> None:
        """`stands_for` so many searches that plan is used, as those that begin as another one did do not count."""
        self.fetch = fetch
        self.rounds += 1
        if fetch.plan.fetched is not None:
            self._choice.drops = False
            self._choice.guess = DROPPING if self.where.narrowed else None
        if not stands_for or fetch.plan.exact or not self._choice.tried(exclude=fetch.exclude):
            return
        if self.known.trials.used(self.where, fetch, times=stands_for):
            self._again.append(fetch)

    def _kept(self, hits: list[Scored]) -> list[Scored]:
        # Of two sets the small one is made: there may be 100,000 excluded.
        excluded = {hit.id for hit in hits}.intersection(self.query.exclude_ids)
        return [hit for hit in hits if hit.id not in excluded] if excluded else hits
