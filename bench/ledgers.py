"""Fills a ledger as queue, workers and accountant would have, in seconds instead of hours."""

import random
from collections.abc import Iterator, Sequence

import msgspec
from arq.connections import ArqRedis

from api.tally import Happening, Tally
from shared import keys
from shared.clock import now_ms
from shared.errors import BadPicture
from shared.jobs import State, Took

CHUNK = 5_000
WORDS = (
    *("red", "blue", "green", "happy", "sad", "cat", "dog", "bird", "tree", "house"),
    *("car", "moon", "coffee", "robot", "fruit", "flag", "boat", "cloud", "king", "owl"),
)
# Of a hundred jobs.
STATES: tuple[State, ...] = ("failed",) * 3 + ("cancelled",) * 2 + ("succeeded",) * 95
TENANT = "default"


def records(
    count: int, *, since_ms: int, tenants: Sequence[str] = (TENANT,), seed: int = 7
) -> Iterator[dict[str, bytes]]:
    """Jobs one after the other over the last day, the same ones for the same seed."""
    chance = random.Random(seed)
    problem = msgspec.msgpack.encode(BadPicture("cut off").problem())
    took = msgspec.msgpack.encode(Took(queue_ms=1.0, encode_ms=5.0, search_ms=2.0, total_ms=9.0))
    for number in range(count):
        created = since_ms + number * 86_400_000 // count
        state = chance.choice(STATES)
        fields: dict[str, str | int] = {
            "id": f"{chance.getrandbits(128):032x}",
            "tenant": chance.choice(tenants),
            "lane": "interactive",
            "kind": "search",
            "collection": chance.choice(("photos", "photos", "photos", "scans")),
            "text": " ".join(chance.choices(WORDS, k=3)) + (" unicorn" if number % 10_000 == 7 else ""),
            "worker": f"worker-{chance.randrange(8)}",
            "state": state,
            "created": created,
            "due": created,
            "started": created + 2,
            "finished": created + 2 + chance.randrange(5, 60),
            "attempts": 1,
        }
        row = {name: str(value).encode() for name, value in fields.items()}
        yield {**row, "timings": took} | ({"error": problem} if state == "failed" else {})


async def fill(redis: ArqRedis, count: int, *, tenants: Sequence[str] = (TENANT,)) -> None:
    """Records, the tenants' indexes, the index of terms and the counters: as after a day of `count` jobs."""
    at_ms = now_ms()
    chunk: list[dict[str, bytes]] = []
    for record in records(count, since_ms=at_ms - 86_400_000, tenants=tenants, seed=7 + len(tenants)):
        chunk.append(record)
        if len(chunk) == CHUNK:
            await _write(redis, chunk)
            chunk = []
    if chunk:
        await _write(redis, chunk)
    await redis.zadd(keys.TENANTS, dict.fromkeys(tenants, at_ms))
    await redis.hset(keys.ACCOUNT, mapping={"offset": "0-1", "since_ms": 1, "until_ms": at_ms})


async def _write(redis: ArqRedis, chunk: list[dict[str, bytes]]) -> None:
    tally = Tally()
    async with redis.pipeline(transaction=False) as pipe:
        for record in chunk:
            job_id, state, at_ms = record["id"].decode(), record["state"].decode(), int(record["finished"])
            tenant = record["tenant"].decode()
            pipe.hset(keys.record(job_id), mapping=record)
            pipe.zadd(keys.jobs(tenant), {job_id: int(record["created"])})
            pipe.zadd(f"{keys.jobs(tenant)}:{state}", {job_id: at_ms})
            tally.add(Happening(job_id, tenant, "queued", int(record["created"]), record))
            tally.add(Happening(job_id, tenant, state, at_ms, record))  # type: ignore[arg-type]
        for key, entries in tally.entries.items():
            pipe.zadd(key, entries)
        for tenant, members in tally.indexed.items():
            pipe.zadd(keys.indexed(tenant), members)
        for key, _, counts in tally.sums:
            for field, number in counts.items():
                pipe.hincrby(key, field, number)
        await pipe.execute()
