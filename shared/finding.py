"""Finds jobs by terms: walks the smallest index newest first, and asks the others about what it meets.

The index lags a second behind the ledger, and begins when somebody began to keep it. What is newer or older is found
by looking at the records themselves: an answer is never short of a job, only the walk is longer. By its worker an open
job is found when its state is asked for too.
"""

from collections.abc import Awaitable, Callable, Sequence

import msgspec
from arq.connections import ArqRedis

from shared import keys
from shared.account import Account, account_of
from shared.index_walk import FAR_MS, Entry, Place, Walk, members, place_at, sizes
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
    """One question to the ledgers of tenants, for one page. `load` reads records, None for what is gone."""

    def __init__(self, redis: ArqRedis, tenants: Sequence[str], where: JobFilter, load: Load) -> None:
        self.redis = redis
        self.tenants = tenants
        self.where = where
        self.load = load
        self.groups = groups_of(where)
        self.account = Account()
        self.walked: Group | None = None
        self._walks: list[Walk] = []
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
        self._walks = self._walks_from(place)
        found: list[JobView] = []
        looked = 0
        while looked < MOST_LOOKUPS and self._records < MOST_RECORDS:
            # Without a question the first ones that are there pass.
            entries = await self._next(ROUND if self.groups or self._is_timed else limit)
            if not entries:
                return Found(found)
            place = await self._look(entries, found, limit)
            looked += len(entries) * self._indexes
            if len(found) >= limit:
                break
        return Found(found, place.cursor(walk))

    @property
    def _is_timed(self) -> bool:
        return self.where.since_ms is not None or self.where.until_ms is not None

    @property
    def _by_creation(self) -> bool:
        """Whether the walked index is ordered by creation; that of a state is by when the job came to it."""
        return self.walked is not None or self.where.state is None

    @property
    def _indexes(self) -> int:
        """How many are asked about each entry, the walked one included."""
        return 2 + sum(len(group.names) for group in self.groups)

    def _base(self, tenant: str) -> str:
        return keys.jobs(tenant) if self.where.state is None else keys.jobs_in(tenant, self.where.state)

    async def _smallest(self) -> str:
        """The base, unless a group of terms is clearly smaller."""
        if not self.account.until_ms:
            return BASE
        named = [[self._base(tenant) for tenant in self.tenants], *(list(self._terms(one)) for one in self.groups)]
        counts = await sizes(self.redis, [key for group in named for key in group])
        totals = []
        for group in named:
            totals.append(sum(counts[: len(group)]))
            counts = counts[len(group) :]
        fewest = min(range(1, len(totals)), key=totals.__getitem__)
        return str(fewest - 1) if totals[fewest] < totals[0] / 2 else BASE

    def _terms(self, group: Group) -> dict[str, str]:
        """The group's indexes, and whose jobs they hold."""
        return {keys.term(tenant, name): tenant for tenant in self.tenants for name in (*group.names, *group.by_id)}

    def _walks_from(self, place: Place) -> list[Walk]:
        """One after the other. Along a term there are three stretches: the index is the middle one."""
        least = float(self.where.since_ms or 0)
        if self.walked is None:
            return [Walk(self.redis, {self._base(one): one for one in self.tenants}, place, least=least)]
        jobs = {keys.jobs(tenant): tenant for tenant in self.tenants}
        since, until = float(self.account.since_ms), float(self.account.until_ms)
        walks = []
        for indexes, top, bottom in (
            (jobs, FAR_MS, until),
            (self._terms(self.walked), until, since),
            (jobs, since, 0.0),
        ):
            start = place if place.score < top else Place(top, "~" if top == FAR_MS else "")
            if start.score > bottom or (start.score == bottom and start.job_id != ""):
                walks.append(Walk(self.redis, indexes, start, least=max(bottom, least)))
        return walks

    async def _next(self, size: int) -> list[Entry]:
        while self._walks:
            if entries := await self._walks[0].take(size):
                return entries
            del self._walks[0]
        return []

    async def _look(self, entries: list[Entry], found: list[JobView], limit: int) -> Place:
        """Add what passes, up to the limit; returns how far it looked."""
        candidates = await self._candidates(entries)
        step = max(1, limit)
        for start in range(0, len(candidates), step):
            part = candidates[start : start + step]
            self._records += len(part)
            for one, job in zip(part, await self.load([one.job_id for one in part]), strict=True):
                if job is not None and self.where.passes(job):
                    found.append(job)
                if len(found) >= limit:
                    return Place(one.score, one.job_id)
            if self._records >= MOST_RECORDS and start + step < len(candidates):
                return Place(part[-1].score, part[-1].job_id)
        return Place(entries[-1].score, entries[-1].job_id)

    async def _candidates(self, entries: list[Entry]) -> list[Entry]:
        """Without those that the indexes know not to pass: one round trip, however many indexes there are."""
        of_tenant: dict[str, list[Entry]] = {}
        for entry in entries:
            of_tenant.setdefault(entry.tenant, []).append(entry)
        asked = [
            (index, [one.job_id for one in its])
            for tenant, its in of_tenant.items()
            for index in self._asked_about(tenant)
        ]
        columns = await members(self.redis, asked)
        kept, size = set(), len(columns) // len(of_tenant)
        for number, its in enumerate(of_tenant.values()):
            kept |= self._kept(its, columns[number * size : (number + 1) * size])
        return [entry for entry in entries if entry in kept]

    def _asked_about(self, tenant: str) -> list[str]:
        """The indexes whose scores `_kept` wants, in its order."""
        by_creation = [] if self._by_creation else [keys.jobs(tenant)]
        by_state = [self._base(tenant)] if self.walked is not None and self.where.state is not None else []
        return by_creation + by_state + [keys.term(tenant, name) for group in self.groups for name in group.names]

    def _kept(self, entries: list[Entry], columns: list[list[float | None]]) -> set[Entry]:
        """Of one tenant's entries those that may pass."""
        created = [one.score for one in entries] if self._by_creation else columns.pop(0)
        in_state = columns.pop(0) if self.walked is not None and self.where.state is not None else None
        kept = set()
        for row, entry in enumerate(entries):
            at = created[row]
            if at is None or not self.where.covers(at):
                continue
            scores = [column[row] for column in columns]
            known = bool(self.groups) and self.account.covers(at)
            passes = (in_state is None or in_state[row] is not None) and self._meets(entry.job_id, scores)
            if passes or not known:
                kept.add(entry)
        return kept

    def _meets(self, job_id: str, scores: list[float | None]) -> bool:
        """Whether the job is in an index of every group."""
        for group in self.groups:
            mine, scores = scores[: len(group.names)], scores[len(group.names) :]
            if not group.takes(job_id, mine):
                return False
        return True
