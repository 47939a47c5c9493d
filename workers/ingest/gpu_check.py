"""Whether a GPU prepares JPEGs as the CPU does: tried with a few before any is given to it."""

import io
from collections.abc import Iterator

import numpy as np
import simplejpeg
from PIL import Image

from workers.encoders.preprocess import Preprocess, resize
from workers.encoders.protocol import Pixels
from workers.ingest.decode import decode_reduced
from workers.ingest.device_pictures import DevicePictures, Made
from workers.ingest.thumbnails import NEEDED_PX, Copies, jpeg_copies
from workers.ingest.whole_jpegs import whole_jpeg

# Steps of 255, as the largest and the mean difference. A photograph's are 2 and 0.3 on an H100; spots have more edges.
INPUT_MOST, INPUT_MEAN = 8, 1.0
# Of copies that are reduced for it, since different programs encoded them.
COPY_MEAN = 2.0
REDUCED_BY = 4
# So much larger than a model's input, and larger than a copy.
FACTOR = 2.25
WIDE_PX = 1_403
SPOT_PX = 40
LIES_ON_ITS_SIDE = 6


def check(pictures: DevicePictures, preprocess: Preprocess) -> None:
    """Raises ArithmeticError where they differ, and what the device's libraries raise."""
    files = list(probes(preprocess.size))
    jpegs = [jpeg for jpeg in map(whole_jpeg, files) if jpeg is not None]
    for number, (data, made) in enumerate(zip(files, pictures.make(jpegs), strict=True), 1):
        try:
            _compare(data, made, preprocess)
        except ArithmeticError as error:
            raise ArithmeticError(f"{error} (test picture {number})") from error


def probes(size: tuple[int, int]) -> Iterator[bytes]:
    """JPEGs of several kinds for a model's input of that size."""
    height, width = (int(FACTOR * side) for side in size)
    lying = Image.Exif()
    lying[0x0112] = LIES_ON_ITS_SIDE
    yield _jpeg(photo(height, width + 33))
    yield _jpeg(photo(height + 1, width + 33), subsampling=0)
    yield _jpeg(photo(height + 33, width).convert("L"))
    yield _jpeg(photo(height, width + 16), exif=lying)
    yield _jpeg(photo(height + 7, width), progressive=True)
    large = photo(height, width + WIDE_PX)
    yield _jpeg(large)
    # A drawing, whose copies keep their colours in full.
    yield _jpeg(large.quantize(8).convert("RGB"), subsampling=0)


def photo(height: int, width: int) -> Image.Image:
    """Spots of colour that run into one another."""
    draw = np.random.default_rng(height)
    spots = draw.integers(0, 256, (height // SPOT_PX + 2, width // SPOT_PX + 2, 3), dtype=np.uint8)
    return Image.fromarray(spots).resize((width, height), Image.Resampling.BICUBIC)


def _jpeg(image: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=90, **options)
    return file.getvalue()


def _compare(data: bytes, made: Made, preprocess: Preprocess) -> None:
    picture = decode_reduced(data, max_pixels=10**8, max_bytes=len(data), needed_px=NEEDED_PX)
    if (made.width, made.height) != (picture.width, picture.height):
        raise ArithmeticError(f"{made.width} × {made.height} pixels for {picture.width} × {picture.height}")
    difference = _difference(made.pixels, preprocess(picture.pixels))
    if difference.max() > INPUT_MOST or difference.mean() > INPUT_MEAN:
        raise ArithmeticError(f"inputs differ by {difference.mean():.2f} and up to {difference.max()} steps")
    _compare_copies(made.copies, jpeg_copies(picture.pixels))


def _compare_copies(there: Copies, here: Copies) -> None:
    for size, expected in here.items():
        difference = _difference(_reduced(there[size]), _reduced(expected)).mean()
        if difference > COPY_MEAN:
            raise ArithmeticError(f"{size} copies differ by {difference:.2f} steps")


def _reduced(data: bytes) -> Pixels:
    pixels: Pixels = simplejpeg.decode_jpeg(data, "RGB")
    height, width = (max(1, side // REDUCED_BY) for side in pixels.shape[:2])
    return resize(pixels, (height, width))


def _difference(one: Pixels, other: Pixels) -> "np.ndarray[tuple[int, ...], np.dtype[np.int16]]":
    if one.shape != other.shape:
        raise ArithmeticError(f"{one.shape[1]} × {one.shape[0]} pixels for {other.shape[1]} × {other.shape[0]}")
    return np.abs(one.astype(np.int16) - other.astype(np.int16))
