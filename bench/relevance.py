"""Where to draw the line below the likely relevant hits: ways to choose it, on queries that chose no parameter.

Queries look for pictures of the sample collection, which the model never saw: a tag (`tag`), the name of a kind
(`kind`), a tag with two pictures marked good (`marked`), a picture (`similar`); right are the other pictures with that
tag or of that kind, at least three. Tags tell much less than all that a picture shows, so that no way gets far:
`oracle` cuts each ranking where F1 is highest, knowing what is right.

Each way has one parameter. `precision`, `recall` and `f1`: tags and kinds, in equal parts, a fifth of them each time
with the parameter that was best for the others. `gain_error` is the standard error of the difference from `best_share`.
`marked_f1`, `similar_f1`: with what is best for tags and kinds. `topics_f1`: searches of one group of pictures alone,
with what is best where that group is missing. `rescaled_f1`: as `f1`, of the same rankings with scores as another model
gives them, of which OpenAI's ViT-B/32 is the example: 0.19 for what has nothing to do with it, 0.30 for the best.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.feedback import World, world_of
from bench.relevance_data import Places, Query, Ranking, queries_of, rankings_of, rescaled
from bench.report import Report, arguments, emit, progress
from workers.feedback import Matrix, Vector
from workers.relevance import BEST, line_of

FOLDS = 5
LARGE_GROUP = 100
TUNED_ON = ("tag", "kind")

Way = Callable[[Ranking, float], int]


def _above(line: Callable[[Ranking, float], float]) -> Way:
    return lambda ranking, parameter: int((ranking.scores >= line(ranking, parameter)).sum())


def _between(floor: float, best: float, share: float) -> float:
    return floor + share * (best - floor)


def _gap(ranking: Ranking, among: float) -> int:
    """In front of the largest drop among the first hits."""
    first = ranking.scores[: int(among) + 1]
    return int((first[:-1] - first[1:]).argmax()) + 1


SHARES = np.arange(0.3, 1.0, 0.01)
WAYS: dict[str, tuple[Way, npt.NDArray[np.float64]]] = {
    "count": (lambda ranking, count: min(int(count), len(ranking.scores)), np.arange(1.0, 60.0)),
    "score": (_above(lambda ranking, score: score), np.arange(0.2, 0.7, 0.01)),
    "best_share": (_above(lambda ranking, share: share * float(ranking.scores[0])), SHARES),
    "best_three_share": (_above(lambda ranking, share: share * float(ranking.scores[:3].mean())), SHARES),
    "gap": (_gap, np.array([5.0, 10.0, 20.0, 40.0, 60.0, 100.0])),
    "z_score": (
        _above(lambda ranking, z: float(ranking.sample.mean() + z * ranking.sample.std())),
        np.arange(1.0, 6.0, 0.1),
    ),
    "z_share": (
        _above(lambda ranking, share: _between(float(ranking.sample.mean()), float(ranking.scores[0]), share)),
        SHARES,
    ),
    "clipline": (
        _above(lambda ranking, share: line_of(ranking.scores[:BEST].tolist(), ranking.sample, share=share)),
        SHARES,
    ),
}


def tried(way: str, rankings: Sequence[Ranking]) -> Matrix:
    """F1 of each parameter for each ranking."""
    cut, parameters = WAYS[way]
    return np.array([[one.f1(cut(one, float(parameter))) for one in rankings] for parameter in parameters])


def weights_of(rankings: Sequence[Ranking], families: Sequence[str] = TUNED_ON) -> Vector:
    """Of each ranking, so that families count alike; 0 for one of another family."""
    names = np.array([one.family for one in rankings])
    counts = {family: (names == family).sum() for family in families}
    there = [family for family, count in counts.items() if count]
    return np.array([1 / (counts[name] * len(there)) if name in there else 0.0 for name in names])


def best_of(way: str, table: Matrix, weights: Vector) -> float:
    return float(WAYS[way][1][(table @ weights).argmax()])


def held_out(way: str, rankings: Sequence[Ranking], table: Matrix, folds: Places) -> Places:
    """Where each ranking is cut by the parameter that is best for the other folds."""
    weights = weights_of(rankings)
    chosen = [best_of(way, table, weights * (folds != fold)) for fold in range(FOLDS)]
    return np.array([WAYS[way][0](one, chosen[fold]) for one, fold in zip(rankings, folds, strict=True)])


def f1_with(way: str, rankings: Sequence[Ranking], parameter: float, family: str | None = None) -> float:
    """Mean F1 of a family, or of those that parameters are chosen on."""
    f1 = np.array([one.f1(WAYS[way][0](one, parameter)) for one in rankings])
    return float(f1 @ weights_of(rankings, TUNED_ON if family is None else (family,)))


class Bench:
    """The sample collection, whole and by groups; what each way does is compared with `best_share`."""

    def __init__(self, world: World, *, tags: int, similar: int, seed: int) -> None:
        queries = queries_of(world, tags=tags, similar=similar, seed=seed)
        tuned_on = [query for query in queries if query.family in TUNED_ON]
        everything = np.arange(len(world.pictures))
        self.whole = rankings_of(world, tuned_on, everything, seed)
        self.others = rankings_of(world, [one for one in queries if one.family not in TUNED_ON], everything, seed)
        self.folds = np.random.default_rng(seed).integers(0, FOLDS, len(self.whole))
        self.topics = list(_topics(world, tuned_on, seed))
        self._compared = self._f1_held_out("best_share")

    def oracle(self) -> dict[str, float]:
        known, others = (
            np.array([max(one.f1(shown) for shown in range(1, 100)) for one in rankings])
            for rankings in (self.whole, self.others)
        )
        of = {f"{name}_f1": float(others @ weights_of(self.others, (name,))) for name in ("marked", "similar")}
        return rounded({"f1": float(known @ weights_of(self.whole)), **of})

    def figures(self, way: str) -> dict[str, float]:
        table, weights = tried(way, self.whole), weights_of(self.whole)
        cut = held_out(way, self.whole, table, self.folds)
        f1 = self._f1_at(cut)
        parameter = best_of(way, table, weights)
        return rounded(
            {
                "precision": sum(weights * [one.precision(n) for one, n in zip(self.whole, cut, strict=True)]),
                "recall": sum(weights * [one.recall(n) for one, n in zip(self.whole, cut, strict=True)]),
                "f1": float(f1 @ weights),
                "gain_error": self._error(f1 - self._compared),
                "marked_f1": f1_with(way, self.others, parameter, "marked"),
                "similar_f1": f1_with(way, self.others, parameter, "similar"),
                "rescaled_f1": f1_with(way, [rescaled(one) for one in self.whole], parameter),
                "topics_f1": float(np.mean([_transferred(way, *topic) for topic in self.topics])),
                "parameter": parameter,
            }
        )

    def _f1_held_out(self, way: str) -> Vector:
        return self._f1_at(held_out(way, self.whole, tried(way, self.whole), self.folds))

    def _f1_at(self, cut: Places) -> Vector:
        return np.array([one.f1(int(shown)) for one, shown in zip(self.whole, cut, strict=True)])

    def _error(self, gain: Vector) -> float:
        """The standard error of a mean over families of the means of each."""
        names = np.array([one.family for one in self.whole])
        parts = [gain[names == family] for family in TUNED_ON]
        return float(np.sqrt(sum(part.var(ddof=1) / len(part) for part in parts)) / len(parts))


def _topics(world: World, queries: Sequence[Query], seed: int) -> Iterator[tuple[list[Ranking], list[Ranking]]]:
    """Of each large group: what is left without it, to choose a parameter on, and the group as a collection."""
    groups = np.array([payload["group"] for payload in world.payloads])
    for group, count in zip(*np.unique(groups, return_counts=True), strict=True):
        if count > LARGE_GROUP:
            without, alone = (np.flatnonzero(where) for where in (groups != group, groups == group))
            yield rankings_of(world, queries, without, seed), rankings_of(world, queries, alone, seed)


def _transferred(way: str, known: Sequence[Ranking], unknown: Sequence[Ranking]) -> float:
    return f1_with(way, unknown, best_of(way, tried(way, known), weights_of(known)))


def rounded(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: round(float(value), 3) for name, value in figures.items()}


def run(*, tags: int, similar: int, seed: int) -> dict[str, dict[str, float]]:
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(world_of(Path(folder) / "pictures"), tags=tags, similar=similar, seed=seed)
    figures: dict[str, dict[str, float]] = {}
    for way in WAYS:
        progress(f"{way}: {len(bench.whole)} queries")
        figures[way] = bench.figures(way)
    return {**figures, "oracle": bench.oracle()}


def main() -> None:
    parser = arguments((__doc__ or "").partition("\n")[0])
    parser.add_argument("--tags", type=int, default=2_000, help="tags that are asked for, at most")
    parser.add_argument("--similar", type=int, default=800, help="queries that are a picture")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    figures = run(tags=options.tags, similar=options.similar, seed=options.seed)
    emit(Report(figures=figures), as_json=options.json)


if __name__ == "__main__":
    main()
