"""Searching without what was seen: recall, shortfall and time of the planner beside the naive ways, in Qdrant Edge.

Every cell is a collection, a number of seen items (the query's nearest, or random ones) and a filter. Each query goes
to all plans, in an order drawn for it; truth is computed with NumPy. Before a cell is measured the planner answers a
few of its queries, in which it learns, as it does in the first searches of a session; what it notes and tries between
two searches is not timed. `p95_ms` is that of the worst cell. The planner is measured twice: `noise` is how far apart
the medians of one and the same plan are in nineteen of twenty cells, as a share. A collection of a million points takes
half an hour of CPU time to build, once.
"""

import tempfile
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from time import perf_counter, process_time

import msgspec
import numpy as np
from numpy.typing import NDArray

from bench.exclusion_data import NAME, QUERIES, Matrix, Stored, stored
from bench.exclusion_plans import CONTROL, NAIVE, PLANS, Search
from bench.report import Report, arguments, commit, emit, machine, percentile, progress
from shared.filters import Condition, Filter
from shared.settings import Settings
from workers.stores.edge_collection import Collection
from workers.stores.protocol import Scored, VectorQuery

LIMIT = 50
SEEN = (0, 100, 1_000, 5_000, 20_000)
FILTERS = {"none": None, "50%": "half", "4%": "part", "0.1%": "rare"}
GOAL = 0.95
TIE = 1e-5
BLOCK = 50_000


class Cell(msgspec.Struct, kw_only=True):
    """One plan in one situation: recall is the mean over queries, shortfall the hits that the worst query lacked.

    `cpu_ms` is the median of what all threads together used, which other work on the machine disturbs little.
    """

    points: int
    dims: int
    seen: int
    order: str
    filter: str
    recall: float = 0.0
    shortfall: int = 0
    p50_ms: float = 0.0
    p95_ms: float = 0.0
    cpu_ms: float = 0.0

    def told(self) -> str:
        return f"{self.points} × {self.dims}, {self.seen} {self.order} seen, filter {self.filter}"

    def figures(self) -> str:
        return f"{self.recall:.3f}, {self.p50_ms:.2f} ms, p95 {self.p95_ms:.2f}, CPU {self.cpu_ms:.2f}"


class Truth:
    """Cosines of all points with every query, (queries, points), and who passes which filter."""

    def __init__(self, data: Stored) -> None:
        rows = range(0, len(data.vectors), BLOCK)
        self.scores: Matrix = np.concatenate([data.queries @ data.vectors[at : at + BLOCK].T for at in rows], axis=1)
        self._values = data.values
        self._draw = np.random.default_rng(0)

    def seen(self, number: int, count: int, order: str) -> NDArray[np.int64]:
        scores = self.scores[number]
        if order == "random":
            return self._draw.choice(len(scores), count, replace=False).astype(np.int64)
        return np.argpartition(-scores, count)[:count].astype(np.int64)

    def eligible(self, number: int, seen: NDArray[np.int64], field: str | None) -> Matrix:
        """The scores of what may be found, the others at -2."""
        scores: Matrix = self.scores[number].copy()
        scores[seen] = -2.0
        if field is not None:
            scores[self._values[field] != 0] = -2.0
        return scores


def cells(points: int, dims: int) -> Iterator[Cell]:
    for filter_, seen, order in product(FILTERS, SEEN, ("nearest", "random")):
        if seen or order == "nearest":
            yield Cell(points=points, dims=dims, seen=seen, order=order if seen else "no", filter=filter_)


def measure(
    cell: Cell, data: Stored, truth: Truth, collection: Collection, *, warm: int, count: int
) -> dict[str, Cell]:
    """That cell for every plan."""
    field = FILTERS[cell.filter]
    where = None if field is None else Filter(must=[Condition(key=field, match=0)])
    times: dict[str, list[float]] = {name: [] for name in PLANS}
    used: dict[str, list[float]] = {name: [] for name in PLANS}
    recalls: dict[str, list[float]] = {name: [] for name in PLANS}
    short = dict.fromkeys(PLANS, 0)
    for number in range(warm + count):
        place = number % QUERIES
        seen = truth.seen(place, cell.seen, cell.order)
        query = VectorQuery(
            vector=data.queries[place].tobytes(), limit=LIMIT, filter=where, exclude_ids=seen.tolist(), payload=False
        )
        if number < warm:
            PLANS["clipline"](collection, query)
            pause(collection)
            continue
        eligible = truth.eligible(place, seen, field)
        for name, search in in_turns(number):
            began, used_before = perf_counter(), process_time()
            hits = search(collection, query)
            times[name].append(1_000 * (perf_counter() - began))
            used[name].append(1_000 * (process_time() - used_before))
            pause(collection)
            recall, lacking = judged(hits, eligible)
            recalls[name].append(recall)
            short[name] = max(short[name], lacking)
    return {
        name: msgspec.structs.replace(
            cell,
            recall=round(float(np.mean(recalls[name])), 4),
            shortfall=short[name],
            p50_ms=round(percentile(times[name], 0.5), 3),
            p95_ms=round(percentile(times[name], 0.95), 3),
            cpu_ms=round(percentile(used[name], 0.5), 3),
        )
        for name in PLANS
    }


def pause(collection: Collection) -> None:
    """As between two searches of a person: the planner tries what it has put off."""
    while collection.has_trials:
        collection.try_one()


def in_turns(number: int) -> list[tuple[str, Search]]:
    """The plans in an order of this query: each finds in the processor's caches what the one before has left there."""
    plans = list(PLANS.items())
    return [plans[place] for place in np.random.default_rng(number).permutation(len(plans))]


def judged(hits: Sequence[Scored], eligible: Matrix) -> tuple[float, int]:
    """Recall and how many hits are lacking. Raises ValueError for a hit that was excluded, or came twice."""
    ids = [hit.id for hit in hits]
    if len(set(ids)) < len(ids) or any(eligible[id_] < -1.5 for id_ in ids):
        raise ValueError("a plan gave a hit twice, or one that was seen or does not pass the filter")
    best = np.partition(eligible, -LIMIT)[-LIMIT:]
    best = best[best > -1.5]
    good = sum(float(eligible[id_]) >= float(best.min()) - TIE for id_ in ids) if len(best) else 0
    return (good / len(best) if len(best) else 1.0), len(best) - len(ids)


def summed(found: Sequence[Cell]) -> dict[str, float]:
    return {
        "worst_recall": min(cell.recall for cell in found),
        "worst_shortfall": float(max(cell.shortfall for cell in found)),
        "p95_ms": max(cell.p95_ms for cell in found),
    }


def behind(by_plan: dict[str, list[Cell]]) -> list[tuple[Cell, float]]:
    """Cells in which our median is above that of the best naive plan that reaches the goal there, with the latter."""
    found = []
    for place, ours in enumerate(by_plan["clipline"]):
        rivals = [by_plan[name][place] for name in NAIVE if by_plan[name][place].recall >= GOAL]
        best = min((rival.p50_ms for rival in rivals), default=float("inf"))
        if ours.p50_ms > best:
            found.append((ours, best))
    return found


def noise(by_plan: dict[str, list[Cell]]) -> float:
    """The share by which two medians of the same plan differ in nineteen of twenty cells."""
    pairs = zip(by_plan["clipline"], by_plan[CONTROL], strict=True)
    return percentile([abs(ours.p50_ms - again.p50_ms) / min(ours.p50_ms, again.p50_ms) for ours, again in pairs], 0.95)


def main() -> None:
    parser = arguments(__doc__ or "")
    parser.add_argument("--points", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--dims", type=int, nargs="+", default=[256, 512])
    parser.add_argument("--queries", type=int, default=32, help="measured in each cell")
    parser.add_argument("--warm", type=int, default=12, help="that the planner answers before, in each cell")
    parser.add_argument("--filters", nargs="+", choices=list(FILTERS), default=list(FILTERS))
    parser.add_argument("--seen", type=int, nargs="+", choices=SEEN, default=list(SEEN))
    folder = Path(tempfile.gettempdir()) / "clipline-exclusion"
    parser.add_argument("--data", type=Path, default=folder, help="where built collections are kept, and used again")
    chosen = parser.parse_args()
    by_plan: dict[str, list[Cell]] = {name: [] for name in PLANS}
    for points, dims in product(chosen.points, chosen.dims):
        data = stored(chosen.data, points=points, dim=dims)
        truth = Truth(data)
        collection = Collection(NAME, Path(Settings(data_dir=str(data.folder)).store_path) / NAME)
        for cell in cells(points, dims):
            if cell.filter not in chosen.filters or cell.seen not in chosen.seen:
                continue
            for name, found in measure(cell, data, truth, collection, warm=chosen.warm, count=chosen.queries).items():
                by_plan[name].append(found)
                progress(f"{found.told()}: {name} {found.figures()}")
        collection.close()
    figures = {name: summed(found) for name, found in by_plan.items()}
    slower, around = behind(by_plan), noise(by_plan)
    figures["clipline"] |= {
        "noise": round(around, 3),
        "behind_ms": round(max((ours.p50_ms - best for ours, best in slower), default=0.0), 3),
        "cells_slower": float(len(slower)),
        "cells_a_fifth_slower": float(sum(ours.p50_ms > 1.2 * best for ours, best in slower)),
        "cells_slower_than_noise": float(sum(ours.p50_ms > (1 + around) * best for ours, best in slower)),
    }
    notes = [f"{ours.told()}: {ours.p50_ms:.2f} ms, best naive {best:.2f} ms" for ours, best in slower]
    emit(Report(figures=figures, notes=notes), as_json=False)
    if chosen.json:
        told = {name: {**figures[name], "cells": found} for name, found in by_plan.items()}
        asked = {"queries": chosen.queries, "warm": chosen.warm}
        print(msgspec.json.encode({**told, **asked, "machine": machine(), "commit": commit()}).decode())


if __name__ == "__main__":
    main()
