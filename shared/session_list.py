"""A tenant's sessions as they are listed."""

from collections.abc import Sequence
from typing import Any

import msgspec

from shared import packed_sets
from shared.clock import iso, now_ms

IN = b":in:"


class ListedSession(msgspec.Struct, frozen=True, kw_only=True):
    """A session: when it was made, when it ends if nobody uses it, and in which collections it holds something.

    Of a member's session `team` is the one that holds the marks, and `member` the name.
    """

    session: str
    created_at: str
    ends_at: str
    collections: list[str]
    team: str | None = None
    member: str | None = None


class SessionPage(msgspec.Struct, frozen=True, kw_only=True):
    """Sessions newest first; `next` is the cursor of the page after."""

    sessions: list[ListedSession]
    next: str | None = None


def collections_in(fields: packed_sets.Fields) -> list[str]:
    """In which collections a session holds something, by its hash."""
    return sorted(name[len(IN) :].decode() for name in fields if name.startswith(IN))


def page(place: bytes, rows: Sequence[Any]) -> SessionPage:
    """From what `list_sessions.lua` tells."""
    return SessionPage(sessions=[_listed(*row) for row in rows], next=place.decode() or None)


def _listed(session: bytes, left_ms: int, flat: list[bytes]) -> ListedSession:
    fields = packed_sets.fields_of(flat)
    return ListedSession(
        session=session.decode(),
        created_at=fields[b"created"].decode(),
        ends_at=iso(now_ms() + left_ms) or "",
        collections=collections_in(fields),
        team=fields[b"team"].decode() if b"team" in fields else None,
        member=fields[b"name"].decode() if b"name" in fields else None,
    )
