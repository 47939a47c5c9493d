"""The `reindex` job: encode what a collection holds with this worker's model, beside it, then switch.

Searches go on in the old vectors until one write into the registry names the new ones. What others ingest meanwhile is
remembered (`shared/rebuilds.py`) and copied before the switch. A killed worker's successor compares the two, item by
item, and encodes what is missing.
"""

import asyncio
import logging
from collections.abc import Sequence

import msgspec

from shared.errors import CollectionNotFound
from shared.jobs import Collection, Reindex, ReindexResult, Took
from workers.parts import Parts
from workers.sizing import QUEUED_PER_BULK_JOB
from workers.tasks.call import Call, Stopwatch
from workers.tasks.names import DRAFT, require_name, stored_name
from workers.tasks.reencoding import Reencoding

logger = logging.getLogger(__name__)

PAGE = QUEUED_PER_BULK_JOB
# Of the pictures that cannot be read, so many are named.
NAMED = 1_000
SWITCH_PAUSE_S = 0.05
CHASED_PAGES = 256
STILL_BUILDING_S = 30.0
# What the store keeps with a collection: the job that reindexed it.
MADE_BY = "made_by"


async def reindex(job: Reindex, call: Call, parts: Parts) -> ReindexResult:
    """Raises CollectionNotFound, OtherModel, ReindexRunning, StoreAway, EncoderAway."""
    before, watch = await parts.collections.get(call.tenant, job.collection), Stopwatch()
    require_name(job.model_name or before.model_name, before.name, parts)
    run = _Run(job, call, parts, before)
    # An attempt that was cut off may have got that far.
    switched = await run.has_switched()
    if not switched:
        await parts.rebuilds.begin(call.tenant, before.name, job=call.job_id)
        try:
            switched = await run.rebuild()
        finally:
            await parts.rebuilds.end(call.tenant, before.name, job=call.job_id)
    if switched:
        await run.clean_up()
    return await run.result(switched=switched, encode_ms=watch.lap_ms())


class _Run:
    """One attempt."""

    def __init__(self, job: Reindex, call: Call, parts: Parts, before: Collection) -> None:
        info = parts.encoder.info
        self.job, self.call, self.parts, self.before = job, call, parts, before
        self.after = msgspec.structs.replace(
            before,
            model=info.fingerprint,
            dim=info.dim,
            generation=before.generation + 1,
            model_name=parts.model_name,
        )
        self.old = stored_name(call.tenant, before)
        self.new = stored_name(call.tenant, self.after)
        self.items, self.done = Reencoding(before, self.after, call, parts), 0

    async def has_switched(self) -> bool:
        described = await self.parts.store.describe(self.old)
        return described.meta.get(MADE_BY) == self.call.job_id

    async def rebuild(self) -> bool:
        """Whether it switched: not when pictures cannot be read and nobody said that they may be left out."""
        resumed = await self._draft()
        while True:
            if resumed:
                await self._forget_gone()
            await self._compare()
            await self._optimize()
            match await self._close():
                case "switched":
                    return True
                case "kept":
                    return False
                case "lost":
                    # This worker was out of reach for a while, and changes may have been missed.
                    resumed = True
                    await self.parts.rebuilds.begin(self.call.tenant, self.before.name, job=self.call.job_id)

    async def _draft(self) -> bool:
        """Make the new one, or go on with what another attempt has left; true for the latter."""
        store, found = self.parts.store, None
        try:
            found = await store.describe(self.new)
        except CollectionNotFound:
            logger.info("reindex %s begins", self.before.name)
        made = msgspec.json.encode(self.after).decode()
        if found is not None and not self._same(found.meta):
            await store.drop(self.new)
            found = None
        if found is None:
            indexes = (await store.describe(self.old)).indexes
            meta = {"collection": made, DRAFT: "yes"}
            await store.create(self.new, dim=self.parts.encoder.info.dim, indexes=indexes, meta=meta)
        await store.set_meta(self.new, {MADE_BY: self.call.job_id})
        return found is not None

    def _same(self, meta: dict[str, str]) -> bool:
        made = msgspec.json.decode(meta["collection"], type=Collection)
        theirs, ours = ((one.model, one.model_name, one.created_at) for one in (made, self.after))
        return theirs == ours

    async def _forget_gone(self) -> None:
        """What the draft has of an earlier attempt and the collection no longer has."""
        last: int | None = None
        while page := await self.parts.store.scroll(self.new, after=last, limit=PAGE):
            last = page[-1].id
            there = await self.parts.store.retrieve(self.old, [point.id for point in page])
            if gone := [point.id for point in page if point.id not in there]:
                await self.parts.store.delete(self.new, gone)

    async def _compare(self) -> None:
        """Every item, page by page."""
        last, self.done = None, 0
        while page := await self.parts.store.scroll(self.old, after=last, limit=PAGE):
            last = page[-1].id
            await self.items.bring(page)
            self.done += len(page)
            self._tell()
            self.call.got_further()

    async def _optimize(self) -> None:
        """Before anybody searches in it. Of a large collection it takes long, and nothing tells how far it is."""
        building = asyncio.ensure_future(self.parts.store.optimize(self.new))
        try:
            while not building.done():
                await asyncio.wait([building], timeout=STILL_BUILDING_S)
                self.call.got_further()
            building.result()
        finally:
            building.cancel()

    def _tell(self) -> None:
        total = max(self.before.count, self.done)
        self.parts.stages.enter(self.call.job_id, "reindex", done=self.done, total=total)

    async def _close(self) -> str:
        """Copy what changed meanwhile and switch. "switched", "kept" (the old ones), or "lost" (compare again)."""
        rebuilds, tenant, name = self.parts.rebuilds, self.call.tenant, self.before.name
        while True:
            await self._chase()
            if self.items.tally.unreadable and not self.job.leave_out:
                return "kept"
            count = (await self.parts.store.describe(self.new)).count
            after = msgspec.structs.replace(self.after, count=count)
            match await rebuilds.switch(tenant, self.before, after, job=self.call.job_id):
                case "gone":
                    await self.parts.store.drop(self.new)
                    raise CollectionNotFound(f"{name!r} was dropped meanwhile", field="collection")
                case "writing":
                    await asyncio.sleep(SWITCH_PAUSE_S)
                case "changed":
                    continue
                case answer:
                    return answer

    async def _chase(self) -> None:
        """What was written since; who writes faster than this copies waits, once the switch has been tried."""
        for _ in range(CHASED_PAGES):
            changed = await self.parts.rebuilds.changed(self.call.tenant, self.before.name, at_most=PAGE)
            if not changed:
                return
            await self._bring_changed(changed)
            self.call.got_further()

    async def _bring_changed(self, ids: Sequence[int]) -> None:
        found = await self.parts.store.retrieve(self.old, ids)
        if gone := [one for one in ids if one not in found]:
            await self.parts.store.delete(self.new, gone)
        await self.items.bring(list(found.values()))

    async def clean_up(self) -> None:
        """The new one is in its place: the old ones go. An attempt after this one may do it again."""
        store, tenant, name = self.parts.store, self.call.tenant, self.before.name
        now = await self.parts.collections.get(tenant, name)
        await store.set_meta(stored_name(tenant, now), {DRAFT: ""})
        for generation in range(now.generation):
            await store.drop(stored_name(tenant, msgspec.structs.replace(now, generation=generation)))
        self.parts.upkeep.optimize(stored_name(tenant, now))

    async def result(self, *, switched: bool, encode_ms: float) -> ReindexResult:
        tally, now = self.items.tally, await self.parts.collections.get(self.call.tenant, self.before.name)
        logger.info("reindex %s ← %d encoded, %d unreadable", now.name, tally.encoded, len(tally.unreadable))
        return ReindexResult(
            collection=now.name,
            model=now.model or "",
            switched=switched,
            count=now.count,
            encoded=tally.encoded,
            from_copies=tally.from_copies,
            kept=tally.kept,
            unreadable=len(tally.unreadable),
            failed=list(tally.unreadable.values())[:NAMED],
            took=Took(queue_ms=self.call.queued_ms, encode_ms=encode_ms, total_ms=self.call.total_ms()),
        )
