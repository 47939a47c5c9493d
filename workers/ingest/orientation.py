"""Which way up a picture is: EXIF's orientation tag, read without trusting the rest of the metadata."""

import struct

import numpy as np
from PIL import Image

from workers.encoders.protocol import Pixels

UPRIGHT = 1
TAG = 0x0112
SHORT = 3
MAX_ENTRIES = 512


def of(image: Image.Image) -> int:
    """1 to 8 as EXIF 2.32 §4.6.4 defines them; 1 where the tag is missing or the metadata broken.

    Pillow turns TIFFs itself while it decodes them.
    """
    exif = image.info.get("exif")
    return UPRIGHT if image.format == "TIFF" or not isinstance(exif, bytes) else of_exif(exif)


def of_exif(exif: bytes) -> int:
    """The same from what an APP1 segment holds."""
    try:
        return _find(exif.removeprefix(b"Exif\0\0"))
    except struct.error:
        return UPRIGHT


def _find(tiff: bytes) -> int:
    """Walk the first directory: a count, then entries of tag, type, count and value in 12 bytes each."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return UPRIGHT
    (directory,) = struct.unpack_from(f"{order}I", tiff, 4)
    (entries,) = struct.unpack_from(f"{order}H", tiff, directory)
    for entry in range(min(entries, MAX_ENTRIES)):
        tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, directory + 2 + 12 * entry)
        if (tag, kind) == (TAG, SHORT):
            return int(value) if 1 <= value <= 8 else UPRIGHT
    return UPRIGHT


def steps(turn: int) -> tuple[bool, bool, bool]:
    """What undoes it, in this order: exchanging rows and columns, reversing rows, reversing columns."""
    return turn >= 5, turn in {3, 4, 7, 8}, turn in {2, 3, 6, 7}


def upright(pixels: Pixels, turn: int) -> Pixels:
    """Undo what `turn` says the camera did."""
    exchanged, rows, columns = steps(turn)
    if exchanged:
        pixels = pixels.transpose(1, 0, 2)
    return np.ascontiguousarray(pixels[:: -1 if rows else 1, :: -1 if columns else 1])
