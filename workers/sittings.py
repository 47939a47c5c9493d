"""What a search knows of its session, and what the session keeps of the search."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
from arq.connections import ArqRedis

from shared import history, keys, packed_sets, scripts
from shared.connection import redis_errors
from shared.errors import NothingToContinue, SessionNotFound
from shared.filters import Scalar
from shared.jobs import MAIN_SLOT, GroupKey, Search
from shared.packed_sets import Fields, pack_groups, pack_ids
from shared.pipe import Pipe, Script
from shared.settings import Settings

Ids = npt.NDArray[np.uint64]

# So few ids are sorted sooner without numpy.
FEW_IDS = 64
ENTRY = np.dtype([("id", "<u8"), ("by", "u1")])


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """A search as it can go on without its encoder: what was asked, the unit vector (float32, little endian) that came
    of it (`later`: those of the further steps), from which model, the items that it names, whether a text was cut, the
    vectors that are to be compared, and its relevance line.
    """

    search: Search
    vector: bytes
    model: str
    later: list[bytes] = msgspec.field(default_factory=list)
    named: list[int]
    truncated: bool = False
    positive: list[bytes] = msgspec.field(default_factory=list)
    negative: list[bytes] = msgspec.field(default_factory=list)
    line: float | None = None


class Sitting(msgspec.Struct, frozen=True, kw_only=True):
    """A session's sets in one collection; `last` and what it has shown are there when the search goes on with it."""

    seen: Ids = msgspec.field(default_factory=lambda: np.empty(0, np.uint64))
    exclude: Ids = msgspec.field(default_factory=lambda: np.empty(0, np.uint64))
    exclude_groups: list[GroupKey] = msgspec.field(default_factory=list)
    positive: list[int] = msgspec.field(default_factory=list)
    negative: list[int] = msgspec.field(default_factory=list)
    last: Asked | None = None
    shown: Ids = msgspec.field(default_factory=lambda: np.empty(0, np.uint64))
    shown_groups: list[Scalar] = msgspec.field(default_factory=list)

    def excluded(self, more: Sequence[int]) -> list[int]:
        """Every id that must not come back, in order, each once; `np.unique` takes three times as long."""
        if not (len(self.seen) or len(self.exclude) or len(self.shown)) and len(more) <= FEW_IDS:
            return sorted(set(more))
        ids = np.sort(np.concatenate((self.seen, self.exclude, self.shown, np.asarray(more, dtype=np.uint64))))
        found: list[int] = ids[np.diff(ids, prepend=ids[:1] + np.uint64(1)) != 0].tolist()
        return found


NONE = Sitting()


class Sittings:
    """Reads before a search, in one round trip, and writes after it, in another."""

    def __init__(self, redis: ArqRedis, settings: Settings) -> None:
        pipe = Pipe(redis)
        self._recall = Script(pipe, scripts.source("recall", settings))
        self._shown = Script(pipe, scripts.source("shown", settings))
        self._most = settings.max_excluded_ids

    async def recall(self, tenant: str, search: Search, *, job_id: str) -> Sitting:
        """Raises SessionNotFound, NothingToContinue, QueueAway."""
        search.require_session()
        if search.session is None:
            return NONE
        args = [tenant, search.session, search.collection, search.slot or MAIN_SLOT, job_id]
        with redis_errors():
            found = await self._recall(keys=[keys.session(tenant, search.session)], args=args)
        if not found:
            raise SessionNotFound(f"no session {search.session!r}")
        fields, last = (packed_sets.fields_of(part) for part in found)
        sitting = _sets(fields)
        return self._continued(sitting, search, last) if search.next else sitting

    def _continued(self, sitting: Sitting, search: Search, last: Fields) -> Sitting:
        if last.get(b"collection") != search.collection.encode():
            raise NothingToContinue(f"the slot {search.slot!r} has no query in {search.collection!r}", field="next")
        if int(last[b"n"]) >= self._most:
            raise NothingToContinue(f"the query has shown {self._most:,} items; ask it anew", field="next")
        return msgspec.structs.replace(
            sitting,
            last=msgspec.msgpack.decode(last[b"query"], type=Asked),
            shown=_ids(b"".join(text for name, text in last.items() if name[:1] == b"i")),
            shown_groups=_groups(b"".join(text for name, text in last.items() if name[:1] == b"g")),
        )

    async def keep(
        self,
        tenant: str,
        search: Search,
        *,
        job_id: str,
        asked: Asked | None,
        shown: Sequence[int],
        groups: Sequence[GroupKey],
        remember: bool,
        entry: bytes = b"",
    ) -> None:
        """The page that a search found, and, of one that begins, what was asked, with its entry in the history.

        Raises QueueAway.
        """
        if search.session is None:
            return
        args: list[Any] = [
            tenant,
            search.session,
            search.collection,
            search.slot or MAIN_SLOT,
            job_id,
            "1" if search.slot else "0",
            msgspec.msgpack.encode(asked) if asked is not None else b"",
            pack_ids(shown),
            pack_groups(groups),
            "1" if remember else "0",
            entry,
            history.words(search),
        ]
        with redis_errors():
            await self._shown(keys=[keys.session(tenant, search.session)], args=args)


def _sets(fields: Fields) -> Sitting:
    return Sitting(
        seen=_ids(packed_sets.buckets(fields, "seen")),
        exclude=_ids(packed_sets.buckets(fields, "exclude")),
        exclude_groups=[group for group, _ in packed_sets.groups(fields)],
        positive=_ids(packed_sets.buckets(fields, "positive")).tolist(),
        negative=_ids(packed_sets.buckets(fields, "negative")).tolist(),
    )


def _ids(text: bytes) -> Ids:
    ids: Ids = np.frombuffer(text, dtype=ENTRY)["id"]
    return ids


def _groups(text: bytes) -> list[Scalar]:
    return [msgspec.json.decode(group, type=Scalar) for group in packed_sets.unpack_groups(text)]
