"""A model that a worker holds, with what encodes by it and what keeps its texts' vectors."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from arq.connections import ArqRedis

from shared.model_names import DEFAULT_MODEL
from shared.settings import PREFIX, Settings, SettingsError
from workers.batcher import Batcher
from workers.device_trouble import starting
from workers.device_turns import DeviceTurns
from workers.encoders.protocol import Encoder, replicas_of
from workers.ingest.gpu_prepare import GpuPreparer
from workers.ingest.gpu_start import start
from workers.metrics import Metrics
from workers.sizing import assumed, most_queued
from workers.text_vectors import TextVectors
from workers.vector_cache import VectorCache

Load = Callable[[Settings], Encoder]


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """`name` is the fleet's. Every model has batches of its own size, and what is known of a text is its own; `gpu`
    makes the inputs that it wants, where there is one."""

    name: str
    encoder: Encoder
    batcher: Batcher
    texts: TextVectors
    gpu: GpuPreparer | None


class Holding:
    """Loads models onto one device, which they share; what is opened closes with `stack`."""

    def __init__(self, settings: Settings, redis: ArqRedis, metrics: Metrics, stack: AsyncExitStack) -> None:
        self._settings, self._redis, self._metrics, self._stack = settings, redis, metrics, stack
        self._turns: DeviceTurns | None = None

    async def all(self, load: Load) -> list[Held]:
        """One after the other, in the order of the settings. Raises SettingsError for one that cannot be had."""
        return [await self._one(name, load) for name in self._settings.held_models]

    async def _one(self, name: str, load: Load) -> Held:
        settings = self._settings
        encoder = await asyncio.to_thread(_loaded, name, settings, load)
        # All models have as many replicas.
        self._turns = self._turns or DeviceTurns(max(1, len(replicas_of(encoder))))
        batcher = Batcher(
            encoder,
            budget=assumed(settings),
            max_queued=most_queued(settings.places, settings),
            bulk_batch_s=settings.bulk_batch_ms / 1000,
            tell=self._metrics.batched,
            turns=self._turns,
        )
        self._stack.push_async_callback(asyncio.to_thread, batcher.close)
        cache = VectorCache(self._redis, settings, encoder.info) if settings.cache_vectors else None
        texts = TextVectors(encoder, batcher, cache, most=settings.cache_vectors, count=self._metrics.spared)
        self._stack.push_async_callback(texts.close)
        gpu = await asyncio.to_thread(start, settings, encoder)
        if gpu is not None:
            self._stack.push_async_callback(asyncio.to_thread, gpu.close)
        return Held(name=name, encoder=encoder, batcher=batcher, texts=texts, gpu=gpu)


def _loaded(name: str, settings: Settings, load: Load) -> Encoder:
    try:
        with starting(name):
            return load(settings.of_model(name))
    except SettingsError as error:
        if name == DEFAULT_MODEL:
            raise
        # The loader names the variables of the default model.
        text = str(error).removeprefix(f"{PREFIX}MODEL=").removeprefix(f"{PREFIX}PRETRAINED=")
        raise SettingsError(f"{PREFIX}MODELS, {name}: {text}") from error
