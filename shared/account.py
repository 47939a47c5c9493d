"""How far the event stream was read for the statistics and the ledger's index."""

from typing import cast

import msgspec
from arq.connections import ArqRedis

from shared import keys
from shared.connection import redis_errors


class Account(msgspec.Struct, kw_only=True):
    """Jobs created from `since_ms` on and before `until_ms` are in the index; `lost` counts gaps in what was read."""

    offset: str = ""
    since_ms: int = 0
    until_ms: int = 0
    lost: int = 0

    def covers(self, created_ms: float) -> bool:
        return self.since_ms <= created_ms < self.until_ms


async def account_of(redis: ArqRedis) -> Account:
    """Raises QueueAway."""
    with redis_errors():
        found = cast(dict[bytes, bytes], await redis.hgetall(keys.ACCOUNT))
    return msgspec.convert({name.decode(): value.decode() for name, value in found.items()}, Account, strict=False)
