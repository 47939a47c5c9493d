"""Follows the event stream for the statistics and the ledger's index, in one API process for all.

Nothing of it is done where jobs are submitted, claimed or finished. The events are read in batches, the counts and the
place in the stream change together, and the accountant rests twice as long as it worked: under a load that it cannot
follow it falls behind, and says so, rather than slow the queue down.
"""

import asyncio
import logging
import secrets
from time import monotonic

import msgspec
from arq.connections import ArqRedis

from api.index import Index
from api.sampling import Sampler
from api.tally import FIELDS, Happening, Tally, state_of
from shared import keys, scripts
from shared.account import Account, account_of
from shared.connection import redis_errors
from shared.errors import Unavailable
from shared.events import START, order
from shared.pipe import Pipe
from shared.settings import Settings
from shared.turns import spread

logger = logging.getLogger(__name__)

BATCH = 64
# A tenth of a millisecond each.
COUNTED_AT_ONCE = 8
EVERY_S = 1.0
SAMPLE_S = 10.0
# Whoever counts says so again each turn; another process takes over when it is silent for so long.
ELECTED_MS = 10_000

StreamRow = tuple[bytes, dict[bytes, bytes]]


class _Read(msgspec.Struct, kw_only=True):
    """A look at the stream; `at_ms` is Redis' time just before it."""

    at_ms: int
    length: int
    oldest: str | None
    rows: list[StreamRow]


class Accountant:
    """One turn after the other; `turn` alone is enough for a test."""

    def __init__(self, redis: ArqRedis, settings: Settings, sampler: Sampler) -> None:
        self.redis = redis
        self.settings = settings
        self.sampler = sampler
        self.name = secrets.token_hex(8)
        self._pipe = Pipe(redis)
        self._apply = redis.register_script(scripts.alone("account"))
        self.index = Index(redis, settings)
        self._sampled_at: float | None = None

    async def run(self) -> None:
        """Until cancelled; quietly while Redis is away."""
        while True:
            rest_s = EVERY_S
            began = monotonic()
            try:
                if await self.elected() and await self.turn() >= BATCH:
                    rest_s = 2 * (monotonic() - began)
            except Unavailable as error:
                logger.debug("nothing is counted: %s", error)
            except Exception:
                logger.exception("counting failed")
            await asyncio.sleep(rest_s)

    async def elected(self) -> bool:
        """Whether this process counts, for the next seconds. Raises QueueAway."""
        lock = keys.upkeep("account")
        with redis_errors():
            if await self.redis.set(lock, self.name, nx=True, px=ELECTED_MS):
                return True
            if await self.redis.get(lock) != self.name.encode():
                return False
            await self.redis.pexpire(lock, ELECTED_MS)
        return True

    async def turn(self) -> int:
        """Count one batch; how many events it had. Raises QueueAway."""
        account = await account_of(self.redis)
        read = await self._read(account.offset or START)
        if self._has_gap(account, read):
            account, read = await self._over_the_gap(account, read)
        sampling = self._sampled_at is None or monotonic() - self._sampled_at >= SAMPLE_S
        if not read.rows and not sampling:
            return 0
        tally = Tally()
        async for happening in spread(await self._happenings(read.rows), at_once=COUNTED_AT_ONCE):
            tally.add(happening)
        await self.index.add(tally, read.at_ms)
        await self._write(account, read, tally, sampling=sampling)
        return len(read.rows)

    async def _read(self, offset: str) -> _Read:
        with redis_errors():
            async with self.redis.pipeline(transaction=True) as pipe:
                # One moment: what the batch does not have was not there at that time.
                pipe.time()
                pipe.xlen(keys.EVENTS)
                pipe.xrange(keys.EVENTS, count=1)
                pipe.xrange(keys.EVENTS, min=f"({offset}", count=BATCH)
                (seconds, micros), length, first, rows = await pipe.execute()
        oldest = first[0][0].decode() if first else None
        return _Read(at_ms=seconds * 1000 + micros // 1000, length=length, oldest=oldest, rows=rows)

    def _has_gap(self, account: Account, read: _Read) -> bool:
        """Whether events after our place were trimmed before they were read.

        A stream is cut by length, which leaves it full, or by age, which is longer than anybody is silent.
        """
        if read.oldest is None or order(read.oldest) <= order(account.offset or START):
            return False
        old = account.until_ms < read.at_ms - int(self.settings.session_ttl_s * 1000)
        return not account.offset or old or read.length >= self.settings.keep_events

    async def _over_the_gap(self, account: Account, read: _Read) -> tuple[Account, _Read]:
        """Go on with the oldest event that there is; older jobs are found by looking at each."""
        lost = account.lost + 1 if account.offset else 0
        if lost:
            logger.warning("events went before they were counted: the statistics have a gap")
        ms, _ = order(read.oldest or START)
        again = await self._read(f"{ms - 1}-{2**63}")
        since_ms = _at_ms(again.rows[0]) + 1 if again.rows else again.at_ms
        return Account(offset=account.offset, since_ms=since_ms, until_ms=since_ms, lost=lost), again

    async def _happenings(self, rows: list[StreamRow]) -> list[Happening]:
        """Of all jobs' events but starts, which change no count; the end of a job tells where it ran."""
        rows = [row for row in rows if row[1].get(b"st", b"running") != b"running"]
        with redis_errors():
            records = await self._pipe.calls(
                *(("HMGET", keys.record(fields[b"j"].decode()), *FIELDS) for _, fields in rows)
            )
        return [_happening(row, record) for row, record in zip(rows, records, strict=True)]

    async def _write(self, account: Account, read: _Read, tally: Tally, *, sampling: bool) -> None:
        sums, highs = await self.sampler.look(read.at_ms) if sampling else ([], [])
        fields = {
            "offset": read.rows[-1][0].decode() if read.rows else account.offset or START,
            "since_ms": account.since_ms or read.at_ms,
            "until_ms": read.at_ms if len(read.rows) < BATCH else _at_ms(read.rows[-1]),
            "lost": account.lost,
        }
        args = [msgspec.msgpack.encode(part) for part in (fields, sums + tally.sums, highs)]
        with redis_errors():
            done = await self._apply(keys=[keys.ACCOUNT], args=[account.offset, *args])
        if done and sampling:
            self._sampled_at = monotonic()


def _at_ms(row: StreamRow) -> int:
    return int(float(row[1][b"at"]))


def _happening(row: StreamRow, values: list[bytes | None]) -> Happening:
    record = {name: value for name, value in zip(FIELDS, values, strict=True) if value is not None}
    event = row[1]
    return Happening(event[b"j"].decode(), event[b"t"].decode(), state_of(event[b"st"]), _at_ms(row), record)
