"""Sessions: the name under which one searcher's jobs and pushes belong together."""

import secrets
from collections.abc import Sequence

from arq.connections import ArqRedis

from shared import keys
from shared.clock import now_iso
from shared.connection import redis_errors
from shared.errors import SessionNotFound
from shared.pipe import Pipe
from shared.settings import Settings


class Sessions:
    """Creates and finds sessions; one that is not used for `session_ttl_s` is gone."""

    def __init__(self, redis: ArqRedis, settings: Settings) -> None:
        self._pipe = Pipe(redis)
        self.ttl_s = int(settings.session_ttl_s)

    async def create(self, tenant: str) -> str:
        session_id = secrets.token_urlsafe(16)
        with redis_errors():
            # Value and life in one command, so that no session lives for ever.
            await self._pipe.call("SET", keys.session(tenant, session_id), now_iso(), "EX", self.ttl_s)
        return session_id

    async def touch(self, tenant: str, session_id: str) -> bool:
        """Whether the session exists; if so its life starts anew."""
        with redis_errors():
            return bool(await self._pipe.call("EXPIRE", keys.session(tenant, session_id), self.ttl_s))

    async def renew(self, sessions: Sequence[tuple[str, str]]) -> None:
        """The same for many, each a tenant and a session, in one round trip."""
        with redis_errors():
            await self._pipe.calls(*(("EXPIRE", keys.session(*one), self.ttl_s) for one in sessions))

    async def require(self, tenant: str, session_id: str) -> None:
        """Raises SessionNotFound, also for another tenant's session."""
        if not await self.touch(tenant, session_id):
            raise SessionNotFound(f"no session {session_id!r}")
