"""From JPEGs to a model's inputs and the copies that people see, by a device that decodes, resizes and encodes.

The same steps as on the CPU (`decode.py`, `thumbnails.py`, `preprocess.py`), in floats, which round once where uint8
rounds twice: within one step of 255 of them. What a JPEG decoder makes of halved colours may differ by more, until it
is resized.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import msgspec
import torch
from torch.nn import functional

from shared.media import Size
from workers.encoders.preprocess import Preprocess, shape_of
from workers.encoders.protocol import Pixels
from workers.ingest import orientation
from workers.ingest.thumbnails import DESCENDING, DRAWN, Copies, fitted_size
from workers.ingest.whole_jpegs import Jpeg

# nvJPEG repeats samples of colour where libjpeg draws a line between them. Resized to 1 / 1.75 or less, that is within
# 2 steps of 255 but for 1 value in 10,000; at 1 / 1.4 it is 14 in 10,000, of up to 6 steps.
LEAST_REDUCTION = 1.75
# Enlarged, floats overshoot where uint8 stops at 0 and 255; and torch 2.13 resizes floats to a width of 1 wrongly.
LEAST_OF_OTHERS = 1.0
MOST_OBLONG = 16
# torch's kernel keeps what weighs a row in 48 KiB of a multiprocessor's own memory.
MOST_REDUCTION = 24


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A model's input, the copies, and the size that the picture has in full."""

    pixels: Pixels
    copies: Copies
    width: int
    height: int


class Codec(Protocol):
    """A device's JPEG decoder and encoder. Pictures are (3, height, width), uint8, on the device.

    Both raise RuntimeError, OutOfMemoryError among them, where they fail with one of the pictures.
    """

    def turn(self) -> AbstractContextManager[object]:
        """Surrounds all that is done with a batch."""

    def recover(self) -> None:
        """After an error: wait for what was begun, give back memory. May raise RuntimeError."""

    def decode(self, files: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        """From (bytes,), uint8, in the host's memory."""

    def encode(self, pictures: Sequence[torch.Tensor], *, whole_colours: Sequence[bool]) -> list[bytes]:
        """At `thumbnails.QUALITY`; with a sample of colour for each pixel, or for four."""


class DevicePictures:
    """What becomes of a batch."""

    def __init__(self, preprocess: Preprocess, codec: Codec) -> None:
        self._preprocess, self._codec = preprocess, codec

    def may_have(self, jpeg: Jpeg) -> bool:
        """Whether the model's input will be the one of the CPU's way."""
        height, width = jpeg.shape
        if max(height, width) > MOST_OBLONG * min(height, width):
            return False
        fit = self._preprocess.fit(height, width)
        least = LEAST_REDUCTION if jpeg.has_less_colour else LEAST_OF_OTHERS
        reductions = [have / wanted for have, wanted in zip(shape_of(fit.cut), fit.resized, strict=True)]
        return least <= min(reductions) and max(reductions) <= MOST_REDUCTION

    def make(self, jpegs: Sequence[Jpeg]) -> list[Made]:
        """In their order. Raises what the codec raises, and RuntimeError where the device does not resize so far."""
        with torch.inference_mode(), self._codec.turn():
            return self._make(jpegs)

    def recover(self) -> None:
        self._codec.recover()

    def _make(self, jpegs: Sequence[Jpeg]) -> list[Made]:
        decoded = self._codec.decode([torch.from_numpy(jpeg.data) for jpeg in jpegs])
        decoded.reverse()
        # One after the other leaves the batch: as floats a picture takes four times the memory.
        inputs, shown = zip(*(self._resized(jpeg, decoded.pop()) for jpeg in jpegs), strict=True)
        copies = self._copies(shown)
        pixels = torch.stack(inputs).cpu().numpy()  # (n, *size, 3)
        return [_made(*one) for one in zip(jpegs, pixels, copies, strict=True)]

    def _resized(self, jpeg: Jpeg, decoded: torch.Tensor) -> tuple[torch.Tensor, dict[Size, torch.Tensor]]:
        """The model's input, and the copies before they are encoded."""
        if decoded.shape != (3, jpeg.height, jpeg.width):
            raise RuntimeError(f"{tuple(decoded.shape)} for {jpeg.width} × {jpeg.height} pixels")
        picture = upright(decoded, jpeg.turn)
        floats = picture.float()
        return self._input(floats), _fitted(picture, floats)

    def _input(self, floats: torch.Tensor) -> torch.Tensor:
        """(3, height, width) → (*size, 3), uint8."""
        wanted = self._preprocess
        fit = wanted.fit(*floats.shape[1:])
        resized = resize(floats[:, *fit.cut], fit.resized, bilinear=wanted.is_bilinear)
        if fit.is_padded:
            rows, columns = fit.padding
            resized = functional.pad(resized, [*columns, *rows], value=wanted.fill_color)
        return resized[:, *fit.crop].permute(1, 2, 0)

    def _copies(self, shown: Sequence[dict[Size, torch.Tensor]]) -> list[Copies]:
        drawn = torch.stack([_is_drawn(one[DESCENDING[-1][0]]) for one in shown]).tolist()
        flat = [picture for one in shown for picture in one.values()]
        whole = [is_drawn for one, is_drawn in zip(shown, drawn, strict=True) for _ in one]
        written = iter(self._codec.encode(flat, whole_colours=whole))
        return [{size: next(written) for size in one} for one in shown]


def resize(floats: torch.Tensor, size: tuple[int, int], *, bilinear: bool = False) -> torch.Tensor:
    """(3, height, width), 0 to 255 → (3, *size), uint8; antialiased, bicubic unless asked."""
    resized = floats[None]
    if floats.shape[1:] != size:
        mode = "bilinear" if bilinear else "bicubic"
        resized = functional.interpolate(resized, size=size, mode=mode, antialias=True, align_corners=False)
    return resized[0].round().clamp(0, 255).to(torch.uint8)


def upright(picture: torch.Tensor, turn: int) -> torch.Tensor:
    """(3, height, width), as `orientation.upright` does it."""
    exchanged, rows, columns = orientation.steps(turn)
    turned = picture.transpose(1, 2) if exchanged else picture
    reversed_ = [dim for dim, is_reversed in ((1, rows), (2, columns)) if is_reversed]
    return (turned.flip(reversed_) if reversed_ else turned).contiguous()


def _fitted(picture: torch.Tensor, floats: torch.Tensor) -> dict[Size, torch.Tensor]:
    """The copies before they are encoded, the largest first."""
    fitted: dict[Size, torch.Tensor] = {}
    for size, longest in DESCENDING:
        _, height, width = picture.shape
        wanted = fitted_size(height, width, longest)
        if wanted != (height, width):
            picture = resize(floats, wanted)
            floats = picture.float()
        fitted[size] = picture.contiguous()
    return fitted


def _is_drawn(picture: torch.Tensor) -> torch.Tensor:
    """As `thumbnails` tells drawings from photographs; stays on the device."""
    same = (picture[:, ::2, 1:] == picture[:, ::2, :-1]).all(dim=0)
    return same.sum() > DRAWN * same.numel()


def _made(jpeg: Jpeg, pixels: Pixels, copies: Copies) -> Made:
    height, width = jpeg.shape
    return Made(pixels=pixels, copies=copies, width=width, height=height)
