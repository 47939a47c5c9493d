"""The best "first this, then that" in each group, among candidates with times."""

import heapq
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from shared.jobs import GroupKey


class Candidate(NamedTuple):
    """An item that could be one step; `place` is where its hit stands among those of the step."""

    id: int
    score: float
    start_s: float
    end_s: float
    place: int = 0


class Chain(NamedTuple):
    """One item for each step, in time; `total` is the sum of their scores."""

    total: float
    items: tuple[Candidate, ...]

    @property
    def last(self) -> Candidate:
        return self.items[-1]


# With its type: to Python 1 and true are one key, to the store they are not.
Group = tuple[type, GroupKey]
# Of one step, by group.
Step = dict[Group, list[Candidate]]


def ranked(steps: Sequence[Step], within_s: Sequence[float]) -> list[tuple[GroupKey, Chain]]:
    """The groups that have a chain, by their best one. `within_s` has a bound for each step but the first."""
    rows: list[tuple[GroupKey, Chain]] = []
    for group in steps[0]:
        chain = best_chain([step.get(group, []) for step in steps], within_s)
        if chain is not None:
            rows.append((group[1], chain))
    # Of equals the one whose first item has the lowest id, so that the same search gives the same order.
    rows.sort(key=lambda row: (-row[1].total, [one.id for one in row[1].items]))
    return rows


def best_chain(steps: Sequence[Sequence[Candidate]], within_s: Sequence[float]) -> Chain | None:
    """The chain with the highest sum of scores: each item begins after the one before it began, and at most `within_s`
    after that one's end. Dynamic programming, O(n log n) for n candidates.
    """
    chains = [Chain(one.score, (one,)) for one in steps[0]]
    for candidates, bound_s in zip(steps[1:], within_s, strict=True):
        chains = list(_longer(chains, candidates, bound_s))
    return max(chains, key=_preference, default=None)


def _longer(chains: list[Chain], candidates: Sequence[Candidate], within_s: float) -> Iterator[Chain]:
    """Of each candidate the best chain that it can end."""
    waiting = sorted(chains, key=lambda chain: chain.last.start_s, reverse=True)
    begun: list[tuple[float, int, Chain]] = []
    for one in sorted(candidates, key=lambda one: one.start_s):
        while waiting and waiting[-1].last.start_s < one.start_s:
            chain = waiting.pop()
            heapq.heappush(begun, (-chain.total, len(waiting), chain))
        # Candidates come in time: a chain that ended too long ago is of no use to those that follow either.
        while begun and one.start_s - begun[0][2].last.end_s > within_s:
            heapq.heappop(begun)
        if begun:
            best = begun[0][2]
            yield Chain(best.total + one.score, (*best.items, one))


def _preference(chain: Chain) -> tuple[float, list[float]]:
    return chain.total, [-one.start_s for one in chain.items]
