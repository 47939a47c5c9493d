"""A device in parts, each a real encoder behind a gate of its own."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from tests.workers.fleet import eventually
from tests.workers.wrapped import Wrapped
from workers.batcher import Batcher
from workers.batches import Budget
from workers.device_turns import DeviceTurns
from workers.encoders.protocol import Encoder, Matrix, Pixels, Tokens

WITHIN_S = 30.0


class Part(Wrapped):
    """`batches` are those that reached it: of what, how many, with how many threads."""

    def __init__(self, encoder: Encoder, one_at_a_time: threading.Lock) -> None:
        super().__init__(encoder)
        self._one_at_a_time = one_at_a_time
        self.gate = threading.Event()
        self.threads = 0
        self.breaks: Exception | None = None
        self.works = False
        self.batches: list[tuple[str, int, int]] = []

    def encode_texts(self, tokens: Sequence[Tokens]) -> Matrix:
        self._pass("text", len(tokens))
        with self._one_at_a_time:
            return self._ended(self._encoder.encode_texts(tokens))

    def encode_images(self, images: Sequence[Pixels]) -> Matrix:
        self._pass("image", len(images))
        with self._one_at_a_time:
            return self._ended(self._encoder.encode_images(images))

    def _pass(self, kind: str, count: int) -> None:
        self.works = True
        self.batches.append((kind, count, self.threads))
        assert self.gate.wait(WITHIN_S)
        if self.breaks is not None:
            self.works = False
            raise self.breaks

    def _ended(self, found: Matrix) -> Matrix:
        self.works = False
        return found


class InParts(Wrapped):
    """Together it is the real encoder, and as such counts its batches."""

    def __init__(self, encoder: Encoder, count: int) -> None:
        super().__init__(encoder)
        one_at_a_time = threading.Lock()
        self.replicas = [Part(encoder, one_at_a_time) for _ in range(count)]

    def open(self) -> None:
        for part in self.replicas:
            part.gate.set()

    def working(self) -> list[Part]:
        return [part for part in self.replicas if part.works]

    async def occupied(self, count: int) -> list[Part]:
        """Those that work, when so many do."""
        await eventually(lambda: len(self.working()) == count)
        return self.working()


@asynccontextmanager
async def in_parts(
    encoder: Encoder, count: int, *, turns: DeviceTurns | None = None, **given: Any
) -> AsyncIterator[tuple[Batcher, InParts]]:
    """Their gates are shut."""
    device = InParts(encoder, count)
    budget = Budget(texts=64, images=64, tokens=10_000)
    batcher = Batcher(device, budget=budget, max_queued=1_000, turns=turns, **given)
    try:
        async with asyncio.timeout(WITHIN_S):
            yield batcher, device
    finally:
        device.open()
        await asyncio.to_thread(batcher.close)
