"""What the tasks work with, opened together and closed together."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace

from arq.connections import ArqRedis

from shared.collections import Collections
from shared.rebuilds import Rebuilds
from shared.settings import Settings
from shared.tracing import Tracing, open_tracing
from workers.backgrounds import Backgrounds
from workers.batcher import Batcher
from workers.decoders import Decoders
from workers.encoders.load import load_encoder
from workers.encoders.protocol import Encoder
from workers.executors import BoundedExecutor, cpus_granted, decoding_executor, fitting_executor
from workers.held import Holding, Load
from workers.ingest.gpu_prepare import GpuPreparer
from workers.ingest.thumbnails import Media
from workers.metrics import Metrics
from workers.sittings import Sittings
from workers.stages import Stages
from workers.stores.observed import ObservedStore
from workers.stores.open import open_store
from workers.stores.protocol import VectorStore
from workers.stores.searches import Searches
from workers.text_vectors import TextVectors
from workers.upkeep import Upkeep


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Handed to every task. Of several `models`, each has parts of its own, which differ in what encodes."""

    settings: Settings
    redis: ArqRedis
    collections: Collections
    sittings: Sittings
    rebuilds: Rebuilds
    model_name: str
    encoder: Encoder
    batcher: Batcher
    texts: TextVectors
    gpu: GpuPreparer | None
    store: VectorStore
    searches: Searches
    media: Media
    decoding: BoundedExecutor
    indexing: Decoders
    fitting: BoundedExecutor
    backgrounds: Backgrounds
    upkeep: Upkeep
    metrics: Metrics
    tracing: Tracing
    stages: Stages
    models: dict[str, "Parts"]

    def of(self, name: str) -> "Parts":
        """Those of a model; these, where it is not held."""
        return self if name == self.model_name else self.models.get(name, self)


@asynccontextmanager
async def open_parts(settings: Settings, redis: ArqRedis, *, load: Load = load_encoder) -> AsyncIterator[Parts]:
    """`load` the models and open the store.

    Raises SettingsError for a model or a store that cannot be had, DeviceFailed for a device without room for a model.
    """
    async with AsyncExitStack() as stack:
        metrics, tracing = Metrics(), open_tracing("clipline-worker", os.environ)
        stack.push_async_callback(asyncio.to_thread, tracing.close)
        # Processes, of which the store's is one, take seconds to import what they need, as a model does to load.
        indexing = Decoders(settings.decoders or cpus_granted())
        stack.push_async_callback(indexing.close)
        store = ObservedStore(await open_store(settings), metrics, tracing)
        stack.push_async_callback(store.close)
        holding = await Holding(settings, redis, metrics, stack).all(load)
        upkeep = Upkeep(store)
        stack.push_async_callback(upkeep.close)
        decoding = decoding_executor()
        stack.push_async_callback(asyncio.to_thread, decoding.close)
        fitting = fitting_executor()
        stack.push_async_callback(asyncio.to_thread, fitting.close)
        backgrounds = Backgrounds(store)
        stack.push_async_callback(backgrounds.close)
        first = holding[0]
        parts = Parts(
            settings=settings,
            redis=redis,
            collections=Collections(redis),
            sittings=Sittings(redis, settings),
            rebuilds=Rebuilds(redis),
            model_name=first.name,
            encoder=first.encoder,
            batcher=first.batcher,
            texts=first.texts,
            gpu=first.gpu,
            store=store,
            searches=Searches(store),
            media=Media(settings.media_path),
            decoding=decoding,
            indexing=indexing,
            fitting=fitting,
            backgrounds=backgrounds,
            upkeep=upkeep,
            metrics=metrics,
            tracing=tracing,
            stages=Stages(),
            models={},
        )
        for held in holding:
            parts.models[held.name] = replace(
                parts,
                model_name=held.name,
                encoder=held.encoder,
                batcher=held.batcher,
                texts=held.texts,
                gpu=held.gpu,
            )
        yield parts
