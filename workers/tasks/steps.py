"""What a search for a sequence has seen of each step, and how good what it has not seen can be.

The best items of each step are read in order, so what a page lacks scores no more than its last one. A group that is in
no page has no chain that comes to more than the sum of these; one that is in some, no chain with an item that was not
seen of one step that comes to more than that page's last score and the best of its other steps. Where all that is below
what was found, nothing further need be read; of groups where it is not, a page is read of these alone. This is the
threshold algorithm, with random accesses kept for the objects that need them, of Fagin, Lotem and Naor, "Optimal
aggregation algorithms for middleware", Journal of Computer and System Sciences 66 (2003).
"""

from collections.abc import Callable, Iterable, Sequence
from math import inf
from operator import itemgetter

from shared.jobs import Payload
from shared.sequences import END, START
from workers.stores.protocol import Answer, Scored
from workers.tasks.chains import Candidate, Group, Step
from workers.tasks.names import value_at

Read = Callable[[Payload], object]


class Seen:
    """Of one step; `bound` is the most that an item can score that no page had, `strays` tells of items without a group
    or a time."""

    def __init__(self, field: str) -> None:
        self._group = _reader(field)
        self.items: Step = {}
        self.best: dict[Group, float] = {}
        self.hits: dict[int, Scored] = {}
        self.bound = inf
        self.strays = self.seen = False
        self._deeper: dict[Group, float] = {}

    def learn(self, page: Answer, limit: int, *, groups: Iterable[Group] | None = None) -> None:
        """The best `limit` of all items, or of these groups."""
        self.seen = self.seen or len(page) > 0
        bound = page[-1].score if len(page) >= limit else -inf
        if groups is None:
            self.bound = min(self.bound, bound)
        else:
            self._deeper |= {group: min(bound, self.bound_of(group)) for group in groups}
        new = [hit for hit in page if hit.id not in self.hits]
        added = self._add(new)
        self.strays = self.strays or (groups is None and added < len(new))

    def _add(self, hits: Iterable[Scored]) -> int:
        """Those with a group and times; how many these are."""
        group_of, items, best, count = self._group, self.items, self.best, len(self.hits)
        for hit in hits:
            payload = hit.payload or {}
            group, start_s = group_of(payload), _seconds(payload.get(START))
            if start_s is None or not isinstance(group, str | int):
                continue
            end_s = _seconds(payload.get(END))
            one = Candidate(hit.id, hit.score, start_s, start_s if end_s is None else end_s)
            self.hits[hit.id] = hit
            key = type(group), group
            if key in items:
                items[key].append(one)
                best[key] = max(best[key], hit.score)
            else:
                items[key], best[key] = [one], hit.score
        return len(self.hits) - count

    @property
    def whole(self) -> bool:
        """Whether all items were seen."""
        return self.bound == -inf

    def bound_of(self, group: Group) -> float:
        return min(self.bound, self._deeper.get(group, inf))

    def most(self) -> dict[Group, float]:
        """What an item of a group scores at most, seen or not, where that is not `bound`."""
        return self._deeper | self.best


def unsure(steps: Sequence[Seen], least: float) -> list[list[Group]]:
    """For each step the groups of which an item that was not seen could make a chain that comes to more than `least`,
    what could come to most first. Groups that no other step has met are left to the sum of all bounds."""
    return [_open(step, [one for one in steps if one is not step], least) for step in steps]


def _open(step: Seen, others: Sequence[Seen], least: float) -> list[Group]:
    low = least - step.bound if step.bound > -inf else inf
    rest = others[0].most() if len(others) == 1 else _sums(others)
    rows = [(total + step.bound_of(group), group) for group, total in rest.items() if total > low]
    return [group for most, group in sorted(rows, key=itemgetter(0), reverse=True) if most > least]


def _sums(steps: Sequence[Seen]) -> dict[Group, float]:
    known = [(step.most(), step.bound) for step in steps]
    groups = set[Group]().union(*(most for most, _ in known))
    return {group: sum([most.get(group, bound) for most, bound in known]) for group in groups}


def _reader(field: str) -> Read:
    """`value_at` for one field of many payloads."""
    name = field.strip('"')
    return (lambda payload: value_at(payload, field)) if "." in field else (lambda payload: payload.get(name))


def _seconds(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
