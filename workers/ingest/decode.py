"""From a file's bytes to RGB pixels: whatever the format holds, upright, opaque and 8 bits deep, or BadPicture."""

import io
import logging
import re
import struct
import warnings
from pathlib import Path

import msgspec
import simplejpeg
from PIL import Image, UnidentifiedImageError

from shared.errors import BadPicture, PictureTooLarge
from workers.encoders.protocol import Pixels
from workers.ingest import orientation
from workers.ingest.opaque import rgb_pixels

logger = logging.getLogger(__name__)

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")
JPEGS = ("JPEG", "MPO")  # cameras append previews to a JPEG, and Pillow calls that MPO
MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG": "PNG",
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
}
# What Pillow's plugins say where a file ends too early.
CUT_OFF = re.compile(r"truncated|not enough|unexpected end|Truncated|EOF|premature|buffer is not large", re.IGNORECASE)

# Our own limit is checked before anything is decoded; Pillow's would only warn.
Image.MAX_IMAGE_PIXELS = None


class Reduced(msgspec.Struct, frozen=True, kw_only=True):
    """Upright pixels, perhaps fewer than the picture has, and the size that it has in full."""

    pixels: Pixels
    width: int
    height: int


def decode(source: bytes | Path, *, max_pixels: int, max_bytes: int) -> Pixels:
    """(height, width, 3), uint8, in full. Any thread may call it.

    Raises BadPicture or PictureTooLarge with a reason for people.
    """
    return decode_reduced(source, max_pixels=max_pixels, max_bytes=max_bytes, needed_px=None).pixels


def decode_reduced(source: bytes | Path, *, max_pixels: int, max_bytes: int, needed_px: int | None) -> Reduced:
    """Like `decode`, but a large JPEG may come at an eighth to a half of its size.

    Its shorter side keeps at least `needed_px`: decoding costs less then, and reducing it further, to thumbnails and to
    the model's input, hides the difference.
    """
    data = _read(source, max_bytes) if isinstance(source, Path) else source
    _check_bytes(len(data), max_bytes)
    _hush_pillow()
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_pixels(image.size, max_pixels)
            return _upright(data, image, needed_px)
    except BadPicture:
        raise
    except Exception as error:
        # Pillow's parsers let out whatever they meet in a broken file: OSError, SyntaxError, struct.error, KeyError…
        logger.debug("undecodable picture", exc_info=error)
        raise BadPicture(_reason(data, error)) from error


def _read(path: Path, max_bytes: int) -> bytes:
    """At most one byte more than allowed, whatever the file's size."""
    try:
        with path.open("rb") as file:
            return file.read(max_bytes + 1)
    except OSError as error:
        raise BadPicture(f"cannot be opened: {error.strerror or error}") from error


def _upright(data: bytes, image: Image.Image, needed_px: int | None) -> Reduced:
    turn = orientation.of(image)
    pixels = _fast_jpeg(data, image, needed_px) if image.format in JPEGS else None
    pixels = orientation.upright(rgb_pixels(image) if pixels is None else pixels, turn)
    width, height = image.size  # after decoding, which turns a TIFF
    return Reduced(pixels=pixels, width=height if turn >= 5 else width, height=width if turn >= 5 else height)


def _check_bytes(size: int, max_bytes: int) -> None:
    if size == 0:
        raise BadPicture("empty file")
    if size > max_bytes:
        raise PictureTooLarge(f"more than {max_bytes:,} bytes")


def _check_pixels(size: tuple[int, int], max_pixels: int) -> None:
    """From the header, before a bomb can unfold."""
    width, height = size
    if width * height > max_pixels:
        raise PictureTooLarge(f"{width:,} × {height:,} pixels; at most {max_pixels:,}")
    if width < 1 or height < 1:
        raise BadPicture(f"{width} × {height} pixels")


def _fast_jpeg(data: bytes, image: Image.Image, needed_px: int | None) -> Pixels | None:
    """Twice as fast as Pillow, for the JPEGs that nearly all are; None for others, and for any that it rejects."""
    if image.mode not in {"RGB", "L"}:
        return None
    # Between half and full size, decoding to a fraction takes longer than decoding all.
    shrink = needed_px if needed_px and min(image.size) >= 2 * needed_px else 0
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(
            data, "RGB", min_height=shrink, min_width=shrink, min_factor=2 if shrink else 1
        )
    except ValueError:
        return None
    return pixels


def _reason(data: bytes, error: Exception) -> str:
    known = _format_of(data)
    if known is None:
        return f"not a picture (starts with {data[:8]!r})"
    if isinstance(error, EOFError | struct.error) or CUT_OFF.search(str(error)):
        return f"{known} cut off after {len(data):,} bytes"
    if isinstance(error, UnidentifiedImageError):
        return f"damaged {known}: its header cannot be read ({len(data):,} bytes)"
    return f"damaged {known}: {str(error) or type(error).__name__}"


def _format_of(data: bytes) -> str | None:
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return "WebP"
    return next((name for magic, name in MAGIC.items() if data.startswith(magic)), None)


def _hush_pillow() -> None:
    """Pillow warns about the metadata of files that strangers send; nobody can act on that.

    Python's filters belong to the process, not to a thread, so this one stays; a test runner may put its own before it.
    """
    if warnings.filters[:1] != _HUSHED:
        warnings.filterwarnings("ignore", module=r"PIL\.")
        _HUSHED[:] = warnings.filters[:1]


_HUSHED: list[object] = []
