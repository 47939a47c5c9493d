"""The floor: LPUSH, BLPOP, LPUSH back and BLPOP, with no state kept at all; what Redis and the client library cost."""

import asyncio
import uuid

import redis.asyncio as redis
import uvloop

from bench.peers.protocol import (
    SLEEP_S,
    WorkerArguments,
    client_arguments,
    is_worker,
    ready,
    take_orders,
    worker_arguments,
)

QUEUE = "floor:queue"


class Floor:
    def __init__(self, url: str) -> None:
        self.redis = redis.from_url(url)

    async def round_trip(self) -> None:
        reply = f"floor:{uuid.uuid4().hex}"
        await self.redis.lpush(QUEUE, f"noop {reply}")
        await self.redis.blpop([reply], timeout=30)

    async def enqueue(self, name: str) -> None:
        await self.redis.lpush(QUEUE, f"{name} floor:done")


async def slot(client: "redis.Redis", arguments: WorkerArguments) -> None:
    while True:
        _, body = await client.brpop([QUEUE], timeout=0)
        name, _, reply = body.decode().partition(" ")
        if name == "sleep":
            await asyncio.sleep(SLEEP_S)
        arguments.counter.add()
        await client.lpush(reply, "done")


async def work() -> None:
    arguments = worker_arguments()
    client = redis.from_url(arguments.url)
    await client.ping()
    ready()
    await asyncio.gather(*(slot(client, arguments) for _ in range(arguments.slots)))


if __name__ == "__main__":
    uvloop.run(work() if is_worker() else take_orders(Floor(client_arguments()[0])))
