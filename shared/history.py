"""What a session asked: its queries, newest first, with what a link needs to ask them again."""

from hashlib import blake2b
from typing import Any

import msgspec
from msgspec.structs import replace as replaced

from shared.clock import iso
from shared.jobs import Query, Search

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
    return msgspec.msgpack.encode(replaced(entry, search={"collection": search.collection}))


def words(search: Search) -> bytes:
    """What is typed, behind a digest of what else is asked: of two searches of which the words alone
    differ, and go on, those of the one begin with those of the other."""
    queries = [search.query, *(step.query for step in search.then)]
    then = [replaced(step, query=_wordless(step.query)) for step in search.then]
    rest = replaced(search, query=_wordless(search.query), then=then)
    asked = [getattr(rest, name) for name in KEPT]
    # Of a picture its size tells enough, and costs nothing.
    sizes = [len(query.image or b"") for query in queries]
    digest = blake2b(msgspec.msgpack.encode([asked, sizes]), digest_size=8)
    return digest.hexdigest().encode() + "\n".join(query.text or "" for query in queries).encode()


def _wordless(query: Query) -> Query:
    return replaced(query, image=None, text=None if query.text is None else "…")


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
