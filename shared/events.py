"""The stream of events, of jobs and of sessions: written by the scripts, followed by API processes, replayed after a
reconnect."""

import asyncio
import secrets
from collections.abc import Iterable, Sequence
from functools import lru_cache
from sys import intern
from typing import Any, cast

import msgspec
from arq.connections import ArqRedis

from shared import keys, session_changes
from shared.connection import BLOCK_S, redis_errors
from shared.jobs import State
from shared.pipe import Pipe
from shared.session_changes import SessionChange
from shared.stages import Stage

BATCH = 500
START = "0-0"


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A job changed its state. `offset` is the stream's entry id.

    The last four are never in the stream. An API process that looks at the queue tells its own clients the `position`:
    how many jobs of the lane come first; and passes on what a worker tells of the `stage` of a job that takes long.
    """

    offset: str
    job: str
    tenant: str
    state: State
    at_ms: int
    session: str | None = None
    client_id: str | None = None
    position: int | None = None
    stage: Stage | None = None
    done: int | None = None
    total: int | None = None

    @property
    def is_passing(self) -> bool:
        """Whether it is told to who listens now, and to nobody later."""
        return self.position is not None or self.stage is not None


# What the stream tells.
News = Event | SessionChange


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """The epoch of the stream, and the offsets of its oldest event and its newest."""

    epoch: str
    oldest: str | None
    last: str

    def covers(self, after: str) -> bool:
        """Whether all events after `after` are there; START stands for all that is retained."""
        if after == START:
            return True
        return self.oldest is not None and order(self.oldest) <= order(after) <= order(self.last)


class Gap(Exception):
    """Events between the offset asked for and now are no longer there."""


def of_jobs(news: Iterable[News]) -> list[Event]:
    return [one for one in news if isinstance(one, Event)]


@lru_cache(4_096)
def order(offset: str) -> tuple[int, int]:
    """Stream ids compare as pairs of numbers, not as text. Raises ValueError for what is none."""
    ms, _, number = offset.partition("-")
    return int(ms), int(number or 0)


class Events:
    """Reads the event stream of one Redis. `blocking` must be a client made for blocking reads."""

    def __init__(self, redis: ArqRedis, *, blocking: ArqRedis | None = None) -> None:
        self.redis = redis
        self._pipe = Pipe(redis)
        self._reader = Pipe(blocking, timeout_s=3 * BLOCK_S) if blocking is not None else None

    async def epoch(self) -> str:
        """Changes when Redis lost the stream, so that offsets of another life are not taken for ours."""
        with redis_errors():
            await self.redis.set(keys.EPOCH, secrets.token_hex(4), nx=True)
            found = await self.redis.get(keys.EPOCH)
        return cast(bytes, found).decode()

    async def span(self) -> Span:
        """What there is, in one round trip."""
        with redis_errors():
            _, epoch, oldest, newest = await self._pipe.calls(
                ("SET", keys.EPOCH, secrets.token_hex(4), "NX"),
                ("GET", keys.EPOCH),
                ("XRANGE", keys.EVENTS, "-", "+", "COUNT", 1),
                ("XREVRANGE", keys.EVENTS, "+", "-", "COUNT", 1),
            )
        return Span(
            epoch=cast(bytes, epoch).decode(),
            oldest=oldest[0][0].decode() if oldest else None,
            last=newest[0][0].decode() if newest else START,
        )

    async def last(self) -> str:
        """The offset of the newest event."""
        with redis_errors():
            newest = await self.redis.xrevrange(keys.EVENTS, count=1)
        return newest[0][0].decode() if newest else START

    async def follow(self, after: str, *, block_s: float = BLOCK_S) -> list[News]:
        """At most BATCH events after an offset; waits up to `block_s` for the first one.

        A hole before them is not told: whoever may have fallen behind asks `require`.
        """
        return (await self.follow_with(after, block_s=block_s))[0]

    async def follow_with(
        self, after: str, *commands: Sequence[Any], block_s: float = BLOCK_S
    ) -> tuple[list[News], list[Any]]:
        """As `follow`, with the answers to commands that Redis runs when the wait is over.

        All in one trip: what a blocked client sends is held back.
        """
        block_ms = max(1, int(block_s * 1000))
        with redis_errors():
            if self._reader is None:
                found = await self.redis.xread({keys.EVENTS: after}, count=BATCH, block=block_ms)
                answers = await self._pipe.calls(*commands) if commands else []
                return [_news(entry) for entry in found[0][1]] if found else [], answers
            read = ("XREAD", "COUNT", BATCH, "BLOCK", block_ms, "STREAMS", keys.EVENTS, after)
            found, *answers = await self._read(self._reader, read, *commands)
        told = cast(list[tuple[bytes, list[bytes]]], found[0][1]) if found else []
        return [_news((offset, dict(zip(row[::2], row[1::2], strict=True)))) for offset, row in told], answers

    async def _read(self, reader: Pipe, *commands: Sequence[Any]) -> list[Any]:
        try:
            return await reader.calls(*commands)
        except asyncio.CancelledError:
            # The next read must not wait behind this one.
            reader.close()
            raise

    async def between(self, after: str, until: str) -> list[News]:
        """Every event after `after`, up to and including `until`. Raises Gap when some were trimmed meanwhile."""
        await self.require(after)
        events: list[News] = []
        reached = after
        while order(reached) < order(until):
            with redis_errors():
                rows = await self.redis.xrange(keys.EVENTS, min=f"({reached}", max=until, count=BATCH)
            events += [_news(row) for row in rows]
            if len(rows) < BATCH:
                break
            reached = events[-1].offset
        # The stream may have been trimmed from under several reads.
        if len(events) > BATCH:
            await self.require(after)
        return events

    async def require(self, after: str) -> None:
        """Raises Gap when events after `after` are no longer all there; START stands for all that is retained."""
        if after == START:
            return
        with redis_errors():
            oldest = await self.redis.xrange(keys.EVENTS, count=1)
        if not oldest or order(oldest[0][0].decode()) > order(after):
            raise Gap(f"events after {after} are no longer all there")


def _news(entry: tuple[bytes, dict[bytes, bytes]]) -> News:
    offset, fields = entry
    if session_changes.OWNER in fields:
        return session_changes.read(offset.decode(), fields)
    value: dict[str, Any] = {name.decode(): raw.decode() for name, raw in fields.items()}
    return Event(
        offset=offset.decode(),
        job=value["j"],
        tenant=intern(value["t"]),
        state=cast(State, intern(value["st"])),
        at_ms=int(float(value["at"])),
        session=value["s"] or None,
        client_id=value["c"] or None,
    )
