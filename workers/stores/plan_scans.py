"""Which scans of small copies a search may choose between."""

from collections.abc import Iterator
from math import ceil, sqrt

from workers.stores.plan import DEVIATIONS, EXACT_UP_TO, UNTRIED_SCAN, Fetch, Situation
from workers.stores.plan_costs import Costs
from workers.stores.plan_trials import Trials


def scans(where: Situation, limit: int, trials: Trials, *, tried: bool) -> Iterator[Fetch]:
    """Past every copy, if there are any and enough of them can be rescored to keep the promise."""
    if not where.copies or where.points <= EXACT_UP_TO:
        return
    rungs = [trials.scan(where, limit, coarse=coarse) for coarse in (False, True)] if tried else [UNTRIED_SCAN]
    for rung in rungs:
        if rung is not None:
            yield Fetch(rung.plan(limit), limit, exclude=True)


def cheapest(fetch: Fetch, where: Situation, costs: Costs) -> Fetch:
    """That question, or the scan that finds the same by dropping where this costs less."""
    if fetch.plan.rescored is None:
        return fetch
    return min(fetch, dropping(fetch, where), key=lambda one: costs.of(one, where))


def dropping(scan: Fetch, where: Situation) -> Fetch:
    """That scan without a question about every point to the filter or the excluded.

    As many more are fetched as are excluded, and as the filter is expected to leave out.
    """
    wanted, share = scan.plan.rescored or 0, min(1.0, max(1, where.passing) / max(1, where.points))
    spare = ceil((wanted + DEVIATIONS * sqrt(wanted * (1 - share))) / share)
    return scan._replace(plan=scan.plan._replace(fetched=where.excluded + spare))
