"""From a file's bytes to a model's input, stock and ours, and how near indexing comes to the encoder's own limit.

Ours is what ingest does: a JPEG of more than twice the size that is needed is decoded at a fraction of it.
`preprocess_ms` leaves the copies out, as open_clip makes none; `copies_ms` is what they cost for each picture, made and
written; `indexing_s` and `indexing_share` include them, as ingest does.
"""

import functools
import io
import itertools
import tempfile
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from PIL import Image

from workers.encoders.protocol import Encoder, Pixels
from workers.encoders.torchvision_ops import open_clip
from workers.executors import cpus_granted
from workers.ingest.decode import decode_reduced
from workers.ingest.thumbnails import NEEDED_PX, Media

SMALL, LARGE = (640, 480), (4000, 3000)
BATCH, BATCHES = 16, 6
LIMITS = {"max_pixels": 10**8, "max_bytes": 10**8, "needed_px": NEEDED_PX}


@functools.cache
def photo(width: int, height: int) -> bytes:
    """A JPEG with a photograph's smoothness and some of its grain."""
    draw = np.random.default_rng(width)
    dots = Image.fromarray(draw.integers(0, 256, (height // 40, width // 40, 3), dtype=np.uint8))
    smooth = np.asarray(dots.resize((width, height), Image.Resampling.BICUBIC)).astype(np.int16)
    grain = draw.normal(0, 6, smooth.shape).astype(np.int16)
    file = io.BytesIO()
    Image.fromarray((smooth + grain).clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=90)
    return file.getvalue()


def round_of(model: Any, encoder: Encoder) -> dict[str, dict[str, float]]:
    """Milliseconds for each picture, and the share of the encoder's limit that indexing reaches."""
    wanted = open_clip.get_model_preprocess_cfg(model)
    transform = open_clip.image_transform(wanted["size"], is_train=False, mean=wanted["mean"], std=wanted["std"])
    found: dict[str, dict[str, float]] = {"open_clip": {}, "clipline": {}}
    for name, size, times in (("preprocess_ms", SMALL, 24), ("preprocess_large_ms", LARGE, 2)):
        data = photo(*size)
        found["open_clip"][name] = _ms(functools.partial(_stock, transform, data), times)
        found["clipline"][name] = _ms(functools.partial(_ready, encoder, data), times)
    with tempfile.TemporaryDirectory(prefix="clipline-bench-media-") as folder:
        indexed = Indexed(encoder, Path(folder))
        pixels = decode_reduced(photo(*SMALL), **LIMITS).pixels
        found["clipline"]["copies_ms"] = _ms(functools.partial(indexed.store, pixels), 24)
        found["clipline"] |= _indexing(encoder, indexed)
    return found


class Indexed:
    """What ingest does with a file on a decoding thread; every picture counts as another, so that each is written."""

    def __init__(self, encoder: Encoder, folder: Path) -> None:
        self._encoder, self._media = encoder, Media(folder)
        self._ids = itertools.count()

    def __call__(self, data: bytes) -> Pixels:
        pixels = decode_reduced(data, **LIMITS).pixels
        self.store(pixels)
        return self._encoder.preprocess(pixels)

    def store(self, pixels: Pixels) -> None:
        item_id = next(self._ids)
        self._media.store("bench", "pictures", item_id, f"{item_id:064x}", pixels)


def _stock(transform: Callable[[Image.Image], object], data: bytes) -> object:
    return transform(Image.open(io.BytesIO(data)).convert("RGB"))


def _ready(encoder: Encoder, data: bytes) -> Pixels:
    return encoder.preprocess(decode_reduced(data, **LIMITS).pixels)


def _ms(work: Callable[[], object], times: int) -> float:
    taken = []
    for _ in range(times):
        started = perf_counter()
        work()
        taken.append(perf_counter() - started)
    return 1000 * float(np.median(taken))


def _indexing(encoder: Encoder, indexed: Indexed) -> dict[str, float]:
    """Files are decoded in threads while the batch before is encoded, at most one batch ahead."""
    files = [photo(*SMALL)] * BATCH
    with ThreadPoolExecutor(cpus_granted()) as pool:

        def prepare() -> list[Future[Pixels]]:
            return [pool.submit(indexed, data) for data in files]

        inputs = [future.result() for future in prepare()]
        started = perf_counter()
        for _ in range(BATCHES):
            encoder.encode_images(inputs)
        encode_s = (perf_counter() - started) / BATCHES
        started = perf_counter()
        waiting = prepare()
        for left in reversed(range(BATCHES)):
            ready = [future.result() for future in waiting]
            waiting = prepare() if left else []
            encoder.encode_images(ready)
        index_s = (perf_counter() - started) / BATCHES
    return {"indexing_s": BATCH / index_s, "indexing_share": encode_s / index_s}
