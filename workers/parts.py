"""What the tasks work with, opened together and closed together."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from arq.connections import ArqRedis

from shared.collections import Collections
from shared.rebuilds import Rebuilds
from shared.settings import Settings
from shared.tracing import Tracing, open_tracing
from workers.backgrounds import Backgrounds
from workers.batcher import Batcher
from workers.encoders.load import load_encoder
from workers.encoders.protocol import Encoder
from workers.executors import BoundedExecutor, decoding_executor, fitting_executor
from workers.ingest.thumbnails import Media
from workers.metrics import Metrics
from workers.sittings import Sittings
from workers.sizing import assumed
from workers.stages import Stages
from workers.stores.observed import ObservedStore
from workers.stores.open import open_store
from workers.stores.protocol import VectorStore
from workers.stores.searches import Searches
from workers.text_vectors import TextVectors
from workers.upkeep import Upkeep
from workers.vector_cache import VectorCache

# So many requests may wait for the device for each job that may run: an ingest job encodes a chunk at once.
QUEUED_PER_JOB = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Handed to every task."""

    settings: Settings
    redis: ArqRedis
    collections: Collections
    sittings: Sittings
    rebuilds: Rebuilds
    encoder: Encoder
    batcher: Batcher
    texts: TextVectors
    store: VectorStore
    searches: Searches
    media: Media
    decoding: BoundedExecutor
    fitting: BoundedExecutor
    backgrounds: Backgrounds
    upkeep: Upkeep
    metrics: Metrics
    tracing: Tracing
    stages: Stages


@asynccontextmanager
async def open_parts(
    settings: Settings, redis: ArqRedis, *, load: Callable[[Settings], Encoder] = load_encoder
) -> AsyncIterator[Parts]:
    """`load` the model and open the store. Raises SettingsError for a model or a store that cannot be had."""
    async with AsyncExitStack() as stack:
        metrics, tracing = Metrics(), open_tracing("clipline-worker", os.environ)
        stack.push_async_callback(asyncio.to_thread, tracing.close)
        encoder = await asyncio.to_thread(load, settings)
        batcher = Batcher(
            encoder,
            budget=assumed(settings),
            max_queued=QUEUED_PER_JOB * settings.places,
            bulk_batch_s=settings.bulk_batch_ms / 1000,
            tell=metrics.batched,
        )
        stack.push_async_callback(asyncio.to_thread, batcher.close)
        cache = VectorCache(redis, settings, encoder.info) if settings.cache_vectors else None
        texts = TextVectors(encoder, batcher, cache, most=settings.cache_vectors, count=metrics.spared)
        stack.push_async_callback(texts.close)
        store = ObservedStore(await open_store(settings), metrics, tracing)
        stack.push_async_callback(store.close)
        upkeep = Upkeep(store)
        stack.push_async_callback(upkeep.close)
        decoding = decoding_executor()
        stack.push_async_callback(asyncio.to_thread, decoding.close)
        fitting = fitting_executor()
        stack.push_async_callback(asyncio.to_thread, fitting.close)
        backgrounds = Backgrounds(store)
        stack.push_async_callback(backgrounds.close)
        yield Parts(
            settings=settings,
            redis=redis,
            collections=Collections(redis),
            sittings=Sittings(redis, settings),
            rebuilds=Rebuilds(redis),
            encoder=encoder,
            batcher=batcher,
            texts=texts,
            store=store,
            searches=Searches(store),
            media=Media(settings.media_path),
            decoding=decoding,
            fitting=fitting,
            backgrounds=backgrounds,
            upkeep=upkeep,
            metrics=metrics,
            tracing=tracing,
            stages=Stages(),
        )
