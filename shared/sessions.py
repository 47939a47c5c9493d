"""Sessions: the name under which one searcher's jobs and pushes belong together, with what the searcher has marked."""

import asyncio
import secrets
from collections.abc import Sequence

import msgspec
from arq.connections import ArqRedis

from shared import keys, scripts, session_list
from shared.clock import now_iso
from shared.connection import redis_errors
from shared.errors import NothingToContinue, SessionFull, SessionNotFound, TooManySessions
from shared.jobs import MAIN_SLOT, Search
from shared.marks import Seat
from shared.pipe import Pipe, Script
from shared.session_list import SessionPage
from shared.settings import Settings

# When to ask again for a session that there was no room for.
RETRY_S = 60
# So many are looked at for one page, some of which may have ended.
LOOKED_AT = 256


class Known(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a session: which one holds its marks, itself or its team's; and what a search must know at once,
    whether there are positive marks in its collection, and in which collection the last query of its slot was.
    """

    owner: str
    positive: int = 0
    last_collection: str | None = None


class Sessions:
    """Creates and finds sessions; one that is not used for `session_ttl_s` is gone, with all that it holds."""

    def __init__(self, redis: ArqRedis, settings: Settings) -> None:
        pipe = Pipe(redis)
        self._open = Script(pipe, scripts.source("open_session", settings))
        self._renew = Script(pipe, scripts.source("renew_session", settings))
        self._join = Script(pipe, scripts.source("join_session", settings))
        self._list = Script(pipe, scripts.source("list_sessions", settings))
        self._drop = Script(pipe, scripts.source("drop_session", settings))
        self.ttl_s = int(settings.session_ttl_s)
        self._most = settings.tenant_max_sessions

    async def create(self, tenant: str) -> str:
        """Raises TooManySessions."""
        session_id = secrets.token_urlsafe(16)
        with redis_errors():
            made = await self._open(keys=[keys.session(tenant, session_id)], args=[tenant, session_id, now_iso()])
        if not made:
            raise self._too_many()
        return session_id

    def _too_many(self) -> TooManySessions:
        # The remedy first: of a close frame's reason the end is cut off.
        detail = (
            f"{self._most:,} sessions are open: end one by DELETE /v1/sessions/ID, GET /v1/sessions lists them; "
            f"each ends by itself when it has not been used for {self.ttl_s:,} s"
        )
        return TooManySessions(detail, retry_after_s=RETRY_S)

    async def join(self, tenant: str, session_id: str, name: str) -> tuple[Seat, bool]:
        """A member's own session in a team, and whether it is new; a name that has one gets it again.

        Raises SessionNotFound, SessionFull, TooManySessions.
        """
        args = [tenant, session_id, name, secrets.token_urlsafe(16), now_iso()]
        with redis_errors():
            answer: list[bytes] = await self._join(keys=[keys.session(tenant, session_id)], args=args)
        match answer:
            case [b"missing"]:
                raise SessionNotFound(f"no session {session_id!r}")
            case [b"many"]:
                raise self._too_many()
            case [b"full"]:
                raise SessionFull("the team has as many members as it may", field="name")
            case [how, own, team]:
                return Seat(session=own.decode(), team=team.decode(), member=name), how == b"joined"
            case _:
                raise AssertionError(f"a script answered {answer}")

    async def recent(self, tenant: str, *, before: str | None = None, limit: int = 50) -> SessionPage:
        """A page of the tenant's sessions, newest first; `before` is an earlier page's `next`.

        It may have fewer than `limit`, or none, and still a `next`: what one page looks at is bounded.
        """
        args = [tenant, before or "", limit, LOOKED_AT]
        with redis_errors():
            place, rows = await self._list(keys=[keys.sessions_made(tenant)], args=args)
        return session_list.page(place, rows)

    async def drop(self, tenant: str, session_id: str) -> None:
        """End a session at once; with a team's session its members' own end too. Raises SessionNotFound."""
        with redis_errors():
            ended: int = await self._drop(keys=[keys.session(tenant, session_id)], args=[tenant, session_id])
        if not ended:
            raise SessionNotFound(f"no session {session_id!r}")

    async def touch(self, tenant: str, session_id: str) -> bool:
        """Whether the session exists; if so its life starts anew."""
        return await self.known(tenant, session_id) is not None

    async def known(
        self, tenant: str, session_id: str, *, collection: str = "", slot: str | None = None
    ) -> Known | None:
        """The same, and what a search in a collection and a slot must know."""
        args = [tenant, session_id, collection, slot or MAIN_SLOT]
        with redis_errors():
            found, *more = await self._renew(keys=[keys.session(tenant, session_id)], args=args)
        if not found:
            return None
        owner, positive, last = (*more, None, None)[:3]
        return Known(owner=owner.decode(), positive=positive or 0, last_collection=last.decode() if last else None)

    async def renew(self, sessions: Sequence[tuple[str, str]]) -> None:
        """The same for many, each a tenant and a session, in one round trip."""
        await asyncio.gather(*(self.touch(tenant, session_id) for tenant, session_id in sessions))

    async def require(self, tenant: str, session_id: str) -> None:
        """Raises SessionNotFound, also for another tenant's session."""
        if not await self.touch(tenant, session_id):
            raise SessionNotFound(f"no session {session_id!r}")

    async def require_for(self, tenant: str, search: Search) -> None:
        """Whether a search can rely on its session. Raises SessionNotFound, NothingToContinue, Invalid."""
        search.require_session()
        if search.session is None:
            search.require_parts(marked=False)
            return
        known = await self.known(tenant, search.session, collection=search.collection, slot=search.slot)
        if known is None:
            raise SessionNotFound(f"no session {search.session!r}")
        if search.next:
            _require_last(search, known)
        else:
            search.require_parts(marked=search.marks and known.positive > 0)


def _require_last(search: Search, known: Known) -> None:
    slot = search.slot or MAIN_SLOT
    if known.last_collection is None:
        raise NothingToContinue(f"the slot {slot!r} has no query that could go on", field="next")
    if known.last_collection != search.collection:
        raise NothingToContinue(
            f"the last query of the slot {slot!r} was in {known.last_collection!r}", field="collection"
        )
