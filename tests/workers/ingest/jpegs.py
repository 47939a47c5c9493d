"""JPEGs of every kind, and a codec that does on the CPU what nvJPEG does on a GPU."""

import io
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import simplejpeg
import torch
from PIL import Image

from workers.ingest.gpu_check import photo
from workers.ingest.thumbnails import QUALITY

ORIENTATION = 0x0112


def jpeg(height: int = 240, width: int = 320, *, turn: int | None = None, mode: str = "RGB", **options: Any) -> bytes:
    exif = Image.Exif()
    if turn is not None:
        exif[ORIENTATION] = turn
        options["exif"] = exif
    file = io.BytesIO()
    photo(height, width).convert(mode).save(file, "JPEG", **{"quality": 90, **options})
    return file.getvalue()


class CpuCodec:
    """Repeats samples of colour, as nvJPEG does. `before` may raise for a batch; its sizes are kept."""

    def __init__(self, before: Callable[[Sequence[torch.Tensor]], object] = len) -> None:
        self._before = before
        self.batches: list[int] = []
        self.recovered = 0

    def turn(self) -> AbstractContextManager[object]:
        return nullcontext()

    def recover(self) -> None:
        self.recovered += 1

    def decode(self, files: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        self.batches.append(len(files))
        self._before(files)
        decoded = (simplejpeg.decode_jpeg(file.numpy().tobytes(), "RGB", fastupsample=True) for file in files)
        return [torch.from_numpy(pixels).permute(2, 0, 1).contiguous() for pixels in decoded]

    def encode(self, pictures: Sequence[torch.Tensor], *, whole_colours: Sequence[bool]) -> list[bytes]:
        return [
            simplejpeg.encode_jpeg(
                np.ascontiguousarray(picture.permute(1, 2, 0).numpy()),
                quality=QUALITY,
                colorsubsampling="444" if whole else "420",
            )
            for picture, whole in zip(pictures, whole_colours, strict=True)
        ]
