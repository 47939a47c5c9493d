"""A search's relevance line: one for a query in a collection, whatever filter, exclusions and pages leave of it."""

from collections.abc import Sequence

import numpy as np

from shared.errors import StoreAway
from shared.jobs import Group, Hit
from workers.parts import Parts
from workers.relevance import BEST, line_of, scores_of
from workers.sittings import Asked
from workers.stores.protocol import VectorQuery


def is_known(asked: Asked) -> bool:
    """Whether there is a line to find: a search that goes on has it, and compared examples give no cosines."""
    return asked.line is not None or bool(asked.search.then or asked.positive)


def is_whole(query: VectorQuery, asked: Asked) -> bool:
    """Whether its own hits are the best of the collection, and enough of them."""
    left_out = len(query.exclude_ids) - len(asked.named) + len(query.exclude_groups)
    return query.filter is None and not left_out and asked.search.limit >= BEST and asked.search.group_by is None


async def best_of(asked: Asked, *, stored: str, parts: Parts) -> list[float]:
    """The scores of the query's best hits in the whole collection; it goes to the store along with the search."""
    query = VectorQuery(vector=asked.vector, limit=BEST, exclude_ids=asked.named, payload=False)
    return [hit.score for hit in await parts.searches.one(stored, query)]


async def line_for(asked: Asked, best: Sequence[float], *, stored: str, parts: Parts) -> float | None:
    """None in an empty collection, and when the store gives no sample: that is no reason to fail a search."""
    if not best:
        return None
    try:
        sample = await parts.backgrounds.of(stored, dim=parts.encoder.info.dim)
    except StoreAway:
        return None
    if not len(sample):
        return None
    vector = np.frombuffer(asked.vector, dtype="<f4")
    return round(line_of(best, scores_of(vector, sample)), 6)


def above(line: float | None, *, hits: Sequence[Hit] | None, groups: Sequence[Group] | None) -> int | None:
    """How many hits, or groups by their best hit, score as much."""
    if line is None:
        return None
    scores = [hit.score for hit in hits or ()] + [group.hits[0].score for group in groups or ()]
    return sum(score >= line for score in scores)
