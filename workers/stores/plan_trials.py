"""Which plan of a kind keeps the promised recall on a collection, found out beside exact scans."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from workers.stores.plan import COARSE, FINE, PROMISED_RECALL, Fetch, Plan, Rung, ScanRung, Situation, ladder
from workers.stores.protocol import Scored

# A rung is trusted after so many trials and compared hits; a margin over the promise, as few trials prove little.
TRIALS = 3
COMPARED = 30
TRUSTED_RECALL = (1 + PROMISED_RECALL) / 2
# Then one in so many is tried again, since collections change.
AGAIN_EVERY = 512
# Situations of one collection that are remembered; the one met longest ago is learned anew.
REMEMBERED = 256
TIE = 1e-6

Key = tuple[int, int, int, int, str]


@dataclass
class _Record:
    step: int = 0
    trials: int = 0
    compared: int = 0
    found: int = 0
    uses: int = 0

    def begin(self, step: int) -> None:
        self.step, self.trials, self.compared, self.found = step, 0, 0, 0

    @property
    def trusted(self) -> bool:
        return self.trials >= TRIALS and self.compared >= COMPARED


class Trials:
    """Climbs a ladder of plans for each kind of situation until one keeps the promise."""

    def __init__(self) -> None:
        self._records: OrderedDict[Key, _Record] = OrderedDict()
        # How often something was told, by which it is seen whether what was found before still holds.
        self.told = 0

    def rung(self, where: Situation, limit: int, *, exclude: bool, wanted: int | None = None) -> Rung | None:
        """The graph plan to use or to try; None when the whole ladder failed."""
        rungs, record = ladder(where, exclude=exclude), self._of(where, limit, exclude=exclude, wanted=wanted)
        return rungs[record.step] if record.step < len(rungs) else None

    def scan(self, where: Situation, limit: int, *, coarse: bool) -> ScanRung | None:
        """The same for scans of copies."""
        rungs = COARSE if coarse else FINE
        record = self._of(where, limit, exclude=True, kind=_kind(rungs[0].plan(limit)))
        return rungs[record.step] if record.step < len(rungs) else None

    def trusted(self, where: Situation, fetch: Fetch) -> bool:
        """Whether that plan was tried often enough."""
        return self._behind(where, fetch).trusted

    def used(self, where: Situation, fetch: Fetch, *, times: int = 1) -> bool:
        """That plan answers so many searches; whether what it finds should be compared again."""
        record = self._behind(where, fetch)
        record.uses += times
        return record.uses % AGAIN_EVERY < times

    def next(self, where: Situation, fetch: Fetch) -> Fetch | None:
        """That question by the plan which its ladder has come to; None when the whole ladder failed."""
        limit, plan = fetch.limit, fetch.plan
        if plan.rescored is None:
            rung: Rung | ScanRung | None = self.rung(where, limit, exclude=fetch.exclude, wanted=fetch.wanted)
        else:
            rung = self.scan(where, limit, coarse=plan.coarse)
        return None if rung is None else fetch._replace(plan=rung.plan(limit))

    def tell(self, where: Situation, fetch: Fetch, found: Sequence[Scored], exact: Sequence[Scored]) -> bool:
        """What the plan found beside all that there was to find; whether that is enough, or the next one takes over."""
        self.told += 1
        record = self._behind(where, fetch)
        worst = exact[-1].score - TIE if exact else 0.0
        if record.trusted:
            # What is new weighs more than what was.
            record.compared, record.found = record.compared // 2, record.found // 2
        record.trials += 1
        record.compared += len(exact)
        record.found += min(len(exact), sum(hit.score >= worst for hit in found))
        enough = TRUSTED_RECALL if record.trusted else PROMISED_RECALL
        if record.found >= enough * record.compared:
            return True
        record.begin(_above(record.step, where, fetch))
        return False

    def _behind(self, where: Situation, fetch: Fetch) -> _Record:
        return self._of(where, fetch.limit, exclude=fetch.exclude, wanted=fetch.wanted, kind=_kind(fetch.plan))

    def _of(
        self, where: Situation, limit: int, *, exclude: bool, wanted: int | None = None, kind: str = "graph"
    ) -> _Record:
        """Situations alike: excluded ids, limit and hits wanted within a factor of two, and alike in selectivity."""
        ids = where.excluded.bit_length() if exclude else 0
        key = ids, where.selectivity, limit.bit_length(), (wanted or limit).bit_length(), kind
        record = self._records.pop(key, None) or _Record()
        self._records[key] = record
        if len(self._records) > REMEMBERED:
            self._records.popitem(last=False)
        return record


def _above(step: int, where: Situation, fetch: Fetch) -> int:
    """The next step that is another plan: with few hits some are alike."""
    if fetch.plan.rescored is not None:
        return step + 1
    rungs = ladder(where, exclude=fetch.exclude)
    others = (above for above in range(step + 1, len(rungs)) if rungs[above].plan(fetch.limit) != fetch.plan)
    return next(others, len(rungs))


def _kind(plan: Plan) -> str:
    """What climbs one ladder: whether a scan drops or not, it rescores as many."""
    return "graph" if plan.rescored is None else "coarse" if plan.coarse else "fine"
