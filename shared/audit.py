"""Who did what to lanes, workers and many jobs at once; a bounded stream."""

from typing import Literal, cast

import msgspec
from arq.connections import ArqRedis

from shared import keys
from shared.clock import iso
from shared.connection import redis_errors
from shared.settings import Settings
from shared.tenants import Identity

Action = Literal["lane.pause", "lane.resume", "worker.drain", "jobs.cancel", "jobs.replay", "jobs.purge"]
# So many entries are looked at for one page, when most belong to other tenants.
SEARCHED = 2_000


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One act. `target` is a lane, a worker or a filter; `done` counts jobs."""

    id: str
    at: str
    action: Action
    target: str
    tenant: str
    role: str
    done: int = 0


class AuditPage(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first; `next` is the cursor of the page after."""

    entries: list[Entry]
    next: str | None = None


class Audit:
    """Writes and reads the trail of one Redis."""

    def __init__(self, redis: ArqRedis, settings: Settings) -> None:
        self.redis = redis
        self.most = settings.keep_audit

    async def record(self, who: Identity, action: Action, target: str, *, done: int = 0) -> None:
        """Raises QueueAway."""
        fields = {"action": action, "target": target, "tenant": who.tenant, "role": who.role, "done": done}
        with redis_errors():
            await self.redis.xadd(keys.AUDIT, cast(dict[str | bytes, str | int], fields), maxlen=self.most)

    async def recent(self, tenant: str, *, before: str | None = None, limit: int = 50) -> AuditPage:
        """What concerns everybody, and the tenant's own jobs."""
        found: list[Entry] = []
        cursor, looked = before, 0
        while looked < SEARCHED:
            with redis_errors():
                rows = await self.redis.xrevrange(keys.AUDIT, max=f"({cursor}" if cursor else "+", count=limit)
            for row in rows:
                entry = _entry(row)
                cursor = entry.id
                if entry.tenant == tenant or not entry.action.startswith("jobs."):
                    found.append(entry)
                if len(found) >= limit:
                    return AuditPage(entries=found, next=cursor)
            looked += len(rows)
            if len(rows) < limit:
                return AuditPage(entries=found)
        return AuditPage(entries=found, next=cursor)


def _entry(row: tuple[bytes, dict[bytes, bytes]]) -> Entry:
    entry_id, fields = row[0].decode(), {name.decode(): value.decode() for name, value in row[1].items()}
    return Entry(
        id=entry_id,
        at=iso(entry_id.partition("-")[0]) or "",
        action=cast(Action, fields["action"]),
        target=fields["target"],
        tenant=fields["tenant"],
        role=fields["role"],
        done=int(fields["done"]),
    )
