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
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from PIL import Image

from bench import encode_indexing
from workers.encoders.protocol import Encoder, Pixels
from workers.encoders.torchvision_ops import open_clip
from workers.ingest.decode import decode_reduced
from workers.ingest.thumbnails import NEEDED_PX, Media

SMALL, LARGE = (640, 480), (4000, 3000)
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
        found["clipline"]["copies_ms"] = _ms(_copies(photo(*SMALL), Media(Path(folder) / "copies")), 24)
        found["clipline"] |= encode_indexing.measured(encoder, photo(*SMALL), Path(folder))
    return found


def _copies(data: bytes, media: Media) -> Callable[[], None]:
    """Makes and writes those of another picture at each call."""
    pixels, ids = decode_reduced(data, **LIMITS).pixels, itertools.count()

    def store() -> None:
        item_id = next(ids)
        media.store("bench", "pictures", item_id, f"{item_id:064x}", pixels)

    return store


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
