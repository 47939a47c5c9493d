"""The queries of `bench.relevance`, and what the sample collection, or a part of it, answers to them."""

from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bench.feedback import World, spoken
from workers import backgrounds, feedback
from workers.feedback import Matrix, Vector, unit
from workers.relevance import scores_of

FEWEST = 3
MARKED = 2
# More than any way shows.
DEEPEST = 400
# Another model's scores for ours: see `bench.relevance`.
LEVEL, SCALE = 0.16, 0.3

Flags = npt.NDArray[np.bool_]
Places = npt.NDArray[np.int64]


class Query(NamedTuple):
    """What is looked for: a unit vector, the pictures that are right, and those that cannot be hits."""

    family: str
    vector: Vector
    right: frozenset[int]
    named: frozenset[int] = frozenset()


class Ranking(NamedTuple):
    """A query's answer: scores, best first; how many of the first n are right, for n from 0; how many are right in all;
    a sample's scores.
    """

    family: str
    scores: Vector
    right: Places
    total: int
    sample: Vector

    def f1(self, shown: int) -> float:
        return float(2 * self.right[shown] / (shown + self.total))

    def precision(self, shown: int) -> float:
        return float(self.right[shown] / shown) if shown else 0.0

    def recall(self, shown: int) -> float:
        return float(self.right[shown] / self.total)


def queries_of(world: World, *, tags: int, similar: int, seed: int) -> list[Query]:
    """Those for tags, of `tags` at most, for kinds, and for `similar` pictures."""
    draw = np.random.default_rng(seed)
    tagged: defaultdict[str, set[int]] = defaultdict(set)
    kinds: defaultdict[str, set[int]] = defaultdict(set)
    for number, payload in enumerate(world.payloads):
        kinds[world.kind(number)].add(number)
        for tag in payload["tags"]:
            tagged[tag].add(number)
    known = sorted((tag, sorted(right)) for tag, right in tagged.items() if len(right) >= FEWEST)
    known = [known[place] for place in draw.permutation(len(known))[:tags]]
    queries = [Query("tag", world.texts[tag], frozenset(right)) for tag, right in known]
    queries += [Query("kind", world.texts[spoken(kind)], frozenset(right)) for kind, right in sorted(kinds.items())]
    queries += [_marked(world, world.texts[tag], right, draw) for tag, right in known]
    for number in draw.choice(len(world.payloads), min(similar, len(world.payloads)), replace=False).tolist():
        right = frozenset(kinds[world.kind(number)] - {number})
        queries.append(Query("similar", world.pictures[number], right, frozenset({number})))
    return queries


def _marked(world: World, text: Vector, right: list[int], draw: np.random.Generator) -> Query:
    marked = draw.choice(right, min(MARKED, len(right)), replace=False).tolist()
    vector = feedback.rocchio(text, world.pictures[marked], world.pictures[:0])
    return Query("marked", unit(vector), frozenset(right) - frozenset(marked), frozenset(marked))


def rankings_of(world: World, queries: Sequence[Query], among: Places, seed: int) -> list[Ranking]:
    """Of the queries that still have enough to find in this part of the collection."""
    draw = np.random.default_rng(seed)
    sampled = draw.choice(among, min(backgrounds.SIZE, len(among)), replace=False)
    found = []
    for query in queries:
        right = np.isin(among, list(query.right))
        if right.sum() >= FEWEST:
            found.append(_ranking(query, world.pictures, among, right, sampled))
    return found


def _ranking(query: Query, pictures: Matrix, among: Places, right: Flags, sampled: Places) -> Ranking:
    scores = scores_of(query.vector, pictures[among])
    order = np.argsort(-scores, kind="stable")
    order = order[~np.isin(among[order], list(query.named))][:DEEPEST]
    sample = scores_of(query.vector, pictures[sampled])
    counts = np.concatenate([[0], right[order].cumsum()])
    return Ranking(query.family, scores[order], counts, int(right.sum()), sample)


def rescaled(ranking: Ranking) -> Ranking:
    scores, sample = (LEVEL + SCALE * part for part in (ranking.scores, ranking.sample))
    return ranking._replace(scores=scores, sample=sample)
