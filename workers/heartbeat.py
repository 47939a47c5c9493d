"""Tells the fleet, every BEAT_S, that this worker lives and what it does."""

import asyncio
import logging
import os
import socket
from collections.abc import Mapping
from pathlib import Path

from shared.clock import now_iso
from shared.errors import Unavailable
from shared.fleet import BEAT_S, Fleet, HeldModel, WorkerInfo
from shared.lanes import urgency_of
from workers.batches import joined
from workers.parts import Parts
from workers.sizing import Sizing
from workers.worker import Worker

logger = logging.getLogger(__name__)


class Heartbeat:
    """The beats of one worker."""

    def __init__(self, worker: Worker, parts: Parts, sizings: Mapping[str, Sizing] | None = None) -> None:
        self.worker = worker
        self.parts = parts
        self.sizings = sizings or {}
        self.fleet = Fleet(parts.redis)
        self.started_at = now_iso()

    async def run(self) -> None:
        """Beat until cancelled; a Redis that is away is told once and waited for."""
        away = False
        while True:
            try:
                if await self.fleet.beat(self.info()):
                    self.worker.drain_asked.set()
                away = False
            except Unavailable as error:
                if not away:
                    logger.warning("no heartbeat: %s", error)
                away = True
            await asyncio.sleep(BEAT_S)

    async def leave(self) -> None:
        try:
            await self.fleet.leave(self.worker.worker_id)
        except Unavailable:
            logger.warning("left without saying so: Redis does not answer")

    def info(self) -> WorkerInfo:
        worker, models = self.worker, [self._held(one) for one in self.parts.models.values()]
        stats, first = joined([one.batcher.stats() for one in self.parts.models.values()]), models[0]
        return WorkerInfo(
            id=worker.worker_id,
            host=socket.gethostname(),
            pid=os.getpid(),
            state="running" if worker.allow_pick_jobs else "draining",
            device=self.parts.encoder.info.device,
            model=first.model,
            fingerprint=first.fingerprint,
            dim=first.dim,
            precision=first.precision,
            store=self.parts.settings.store.partition("@")[2] or self.parts.settings.store,
            started_at=self.started_at,
            last_seen_at=now_iso(),
            max_jobs=sum(jobs for lane, jobs in worker.places.items() if urgency_of(lane) == "interactive"),
            running=len(worker.running),
            succeeded=worker.jobs_complete,
            failed=worker.jobs_failed,
            retried=worker.jobs_retried,
            batches=stats.batches,
            items=stats.items,
            largest_batch=stats.largest,
            busy_s=round(stats.busy_s, 3),
            waiting=stats.queued,
            halved_batches=stats.halved,
            memory_bytes=_resident_bytes(),
            device_memory_bytes=self.parts.encoder.memory_bytes().get("reserved", 0),
            batch_sizes=stats.sizes,
            cache_hits=stats.shared + sum(one.texts.hits for one in self.parts.models.values()),
            cache_misses=stats.texts - stats.shared,
            max_batch=first.max_batch,
            max_batch_tokens=first.max_batch_tokens,
            max_batch_images=first.max_batch_images,
            texts_s=first.texts_s,
            text_batch_ms=first.text_batch_ms,
            images_s=first.images_s,
            image_batch_ms=first.image_batch_ms,
            models=models,
        )

    def _held(self, parts: Parts) -> HeldModel:
        """A model, and what the device was found to do with it."""
        info, budget, found = parts.encoder.info, parts.batcher.budget, self.sizings.get(parts.model_name)
        text, image = (found.text, found.image) if found is not None else (None, None)
        return HeldModel(
            name=parts.model_name,
            model=info.model,
            fingerprint=info.fingerprint,
            dim=info.dim,
            precision=info.precision,
            max_batch=budget.texts,
            max_batch_tokens=budget.tokens,
            max_batch_images=budget.images,
            texts_s=round(text.items_s, 1) if text else 0.0,
            text_batch_ms=round(text.took_s * 1000, 1) if text else 0.0,
            images_s=round(image.items_s, 1) if image else 0.0,
            image_batch_ms=round(image.took_s * 1000, 1) if image else 0.0,
        )


def _resident_bytes() -> int:
    """Resident memory of this process: the second number of /proc/self/statm, in pages."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
