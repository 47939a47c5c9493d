"""The items of each step that a search for a sequence looks at: growing pages of the best, and more of few groups."""

import asyncio
from collections.abc import Sequence

import msgspec

from shared.errors import Invalid
from shared.filter_check import INT64
from shared.filters import Condition, Filter, both
from shared.jobs import PlanName
from shared.sequences import START
from workers.parts import Parts
from workers.stores.protocol import Answer, VectorQuery
from workers.tasks.chains import Group
from workers.tasks.steps import Seen

GROWTH = 4
# So many groups are asked about at most, for so many more items than were seen of them, and so often between two pages.
GROUPS_AT_MOST = 256
FURTHER = 128
TIMES = 5
# Groups with a larger share of the items that were seen are not asked about: a further page brings as much.
SHARE = 0.5
# The type of a group that an index finds.
_FOUND_BY = {"keyword": str, "integer": int, "bool": bool}


class Candidates:
    """Pages of `size`; `bound` is the most that a chain comes to without an item of any page."""

    def __init__(
        self, stored: str, queries: Sequence[VectorQuery], *, field: str, index: str | None, parts: Parts, size: int
    ) -> None:
        self._stored, self._queries, self._field, self._parts = stored, queries, field, parts
        self._found_by = _FOUND_BY.get(index or "")
        self.size, self.rounds = size, 0
        self.plan: PlanName = "exact"
        self._narrowed = False
        self._asked = 0
        self._anew()

    def _anew(self) -> None:
        self.steps = [Seen(self._field) for _ in self._queries]

    @property
    def bound(self) -> float:
        return sum(step.bound for step in self.steps)

    async def read(self) -> None:
        """A page of each step that has more. Raises Invalid when no item has a group and a time."""
        queries = [msgspec.structs.replace(query, limit=self.size) for query in self._queries]
        pages = await asyncio.gather(
            *(self._page(query) for query, step in zip(queries, self.steps, strict=True) if not step.whole)
        )
        self.plan, self._asked = pages[0].plan, 0
        for step, page in zip([step for step in self.steps if not step.whole], pages, strict=True):
            step.learn(page, self.size)
        if not self._narrowed and any(step.strays for step in self.steps):
            # Pictures among the videos must not fill the pages.
            await self._narrow()

    async def _narrow(self) -> None:
        there = Filter(must_not=[Condition(key=self._field, is_empty=True), Condition(key=START, is_empty=True)])
        self._queries = [msgspec.structs.replace(one, filter=both(one.filter, there)) for one in self._queries]
        self._narrowed = True
        self._anew()
        await self.read()
        if not any(step.seen for step in self.steps):
            names = f"{self._field!r} and, in seconds, {START!r}"
            raise Invalid(f"no item has {names}: there is no order in time", field="then")

    async def grow(self, enough: int) -> None:
        """To `enough`, then by GROWTH."""
        self.size = enough if self.size < enough else GROWTH * self.size
        await self.read()

    async def ask(self, unsure: Sequence[Sequence[Group]]) -> bool:
        """About the most promising groups of each step; whether that was worth it."""
        chosen = [self._chosen(groups, step) for groups, step in zip(unsure, self.steps, strict=True)]
        if self._asked == TIMES or not any(chosen):
            return False
        self._asked += 1
        await asyncio.gather(*(self._ask(place, groups) for place, groups in enumerate(chosen) if groups))
        return True

    def _chosen(self, groups: Sequence[Group], step: Seen) -> list[Group]:
        """As many as may be asked about."""
        chosen: list[Group] = []
        room = SHARE * len(step.hits)
        for group in groups:
            room -= len(step.items.get(group, ()))
            if room < 0 or len(chosen) == GROUPS_AT_MOST or not self._finds(group):
                break
            chosen.append(group)
        return chosen

    def _finds(self, group: Group) -> bool:
        """Whether a filter does, soon: it may say no number that only an unsigned integer holds."""
        key = group[1]
        return group[0] is self._found_by and (not isinstance(key, int) or key in INT64)

    async def _ask(self, place: int, groups: Sequence[Group]) -> None:
        query, step = self._queries[place], self.steps[place]
        these = Filter(must=[Condition(key=self._field, match=[key for _, key in groups])])
        seen = sum(len(step.items.get(group, ())) for group in groups)
        limit = (seen // FURTHER + 2) * FURTHER
        query = msgspec.structs.replace(query, limit=limit, filter=both(query.filter, these))
        step.learn(await self._page(query), limit, groups=groups)

    async def _page(self, query: VectorQuery) -> Answer:
        page = await self._parts.searches.one(self._stored, msgspec.structs.replace(query, payload=True))
        self.rounds += page.rounds
        return page
