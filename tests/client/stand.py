"""A whole stack for clients in other languages: `python -m tests.client.stand`.

Prints one line of JSON when all of it runs: `{"url", "keyed_url", "key"}`, where `keyed_url` wants the key and lets a
tenant submit one job a second. Then it obeys lines: `open` and `shut` the gate at which searches for "wait …" stand,
`kill` and `start` the API, and answers each with a line that says the same. The end of its input ends it.
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec

from shared import tenants
from shared.settings import Settings
from shared.tenants import DEFAULT_TENANT
from tests.api.conftest import make_collection
from tests.api.stand_in import StandIn, working
from tests.client.processes import ApiProcess
from tests.redis_server import RedisServer

COLLECTION = "pictograms"


async def main() -> None:
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="clipline-stand-")))
        redis = stack.enter_context(RedisServer())
        settings = Settings(redis_url=redis.url, data_dir=str(folder / "data"))
        worker = await stack.enter_async_context(working(settings))
        await make_collection(settings, DEFAULT_TENANT, COLLECTION)
        keys_file = folder / "keys.toml"
        key = tenants.add(keys_file, tenant=DEFAULT_TENANT, role="operator")
        limited = msgspec.structs.replace(settings, keys_file=str(keys_file), tenant_rate=1.0, tenant_burst=1)
        api = await asyncio.to_thread(stack.enter_context, ApiProcess(settings))
        keyed = await asyncio.to_thread(stack.enter_context, ApiProcess(limited))
        say({"url": api.url, "keyed_url": keyed.url, "key": key})
        await obey(commands(worker, api))


def commands(worker: StandIn, api: ApiProcess) -> dict[str, Callable[[], Awaitable[None]]]:
    async def open_gate() -> None:
        worker.gate.set()

    async def shut_gate() -> None:
        worker.gate.clear()

    return {
        "open": open_gate,
        "shut": shut_gate,
        "kill": lambda: asyncio.to_thread(api.kill),
        "start": lambda: asyncio.to_thread(api.start),
    }


async def obey(known: dict[str, Callable[[], Awaitable[None]]]) -> None:
    while line := await asyncio.to_thread(sys.stdin.readline):
        await known[line.strip()]()
        say(line.strip())


def say(value: object) -> None:
    os.write(sys.stdout.fileno(), msgspec.json.encode(value) + b"\n")


if __name__ == "__main__":
    asyncio.run(main())
