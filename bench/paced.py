"""A worker whose device is simulated: it takes as long for a batch as it is told, and none of the machine's CPUs.

`python -m bench.paced` runs it as `python -m workers` runs one, with the pace from BENCH_PACE: milliseconds of every
batch, and of each text or picture in it.
"""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import uvloop

from shared.settings import Settings, from_env
from workers.__main__ import serve
from workers.encoders import models
from workers.encoders.protocol import EncoderInfo, Matrix, Pixels, Tokens
from workers.encoders.tokens import Texts

ROWS, DIM, SIDE = 4_096, 512, 224
PACE = "BENCH_PACE"


class Paced:
    """An encoder of texts that are alike where they share words; the tokenizer is the model's own."""

    def __init__(self, settings: Settings, *, batch_ms: float, each_ms: float) -> None:
        tokenizer: Any = models.tokenizer(models.resolve(settings))
        self._texts = Texts(tokenizer, context_length=tokenizer.context_length)
        self._batch_s, self._each_s = batch_ms / 1000, each_ms / 1000
        self._rows = np.random.default_rng(0).standard_normal((ROWS, DIM)).astype(np.float32)
        self.info = EncoderInfo(
            model="paced",
            fingerprint="paced",
            dim=DIM,
            image_size=(SIDE, SIDE),
            context_length=tokenizer.context_length,
            device="cpu",
            precision="fp32",
        )

    def tokenize(self, text: str) -> tuple[Tokens, bool]:
        return self._texts.tokenize(text)

    @property
    def preprocess(self) -> Callable[[Pixels], Pixels]:
        return _first_pixels

    def memory_bytes(self) -> dict[str, int]:
        return {}

    def encode_texts(self, tokens: Sequence[Tokens]) -> Matrix:
        ends = time.perf_counter() + self._batch_s + len(tokens) * self._each_s
        sums = np.stack([self._rows[np.unique(ids) % ROWS].sum(axis=0) for ids in tokens])
        return _until(ends, sums)

    def encode_images(self, images: Sequence[Pixels]) -> Matrix:
        ends = time.perf_counter() + self._batch_s + len(images) * self._each_s
        return _until(ends, np.stack([self._rows[int(one.mean())] for one in images]))


def _first_pixels(pixels: Pixels) -> Pixels:
    return np.resize(pixels, (SIDE, SIDE, 3))


def _until(ends: float, rows: Matrix) -> Matrix:
    """Of unit length, when the device would have them."""
    units: Matrix = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    time.sleep(max(0.0, ends - time.perf_counter()))
    return units


def load(settings: Settings) -> Paced:
    batch_ms, each_ms = map(float, os.environ[PACE].split(","))
    return Paced(settings, batch_ms=batch_ms, each_ms=each_ms)


async def main() -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await serve(from_env(os.environ), stop=stop, load=load)


if __name__ == "__main__":
    uvloop.run(main())
