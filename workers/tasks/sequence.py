"""A search for "this, then that": groups, as videos, by their best chain of items in time."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import msgspec

from shared.errors import CliplineError, Invalid
from shared.filters import Condition, Filter, both
from shared.jobs import Group, GroupKey, Hit, Lane, PlanName, Query, Search
from shared.sequences import END, START
from workers.parts import Parts
from workers.stores.protocol import Answer, Scored, VectorQuery
from workers.tasks.chains import Candidate, Chain, Step, ranked
from workers.tasks.names import INTERNAL, public, value_at
from workers.tasks.vectors import Aim, Told, aim_of

# Candidates of each step in the first round; each next round has GROWTH times as many, up to LARGEST. A first one of a
# quarter was hardly ever enough to know the best, and cost a third of the time.
SMALLEST = 4_096
GROWTH = 4
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
    stored: str, queries: Sequence[VectorQuery], *, field: str, job: Search, parts: Parts
) -> Sequenced:
    """The first `job.limit` groups, by `field`, in the order of their best chain, of one query for each step.

    Candidates are the best items of each step, in growing pages until they lead to enough groups; beyond LARGEST the
    search ends with fewer, not exhausted. Raises Invalid for items without times.
    """
    looked = _Candidates(stored, queries, parts)
    await looked.read()
    while True:
        steps = [_step_of(page, field) for page in looked.pages]
        if not looked.narrowed and _have_strays(looked.pages, steps):
            # Pictures among the videos must not fill the pages.
            await looked.narrow(field)
            continue
        rows = ranked(steps, [then.within_s for then in job.then])
        if len(rows) > job.limit or looked.exhausted or looked.size >= LARGEST:
            break
        await looked.grow()
    groups = [_group(key, chain, looked.pages, job) for key, chain in rows[: job.limit]]
    exhausted = looked.exhausted and len(rows) <= job.limit
    return Sequenced(groups, exhausted, looked.pages[0].plan, looked.rounds)


class _Candidates:
    """The best items of each step, in pages of `size`."""

    def __init__(self, stored: str, queries: Sequence[VectorQuery], parts: Parts) -> None:
        self._stored, self._queries, self._parts = stored, queries, parts
        self.pages: list[Answer] = []
        self.size, self.rounds, self.narrowed = SMALLEST, 0, False

    @property
    def exhausted(self) -> bool:
        return all(len(page) < self.size for page in self.pages)

    async def read(self) -> None:
        self.pages = list(await asyncio.gather(*(self._page(index) for index in range(len(self._queries)))))

    async def _page(self, index: int) -> Answer:
        """One that had all there is stays as it is."""
        if self.pages and len(self.pages[index]) < self.size // GROWTH:
            return self.pages[index]
        query = msgspec.structs.replace(self._queries[index], limit=self.size, payload=True)
        page = await self._parts.searches.one(self._stored, query)
        self.rounds += page.rounds
        return page

    async def grow(self) -> None:
        self.size *= GROWTH
        await self.read()

    async def narrow(self, field: str) -> None:
        """To items with a group and a time. Raises Invalid when there is none."""
        there = Filter(must_not=[Condition(key=field, is_empty=True), Condition(key=START, is_empty=True)])
        self._queries = [msgspec.structs.replace(one, filter=both(one.filter, there)) for one in self._queries]
        self.pages, self.narrowed = [], True
        await self.read()
        if not any(len(page) for page in self.pages):
            raise Invalid(f"no item has {field!r} and, in seconds, {START!r}: there is no order in time", field="then")


def _step_of(page: Answer, field: str) -> Step:
    """The items that have a group and times."""
    step: Step = {}
    for place, hit in enumerate(page):
        group, start_s = value_at(hit.payload, field), _seconds(hit, START)
        if isinstance(group, str | int) and start_s is not None:
            end_s = _seconds(hit, END)
            one = Candidate(hit.id, hit.score, start_s, start_s if end_s is None else end_s, place)
            step.setdefault((type(group), group), []).append(one)
    return step


def _seconds(hit: Scored, name: str) -> float | None:
    value = (hit.payload or {}).get(name)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _have_strays(pages: Sequence[Answer], steps: Sequence[Step]) -> bool:
    return any(len(page) > sum(map(len, step.values())) for page, step in zip(pages, steps, strict=True))


def _group(key: GroupKey, chain: Chain, pages: Sequence[Answer], job: Search) -> Group:
    hits = [_hit(page[one.place], payload=job.payload) for one, page in zip(chain.items, pages, strict=True)]
    return Group(group=key, score=round(chain.total / len(hits), 6), hits=hits)


def _hit(scored: Scored, *, payload: bool) -> Hit:
    ours = (scored.payload or {}).get(INTERNAL, {})
    told = {"source": ours.get("source"), "payload": public(scored.payload)} if payload else {}
    return Hit(id=scored.id, score=round(scored.score, 6), **told)
