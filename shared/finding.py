"""Finds jobs by terms: walks the smallest index newest first, and asks the others about what it meets.

The index lags a second behind the ledger, and begins when somebody began to keep it. What is newer or older is found
by looking at the records themselves: an answer is never short of a job, only the walk is longer. By its worker an open
job is found when its state is asked for too.
"""

from collections.abc import Awaitable, Callable

import msgspec
from arq.connections import ArqRedis

from shared import keys
from shared.account import Account, account_of
from shared.index_walk import FAR_MS, Entry, Place, below, members, place_at, sizes
from shared.job_filter import Group, JobFilter, groups_of
from shared.jobs import JobView

ROUND = 500
# One page asks so many times whether a job is in an index, and looks at so many records; the next one goes on.
MOST_LOOKUPS = 8_000
MOST_RECORDS = 500
BASE = "b"
OPEN = ("queued", "running")

Load = Callable[[list[str]], Awaitable[list[JobView | None]]]


class Found(msgspec.Struct, frozen=True):
    jobs: list[JobView]
    next: str | None = None


class Finder:
    """One question to the ledger of a tenant, for one page. `load` reads records, None for what is gone."""

    def __init__(self, redis: ArqRedis, tenant: str, where: JobFilter, load: Load) -> None:
        self.redis = redis
        self.tenant = tenant
        self.where = where
        self.load = load
        self.groups = groups_of(where)
        self.base = keys.jobs(tenant) if where.state is None else keys.jobs_in(tenant, where.state)
        self.account = Account()
        self.walked: Group | None = None
        self._records = 0

    async def page(self, before: str | None, limit: int) -> Found:
        """Raises QueueAway."""
        place, walk = place_at(before)
        if self.groups:
            # Where a job runs and how it fails is entered when it ends: open ones are looked at themselves.
            self.account = Account() if self.where.state in OPEN else await account_of(self.redis)
            walk = walk or await self._smallest()
            self.walked = self.groups[int(walk)] if walk.isdecimal() and int(walk) < len(self.groups) else None
        if self._by_creation and self.where.until_ms is not None and place.score > self.where.until_ms:
            place = Place(float(self.where.until_ms))
        found: list[JobView] = []
        looked = 0
        while looked < MOST_LOOKUPS and self._records < MOST_RECORDS:
            entries = await self._next(place)
            if not entries:
                return Found(found)
            place = await self._look(entries, found, limit)
            looked += len(entries) * self._indexes
            if len(found) >= limit:
                break
        return Found(found, place.cursor(walk))

    @property
    def _by_creation(self) -> bool:
        """Whether the walked index is ordered by creation; that of a state is by when the job came to it."""
        return self.walked is not None or self.where.state is None

    @property
    def _indexes(self) -> int:
        """How many are asked about each entry, the walked one included."""
        return 2 + sum(len(group.names) for group in self.groups)

    async def _smallest(self) -> str:
        """The base, unless a group of terms is clearly smaller."""
        if not self.account.until_ms:
            return BASE
        named = [[keys.term(self.tenant, name) for name in (*one.names, *one.by_id)] for one in self.groups]
        total, *counts = await sizes(self.redis, [self.base, *(key for group in named for key in group)])
        best, fewest = BASE, total / 2
        for number, group in enumerate(named):
            size, counts = sum(counts[: len(group)]), counts[len(group) :]
            if size < fewest:
                best, fewest = str(number), size
        return best

    async def _next(self, place: Place) -> list[Entry]:
        """A round of entries below the place. Along a term there are three stretches: the index is the middle one."""
        least = float(self.where.since_ms or 0)
        if self.walked is None:
            return await below(self.redis, (self.base,), place, least=least, size=ROUND)
        jobs = (keys.jobs(self.tenant),)
        terms = tuple(keys.term(self.tenant, name) for name in (*self.walked.names, *self.walked.by_id))
        since, until = float(self.account.since_ms), float(self.account.until_ms)
        stretches = ((jobs, FAR_MS, until), (terms, until, since), (jobs, since, 0.0))
        for indexes, top, bottom in stretches:
            start = place if place.score < top else Place(top, "~" if top == FAR_MS else "")
            if start.score < bottom or (start.score == bottom and start.job_id == ""):
                continue
            if entries := await below(self.redis, indexes, start, least=max(bottom, least), size=ROUND):
                return entries
        return []

    async def _look(self, entries: list[Entry], found: list[JobView], limit: int) -> Place:
        """Add what passes, up to the limit; returns how far it looked."""
        candidates = await self._candidates(entries)
        step = max(1, limit)
        for start in range(0, len(candidates), step):
            part = candidates[start : start + step]
            self._records += len(part)
            for (job_id, score), job in zip(part, await self.load([job_id for job_id, _ in part]), strict=True):
                if job is not None and self.where.passes(job):
                    found.append(job)
                if len(found) >= limit:
                    return Place(score, job_id)
            if self._records >= MOST_RECORDS and start + step < len(candidates):
                return Place(part[-1][1], part[-1][0])
        return Place(entries[-1][1], entries[-1][0])

    async def _candidates(self, entries: list[Entry]) -> list[Entry]:
        """Without those that the indexes know not to pass: one round trip, however many indexes there are."""
        job_ids = [job_id for job_id, _ in entries]
        terms = [keys.term(self.tenant, name) for group in self.groups for name in group.names]
        by_creation = [] if self._by_creation else [keys.jobs(self.tenant)]
        by_state = [self.base] if self.walked is not None and self.where.state is not None else []
        columns = await members(self.redis, by_creation + by_state + terms, job_ids)
        created = columns.pop(0) if by_creation else [score for _, score in entries]
        in_state = columns.pop(0) if by_state else None
        kept = []
        for row, entry in enumerate(entries):
            at = created[row]
            if at is None or not self.where.covers(at):
                continue
            scores = [column[row] for column in columns]
            known = bool(self.groups) and self.account.covers(at)
            passes = (in_state is None or in_state[row] is not None) and self._meets(entry[0], scores)
            if passes or not known:
                kept.append(entry)
        return kept

    def _meets(self, job_id: str, scores: list[float | None]) -> bool:
        """Whether the job is in an index of every group."""
        for group in self.groups:
            mine, scores = scores[: len(group.names)], scores[len(group.names) :]
            if not group.takes(job_id, mine):
                return False
        return True
