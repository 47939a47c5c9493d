"""How the items of a collection come into the one that takes its place: encoded where that lacks their picture."""

import asyncio
import logging
from collections.abc import Sequence
from time import monotonic
from typing import Any

import msgspec

from shared.errors import BadPicture, NotVisible, Unavailable
from shared.jobs import Collection, Payload, Skipped
from workers.decoders import decoded
from workers.ingest.kept import kept_input
from workers.parts import Parts
from workers.stores.protocol import Point, StoredPoint
from workers.tasks.call import Call
from workers.tasks.names import INTERNAL, stored_name
from workers.tasks.payloads import same_json

logger = logging.getLogger(__name__)

AWAY_PAUSE_S = 1.0


class Tally(msgspec.Struct):
    """What happened so far."""

    encoded: int = 0
    from_copies: int = 0
    kept: int = 0
    unreadable: dict[int, Skipped] = msgspec.field(default_factory=dict)

    def add(self, page: "Page") -> None:
        self.encoded += len(page.encoded)
        self.from_copies += sum(page.encoded.values())
        self.kept += len(page.kept)


class Page(msgspec.Struct):
    """What happened to some items, by id: a page that is tried again, because the store was away, counts once.

    `encoded`: whether from our copy of the picture.
    """

    encoded: dict[int, bool] = msgspec.field(default_factory=dict)
    kept: set[int] = msgspec.field(default_factory=set)

    def forget(self, item_id: int) -> None:
        self.encoded.pop(item_id, None)
        self.kept.discard(item_id)


class Reencoding:
    """From one generation of a collection into another; `tally` is what happened so far."""

    def __init__(self, before: Collection, after: Collection, call: Call, parts: Parts) -> None:
        self._before, self._after, self._call, self._parts = before, after, call, parts
        self._old, self._new = stored_name(call.tenant, before), stored_name(call.tenant, after)
        self.tally = Tally()
        self._kept: dict[str, Any] = {
            "tenant": call.tenant,
            "collection": before.name,
            "settings": parts.settings,
            "preprocess": parts.encoder.preprocess,
        }

    async def bring(self, points: Sequence[StoredPoint]) -> None:
        """Make the new one hold these. After hours of work, a store that is away for a moment is waited for."""
        ends, page = monotonic() + self._parts.settings.ingest_retry_s, Page()
        while True:
            try:
                await self._bring_once(points, page)
            except Unavailable as error:
                if monotonic() > ends:
                    raise
                logger.info("reindex %s waits: %s", self._before.name, error.detail)
                await asyncio.sleep(AWAY_PAUSE_S)
            else:
                self.tally.add(page)
                return

    async def _bring_once(self, points: Sequence[StoredPoint], page: Page) -> None:
        """Encodes what the new one lacks or has with other content."""
        there = await self._parts.store.retrieve(self._new, [point.id for point in points])
        payloads: dict[int, Payload] = {}
        wanted: list[StoredPoint] = []
        for point in points:
            self.tally.unreadable.pop(point.id, None)
            known = there.get(point.id)
            if known is None or _shown(known) != _shown(point):
                wanted.append(point)
            elif not same_json(known.payload, point.payload):
                payloads[point.id] = point.payload
        if payloads:
            await self._parts.store.set_payloads(self._new, payloads)
        made = await asyncio.gather(*(self._encoded(point, page) for point in wanted))
        encoded = [point for point in made if point is not None]
        if encoded:
            await self._parts.store.upsert(self._new, encoded)

    async def _encoded(self, point: StoredPoint, page: Page) -> Point | None:
        page.forget(point.id)
        try:
            kept = await decoded(self._parts.indexing, kept_input, point, **self._kept)
        except (BadPicture, NotVisible) as error:
            return await self._unreadable(point, page, error)
        embedded = await self._parts.batcher.image(kept.pixels, lane="bulk")
        page.encoded[point.id] = kept.is_copy
        return Point(id=point.id, vector=embedded.vector.tobytes(), payload=point.payload)

    async def _unreadable(self, point: StoredPoint, page: Page, error: BadPicture | NotVisible) -> Point | None:
        """Of the same model its vector stays; of another one there is nothing to keep."""
        if self._before.model != self._after.model:
            source = str(point.payload.get(INTERNAL, {}).get("source", point.id))
            self.tally.unreadable[point.id] = Skipped(source=source, reason=error.detail, type=error.slug)
            return None
        found = await self._parts.store.retrieve(self._old, [point.id], vectors=True)
        page.kept.update(found)
        return next((Point(id=one.id, vector=one.vector or b"", payload=one.payload) for one in found.values()), None)


def _shown(point: StoredPoint) -> tuple[object, object]:
    """What the picture depends on: the file's content, and of a video the moment."""
    ours = point.payload.get(INTERNAL, {})
    return ours.get("hash"), point.payload.get("moment_s") if "video" in ours else None
