"""Makes the first search as fast as the others: the model and the store are used once before any job is taken."""

import asyncio
import logging
from collections.abc import Mapping
from functools import partial

from shared.errors import StoreAway
from workers.device_trouble import starting
from workers.parts import Parts
from workers.sizing import Sizing, grey, measure, measured_as, most_queued, repeat, told
from workers.tasks.call import Stopwatch

logger = logging.getLogger(__name__)

STORE_PAUSE_S = 1.0


async def warm_up(parts: Parts, *, known: Mapping[str, Sizing]) -> dict[str, Sizing]:
    """Use every model and batches of every size once, settle how large they may be, and wait for the store.

    `known` was measured here before, and is not measured again. What was found, by the model's name. Raises
    DeviceFailed.
    """
    sizings = {name: await _warm_up(of_model, known) for name, of_model in parts.models.items()}
    await _wait_for_store(parts)
    return sizings


async def _warm_up(parts: Parts, known: Mapping[str, Sizing]) -> Sizing:
    before = known.get(measured_as(parts.encoder.info))
    work = measure if before is None else partial(repeat, sizing=before)
    watch = Stopwatch()
    with starting(parts.model_name):
        await asyncio.gather(parts.batcher.text("a picture"), parts.batcher.image(grey(parts.encoder)))
        sizing = await parts.batcher.on_device(partial(work, settings=parts.settings))
    parts.batcher.resize(sizing.budget, max_queued=most_queued(sizing.jobs, parts.settings))
    logger.info("warm after %.0f ms: %s on %s", watch.lap_ms(), parts.encoder.info.model, parts.encoder.info.device)
    logger.info(told(sizing))
    return sizing


async def _wait_for_store(parts: Parts) -> None:
    while True:
        try:
            await parts.store.ping()
        except StoreAway as error:
            logger.warning("waiting for the vector store: %s", error.detail)
            await asyncio.sleep(STORE_PAUSE_S)
        else:
            return
