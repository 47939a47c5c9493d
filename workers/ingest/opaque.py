"""Pillow's many modes as opaque 8-bit RGB."""

import numpy as np
import numpy.typing as npt
from PIL import Image

from workers.encoders.protocol import Pixels

WHITE = (255, 255, 255, 255)
WIDE = frozenset({"I", "F", "I;16", "I;16L", "I;16B", "I;16N"})
TRANSPARENT = frozenset({"RGBA", "LA", "PA", "RGBa", "La"})


def rgb_pixels(image: Image.Image) -> Pixels:
    """(height, width, 3): transparency over white, deep greys scaled, palettes, CMYK and the rest converted.

    Colour profiles are ignored, as CLIP's own training did.
    """
    if image.mode in WIDE:
        return _grey_as_rgb(_to_8_bit(image))
    if image.mode in TRANSPARENT or "transparency" in image.info:
        return np.asarray(_on_white(image))
    return np.asarray(image.convert("RGB"))


def _on_white(image: Image.Image) -> Image.Image:
    """Premultiplied modes go through their straight ones, the only conversion that Pillow has for them."""
    straight = {"RGBa": "RGBA", "La": "LA"}.get(image.mode, image.mode)
    picture = image.convert(straight).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, WHITE), picture).convert("RGB")


def _to_8_bit(image: Image.Image) -> npt.NDArray[np.uint8]:
    """16 bits have a fixed range; 32-bit integers and floats have none, so theirs is what the picture uses."""
    values = np.asarray(image)
    if image.mode.startswith("I;16"):
        return _stretched(values, 0.0, 65_535.0)
    finite = np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    return _stretched(finite, *_range_of(finite))


def _range_of(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """The usual range that holds all values: 0 to 1, 8 bits or 16 bits; else from the lowest to the highest."""
    low, high = float(values.min()), float(values.max())
    usual = next((top for top in (1.0, 255.0, 65_535.0) if high <= top), None)
    return (low, high) if low < 0 or usual is None else (0.0, usual)


def _stretched(values: npt.NDArray[np.generic], low: float, high: float) -> npt.NDArray[np.uint8]:
    scale = 255.0 / (high - low) if high > low else 0.0
    return ((values.astype(np.float32) - low) * scale + 0.5).clip(0, 255).astype(np.uint8)


def _grey_as_rgb(grey: npt.NDArray[np.uint8]) -> Pixels:
    return np.repeat(grey[:, :, None], 3, axis=2)
