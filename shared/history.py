"""What a session asked: its queries, newest first, with what a link needs to ask them again."""

from typing import Any

import msgspec

from shared.clock import iso
from shared.jobs import Search

MOST = 200
# A query with more (thousands of examples, a filter of many values) is told without its parts.
MOST_BYTES = 16_384


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """As it is kept: `search` is what was asked, without what the session knows itself, in built-in types."""

    at_ms: int
    job: str
    slot: str | None
    search: dict[str, Any] | None
    picture: bool = False


class PastSearch(msgspec.Struct, frozen=True, kw_only=True):
    """A query of the session's. `search` can be sent again as it is; it is null when it was too large to be kept.

    `picture`: a picture was part of it, which is not kept.
    """

    at: str
    job: str
    collection: str
    by: str | None = None
    slot: str | None = None
    search: dict[str, Any] | None = None
    picture: bool = False


class SessionHistory(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first."""

    history: list[PastSearch]


KEPT = ("collection", "query", "then", "limit", "filter", "group_by", "group_size", "marks")


def packed(search: Search, *, job_id: str, at_ms: int, picture: bool) -> bytes:
    """An entry, as `scripts/shown.lua` keeps it."""
    told = msgspec.to_builtins(search)
    entry = Entry(
        at_ms=at_ms,
        job=job_id,
        slot=search.slot,
        search={name: told[name] for name in KEPT if name in told},
        picture=picture,
    )
    packed = msgspec.msgpack.encode(entry)
    if len(packed) <= MOST_BYTES:
        return packed
    return msgspec.msgpack.encode(msgspec.structs.replace(entry, search={"collection": search.collection}))


def read(row: bytes, names: dict[int, str]) -> PastSearch:
    """An entry, with the number of its member before it."""
    entry = msgspec.msgpack.decode(row[1:], type=Entry)
    search = entry.search or {}
    return PastSearch(
        at=iso(entry.at_ms) or "",
        job=entry.job,
        collection=str(search.get("collection")),
        by=names.get(row[0]),
        slot=entry.slot,
        search=search if "query" in search or "limit" in search else None,
        picture=entry.picture,
    )
