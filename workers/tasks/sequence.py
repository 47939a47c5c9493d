"""A search for "this, then that": groups, as videos, by their best chain of items in time."""

import asyncio
from collections.abc import Iterable, Sequence
from math import inf
from typing import NamedTuple

from shared.errors import CliplineError
from shared.jobs import Group, GroupKey, Hit, Lane, PlanName, Query, Search
from workers.parts import Parts
from workers.stores.protocol import Scored, VectorQuery
from workers.tasks.candidates import Candidates
from workers.tasks.chains import Chain, ranked
from workers.tasks.names import INTERNAL, public
from workers.tasks.steps import Seen, unsure
from workers.tasks.vectors import Aim, Told, aim_of

# Items of each step in the first page: so many for each group that is wanted, at least SMALLEST. With ENOUGH looked at
# there is no further page only to be sure of what is best; where they lead to too few groups, pages grow up to LARGEST.
PER_GROUP = 32
SMALLEST = 1_024
ENOUGH = 4_096
LARGEST = 16_384


class Sequenced(NamedTuple):
    """The best groups, each with its chain; whether nothing is left after them; how the store went about it."""

    groups: list[Group]
    exhausted: bool
    plan: PlanName
    rounds: int


async def aims_of(
    queries: Sequence[Query], *, stored: str, lane: Lane, parts: Parts, on_device: Told, marked: Iterable[int]
) -> list[Aim]:
    """What each step searches for, encoded together. Raises BadPicture, ItemNotFound."""
    known = frozenset(marked)

    async def one(query: Query, root: str) -> Aim:
        try:
            return await aim_of(query, stored=stored, lane=lane, parts=parts, on_device=on_device, marked=known)
        except CliplineError as error:
            error.field = f"{root}{error.field}" if error.field else None
            raise

    roots = ["", *(f"then[{index}]." for index in range(len(queries) - 1))]
    return await asyncio.gather(*map(one, queries, roots))


async def search_sequences(
    stored: str, queries: Sequence[VectorQuery], *, field: str, index: str | None, job: Search, parts: Parts
) -> Sequenced:
    """The first `job.limit` groups, by `field`, in the order of their best chain, of one query for each step.

    They are the best where the bounds of what was not seen prove it, else of ENOUGH items of each step. Where LARGEST
    of each lead to fewer groups, the search ends with these, not exhausted. `index` is the type of the field's, None if
    it has none. Raises Invalid for items without times.
    """
    looked = Candidates(stored, queries, field=field, index=index, parts=parts, size=_first_size(job))
    await looked.read()
    within_s = [then.within_s for then in job.then]
    least, enough = -inf, False
    while True:
        rows = ranked([step.items for step in looked.steps], within_s, at_most=job.limit + 1, least=least)
        # Once there are, the next ones are not made again.
        enough = enough or len(rows) > job.limit
        least = rows[job.limit - 1][1].total if enough else -inf
        open_ = unsure(looked.steps, least)
        proven = looked.bound <= least and not any(open_)
        if proven or looked.size >= (ENOUGH if enough else LARGEST):
            break
        if not await looked.ask(open_):
            await looked.grow(ENOUGH)
    groups = [_group(key, chain, looked.steps, job) for (_, key), chain in rows[: job.limit]]
    return Sequenced(groups, proven and not enough, looked.plan, looked.rounds)


def _first_size(job: Search) -> int:
    """A power of two, as the store remembers what pages cost by their size."""
    if len(job.then) > 1:
        # Few items of each of three steps hardly ever follow one another: proving took twice as long as looking.
        return ENOUGH
    return min(ENOUGH, max(SMALLEST, 1 << (PER_GROUP * job.limit - 1).bit_length()))


def _group(key: GroupKey, chain: Chain, steps: Sequence[Seen], job: Search) -> Group:
    hits = [_hit(step.hits[one.id], payload=job.payload) for one, step in zip(chain.items, steps, strict=True)]
    return Group(group=key, score=round(chain.total / len(hits), 6), hits=hits)


def _hit(scored: Scored, *, payload: bool) -> Hit:
    ours = (scored.payload or {}).get(INTERNAL, {})
    told = {"source": ours.get("source"), "payload": public(scored.payload)} if payload else {}
    return Hit(id=scored.id, score=round(scored.score, 6), **told)
