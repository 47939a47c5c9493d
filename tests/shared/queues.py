"""The queue under test: with other settings, and asked by many at once."""

import asyncio
from typing import Any

import msgspec
from arq.connections import ArqRedis

from shared.queue import Queue
from shared.settings import Settings


def narrow(redis: ArqRedis, settings: Settings, **more: Any) -> Queue:
    return Queue(redis, msgspec.structs.replace(settings, **more))


async def at_once(*calls: Any) -> list[Any]:
    return await asyncio.gather(*calls, return_exceptions=True)
