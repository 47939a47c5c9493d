"""Reads sorted sets of jobs from the newest on, several together, a bounded part at a time."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

import msgspec
from arq.connections import ArqRedis

from shared.connection import redis_errors

FAR_MS = 999_999_999_999_999.0

# Of each index at least so many entries are read at a time.
LEAST_READ = 16
Rows = list[tuple[bytes, Any]]


class Entry(NamedTuple):
    """A job in an index, and whose it is."""

    job_id: str
    score: float
    tenant: str


class Place(msgspec.Struct, frozen=True):
    """Everything below it is still to be looked at: lower scores, and lower ids of the same one."""

    score: float = FAR_MS
    job_id: str = "~"

    def cursor(self, walk: str = "") -> str:
        """What a client brings back; `walk` names the index that was walked."""
        return f"{self.score:.0f}-{self.job_id}" + (f"|{walk}" if walk else "")


def place_at(cursor: str | None) -> tuple[Place, str]:
    """Where a cursor stands, and in which index."""
    if cursor is None:
        return Place(), ""
    score, _, rest = cursor.partition("-")
    job_id, bar, walk = rest.rpartition("|")
    if bar and (walk == "b" or walk.isdecimal()):
        return Place(float(score), job_id), walk
    return Place(float(score), rest), ""


class Walk:
    """Reads indexes together, highest first; `indexes` are keys and whose jobs they hold.

    Of each a part is read at a time, and more only when that is used up: many tenants cost little more than one.
    """

    def __init__(self, redis: ArqRedis, indexes: Mapping[str, str], place: Place, *, least: float) -> None:
        self.redis = redis
        self.indexes = indexes
        self.least = least
        self._open = dict.fromkeys(indexes, place)
        self._rows: dict[str, list[Entry]] = {}

    async def take(self, size: int) -> list[Entry]:
        """The next entries, `size` at most; none when there are no more."""
        taken: list[Entry] = []
        while len(taken) < size:
            await self._fill(size)
            if not any(self._rows.values()):
                break
            taken += self._certain(size - len(taken))
        return taken

    def _certain(self, size: int) -> list[Entry]:
        """Of what was read, that before which nothing unread can come."""
        last = [_order(rows[-1]) for key, rows in self._rows.items() if key in self._open]
        bottom = max(last, default=(-1.0, ""))
        # A job that several of the indexes have counts once.
        merged = sorted({one for rows in self._rows.values() for one in rows}, key=_order, reverse=True)
        taken = [one for one in merged if _order(one) >= bottom][:size]
        used = _order(taken[-1])
        self._rows = {key: [one for one in rows if _order(one) < used] for key, rows in self._rows.items()}
        return taken

    async def _fill(self, size: int) -> None:
        empty = [key for key in self._open if not self._rows.get(key)]
        if not empty:
            return
        part = max(LEAST_READ, size // len(empty))
        with redis_errors():
            async with self.redis.pipeline(transaction=True) as pipe:
                for key in empty:
                    same = f"{self._open[key].score:.0f}"
                    # What came in one millisecond is read whole, since no range of scores divides it.
                    pipe.zrange(key, same, same, desc=True, byscore=True, withscores=True)
                    pipe.zrange(
                        key, f"({same}", self.least, desc=True, byscore=True, offset=0, num=part, withscores=True
                    )
                rows = cast(list[Rows], await pipe.execute())
        for number, key in enumerate(empty):
            self._read(key, rows[2 * number], rows[2 * number + 1], part)

    def _read(self, key: str, same: Rows, lower: Rows, part: int) -> None:
        place, tenant = self._open[key], self.indexes[key]
        beside = [one for one in _entries(same, tenant) if one.job_id < place.job_id and one.score >= self.least]
        self._rows[key] = beside + _entries(lower, tenant)
        if len(lower) < part:
            del self._open[key]
        else:
            self._open[key] = Place(self._rows[key][-1].score, self._rows[key][-1].job_id)


def _order(one: Entry) -> tuple[float, str]:
    return one.score, one.job_id


def _entries(rows: Rows, tenant: str) -> list[Entry]:
    """Highest first, and those of one score in the order of their ids, which Redis compares as Python does here."""
    return [Entry(job_id.decode(), float(at), tenant) for job_id, at in rows]


async def sizes(redis: ArqRedis, indexes: list[str]) -> list[int]:
    with redis_errors():
        async with redis.pipeline(transaction=False) as pipe:
            for key in indexes:
                pipe.zcard(key)
            return cast(list[int], await pipe.execute())


async def members(redis: ArqRedis, asked: Sequence[tuple[str, list[str]]]) -> list[list[float | None]]:
    """Of each index the scores of some jobs, None for those that are not in it."""
    if not asked:
        return []
    with redis_errors():
        async with redis.pipeline(transaction=False) as pipe:
            for key, job_ids in asked:
                pipe.zmscore(key, job_ids)
            return cast(list[list[float | None]], await pipe.execute())
