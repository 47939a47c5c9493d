"""Small videos, made by FFmpeg itself."""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]  # (height, width, 3)

RATE = 10
SIZE = (64, 48)


def scene(number: int, *, size: tuple[int, int] = SIZE) -> Picture:
    """Random squares; other numbers give other ones."""
    width, height = size
    squares = np.random.default_rng(number).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    rows, columns = np.arange(height) * 6 // height, np.arange(width) * 8 // width
    return np.ascontiguousarray(squares[rows][:, columns])


def scenes(lengths: Sequence[float], *, rate: float = RATE, first: int = 0) -> Iterable[Picture]:
    """One scene after the other, each so many seconds long."""
    for number, length_s in enumerate(lengths):
        yield from [scene(first + number)] * round(length_s * rate)


def write_clip(
    path: Path,
    pictures: Iterable[Picture],
    *,
    rate: float = RATE,
    codec: str = "libx264",
    size: tuple[int, int] = SIZE,
    pixels: str = "yuv420p",
    turned: int | None = None,
    aspect: Fraction | None = None,
    stamps: Iterable[int] | None = None,
) -> Path:
    """`stamps`: when each picture is shown, in milliseconds, instead of a fixed rate."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(rate).limit_denominator(1000))
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height = size
        stream.pix_fmt = pixels
        if turned is not None:
            stream.set_display_rotation(turned)
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        times = iter(stamps) if stamps is not None else None
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for picture in pictures:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = next(times), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def write_sound(path: Path) -> Path:
    """Two seconds of silence."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        assert isinstance(stream, av.AudioStream)
        for start in range(0, 16_000, 1024):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 8000, start
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
