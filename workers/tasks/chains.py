"""The best "first this, then that" in each group, among candidates with times."""

import heapq
from collections.abc import Iterator, Sequence
from math import inf
from operator import itemgetter
from typing import NamedTuple

from shared.jobs import GroupKey

# So many pairs of chains and candidates are compared one by one.
FEW = 32


class Candidate(NamedTuple):
    """An item that could be one step."""

    id: int
    score: float
    start_s: float
    end_s: float


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


def ranked(
    steps: Sequence[Step], within_s: Sequence[float], *, at_most: int, least: float = -inf
) -> list[tuple[Group, Chain]]:
    """The best groups that have a chain, by their best one, if that comes to `least`. `within_s` has a bound for each
    step but the first."""
    rows: list[tuple[Group, Chain]] = []
    totals: list[float] = []
    for most, group in _promising(steps, least):
        if len(totals) == at_most and most < totals[0]:
            break
        chain = best_chain([step[group] for step in steps], within_s)
        if chain is not None:
            rows.append((group, chain))
            heapq.heappush(totals, chain.total)
            if len(totals) > at_most:
                heapq.heappop(totals)
    # Of equals the one whose first item has the lowest id, so that the same search gives the same order.
    rows.sort(key=lambda row: (-row[1].total, [one.id for one in row[1].items]))
    return rows[:at_most]


def _promising(steps: Sequence[Step], least: float) -> list[tuple[float, Group]]:
    """Groups with items of every step, and what the best of those come to: no chain comes to more."""
    groups = set(steps[0]).intersection(*steps[1:])
    rows = [(sum([max([one.score for one in step[group]]) for step in steps]), group) for group in groups]
    return sorted([row for row in rows if row[0] >= least], key=itemgetter(0), reverse=True)


def best_chain(steps: Sequence[Sequence[Candidate]], within_s: Sequence[float]) -> Chain | None:
    """The chain with the highest sum of scores: each item begins after the one before it began, and at most `within_s`
    after that one's end. Dynamic programming, O(n log n) for n candidates.
    """
    chains = [Chain(one.score, (one,)) for one in steps[0]]
    for candidates, bound_s in zip(steps[1:], within_s, strict=True):
        longer = _some_longer if len(chains) * len(candidates) <= FEW else _longer
        chains = list(longer(chains, candidates, bound_s))
    return max(chains, key=_preference, default=None)


def _some_longer(chains: list[Chain], candidates: Sequence[Candidate], within_s: float) -> Iterator[Chain]:
    """`_longer` of few, which would be sorted longer than they are compared."""
    for one in candidates:
        best: Chain | None = None
        for chain in chains:
            last = chain[1][-1]
            if (
                last.start_s < one.start_s
                and one.start_s - last.end_s <= within_s
                and (best is None or chain[0] > best[0])
            ):
                best = chain
        if best is not None:
            yield Chain(best.total + one.score, (*best.items, one))


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
