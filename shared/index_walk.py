"""Reads sorted sets of jobs from the newest on, several together, a bounded part at a time."""

from typing import Any, cast

import msgspec
from arq.connections import ArqRedis

from shared.connection import redis_errors

FAR_MS = 999_999_999_999_999.0

Entry = tuple[str, float]  # a job's id and its score in an index
Rows = list[tuple[bytes, Any]]


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


async def below(redis: ArqRedis, indexes: tuple[str, ...], place: Place, *, least: float, size: int) -> list[Entry]:
    """Entries of the indexes together, highest first: `size` at most, and those of the place's own millisecond.

    These come in one read, however many, since no range of scores divides them.
    """
    same = f"{place.score:.0f}"
    with redis_errors():
        async with redis.pipeline(transaction=True) as pipe:
            for key in indexes:
                pipe.zrange(key, same, same, desc=True, byscore=True, withscores=True)
                pipe.zrange(key, f"({same}", least, desc=True, byscore=True, offset=0, num=size, withscores=True)
            rows = cast(list[Rows], await pipe.execute())
    beside = [one for one in _merged(rows[::2]) if one[0] < place.job_id and one[1] >= least]
    return beside + _merged(rows[1::2])[:size]


def _merged(parts: list[Rows]) -> list[Entry]:
    found = {(float(at), job_id.decode()) for part in parts for job_id, at in part}
    return [(job_id, at) for at, job_id in sorted(found, reverse=True)]


async def sizes(redis: ArqRedis, indexes: list[str]) -> list[int]:
    with redis_errors():
        async with redis.pipeline(transaction=False) as pipe:
            for key in indexes:
                pipe.zcard(key)
            return cast(list[int], await pipe.execute())


async def members(redis: ArqRedis, indexes: list[str], job_ids: list[str]) -> list[list[float | None]]:
    """The jobs' scores in each index, None where they are not in it."""
    if not indexes or not job_ids:
        return [[None] * len(job_ids) for _ in indexes]
    with redis_errors():
        async with redis.pipeline(transaction=False) as pipe:
            for key in indexes:
                pipe.zmscore(key, job_ids)
            return cast(list[list[float | None]], await pipe.execute())
