"""Tells the fleet, every BEAT_S, that this worker lives and what it does."""

import asyncio
import logging
import os
import socket
from pathlib import Path
from typing import Any

from shared.clock import now_iso
from shared.errors import Unavailable
from shared.fleet import BEAT_S, Fleet, WorkerInfo
from workers.parts import Parts
from workers.sizing import Sizing
from workers.worker import Worker

logger = logging.getLogger(__name__)


class Heartbeat:
    """The beats of one worker."""

    def __init__(self, worker: Worker, parts: Parts, sizing: Sizing | None = None) -> None:
        self.worker = worker
        self.parts = parts
        self.sizing = sizing
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
        worker, model, stats = self.worker, self.parts.encoder.info, self.parts.batcher.stats()
        return WorkerInfo(
            id=worker.worker_id,
            host=socket.gethostname(),
            pid=os.getpid(),
            state="running" if worker.allow_pick_jobs else "draining",
            device=model.device,
            model=model.model,
            fingerprint=model.fingerprint,
            dim=model.dim,
            precision=model.precision,
            store=self.parts.settings.store.partition("@")[2] or self.parts.settings.store,
            started_at=self.started_at,
            last_seen_at=now_iso(),
            max_jobs=worker.settings.places,
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
            cache_hits=stats.shared + self.parts.texts.hits,
            cache_misses=stats.texts - stats.shared,
            **self._capacity(),
        )

    def _capacity(self) -> dict[str, Any]:
        """What the device was found to do."""
        budget, found = self.parts.batcher.budget, self.sizing
        text, image = (found.text, found.image) if found is not None else (None, None)
        return {
            "max_batch": budget.texts,
            "max_batch_tokens": budget.tokens,
            "max_batch_images": budget.images,
            "texts_s": round(text.items_s, 1) if text else 0.0,
            "text_batch_ms": round(text.took_s * 1000, 1) if text else 0.0,
            "images_s": round(image.items_s, 1) if image else 0.0,
            "image_batch_ms": round(image.took_s * 1000, 1) if image else 0.0,
        }


def _resident_bytes() -> int:
    """Resident memory of this process: the second number of /proc/self/statm, in pages."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
