"""A video's frames in order, upright and with the time at which each is shown, as FFmpeg (PyAV) decodes them."""

import logging
from collections.abc import Iterator
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import msgspec
import numpy as np
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from shared.errors import BadVideo, VideoTooLarge
from workers.encoders.protocol import Pixels
from workers.executors import cpus_granted
from workers.ingest.shots import LOOK_HEIGHT, LOOK_WIDTH, Look, look_at
from workers.ingest.thumbnails import NEEDED_PX

logger = logging.getLogger(__name__)

# FFmpeg also reads playlists and scripts that name other files and addresses; none of them is among these.
DEMUXERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,flv,asf,ogg,mxf,dv"
# Up to 8192 × 4320; a decoder may hold 20 frames.
MAX_FRAME_PIXELS = 8_192 * 4_320
MAX_THREADS = 8
# Where neither the file nor its frames say how long one is shown.
FRAME_S = 0.04
# Times that go back by more than this began anew, as where recordings were joined.
BACK_S = 1.0
# Pixels may be wider than high; a stranger proportion than this is a mistake.
MAX_ASPECT = 8


class Frame(msgspec.Struct, frozen=True):
    """`time_s` never goes back."""

    time_s: float
    image: VideoFrame


class Clock:
    """Seconds since the video began, from time stamps that may be missing, begin anywhere or begin anew."""

    def __init__(self, *, origin_s: float | None, frame_s: float) -> None:
        self._origin_s = origin_s
        self._frame_s = frame_s
        self._last_s: float | None = None

    def at(self, stamp_s: float | None) -> float:
        follows_s = 0.0 if self._last_s is None else self._last_s + self._frame_s
        if stamp_s is None:
            self._last_s = follows_s
            return follows_s
        if self._origin_s is None:
            self._origin_s = stamp_s
        if self._last_s is not None and stamp_s - self._origin_s < self._last_s - BACK_S:
            self._origin_s = stamp_s - follows_s
        self._last_s = max(self._last_s or 0.0, stamp_s - self._origin_s)
        return self._last_s


class Frames:
    """One open video. `duration_s` is what the file says of itself, `damaged` counts what could not be decoded.

    Raises BadVideo, VideoTooLarge. Any thread may use it, one at a time.
    """

    def __init__(self, path: Path, *, max_pixels: int) -> None:
        self._max_pixels = min(max_pixels, MAX_FRAME_PIXELS)
        self._looks, self._pictures = VideoReformatter(), VideoReformatter()
        self.damaged = 0
        self._container = _open(path, self._max_pixels)
        try:
            self._stream = _stream_of(self._container)
            self._check(self._stream.width, self._stream.height)
            self._stream.codec_context.thread_count = min(MAX_THREADS, cpus_granted())
        except BaseException:
            self._container.close()
            raise
        self.frame_s = _seconds_of(self._stream.average_rate)
        self.duration_s = _duration_s(self._container, self._stream)

    def close(self) -> None:
        self._container.close()

    def __iter__(self) -> Iterator[Frame]:
        start = self._container.start_time
        clock = Clock(origin_s=None if start is None else start / av.time_base, frame_s=self.frame_s)
        for image in self._decoded():
            self._check(image.width, image.height)
            yield Frame(clock.at(image.time), image)

    def _decoded(self) -> Iterator[VideoFrame]:
        """What can be decoded; a damaged piece is passed over, as players do."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except FFmpegError as error:
                self._note(error)
                return
            if packet is None:
                return
            try:
                yield from packet.decode()
            except FFmpegError as error:
                self._note(error)

    def _note(self, error: FFmpegError) -> None:
        self.damaged += 1
        logger.debug("a damaged piece of a video", exc_info=error)

    def _check(self, width: int, height: int) -> None:
        """A stream may change its size on the way."""
        if width * height > self._max_pixels:
            raise VideoTooLarge(f"{width:,} × {height:,} pixels; at most {self._max_pixels:,}")
        if width < 1 or height < 1:
            raise BadVideo(f"{width} × {height} pixels")

    def look(self, frame: Frame) -> Look:
        return look_at(_rgb(self._looks, frame.image, (LOOK_WIDTH, LOOK_HEIGHT), "BILINEAR"))

    def shown_size(self, frame: Frame) -> tuple[int, int]:
        """Width and height as a player shows the frame: pixels square, and upright."""
        width, height = self._square(frame.image)
        return (height, width) if _quarters(frame.image) % 2 else (width, height)

    def picture(self, frame: Frame) -> Pixels:
        """(height, width, 3), as shown, but no more pixels than thumbnails and models need."""
        width, height = self._square(frame.image)
        shrink = max(1.0, max(width, height) / NEEDED_PX)
        size = max(1, round(width / shrink)), max(1, round(height / shrink))
        pixels = _rgb(self._pictures, frame.image, size, "AREA")
        return np.ascontiguousarray(np.rot90(pixels, _quarters(frame.image)))

    def _square(self, image: VideoFrame) -> tuple[int, int]:
        aspect = self._stream.sample_aspect_ratio
        if not aspect or not 1 / MAX_ASPECT <= aspect <= MAX_ASPECT:
            return image.width, image.height
        return max(1, round(image.width * aspect)), image.height


def _rgb(reformatter: VideoReformatter, image: VideoFrame, size: tuple[int, int], interpolation: str) -> Pixels:
    """(height, width, 3). A reformatter keeps its tables for frames of the same size."""
    pixels = reformatter.reformat(image, *size, "rgb24", interpolation=interpolation).to_ndarray()
    return pixels.astype(np.uint8, copy=False)


def _quarters(image: VideoFrame) -> int:
    """How often to turn by 90° against the clock; phones note it beside the picture."""
    return round(image.rotation / 90)


def _open(path: Path, max_pixels: int) -> InputContainer:
    _check_file(path)
    options = {"protocol_whitelist": "file", "format_whitelist": DEMUXERS, "max_pixels": str(max_pixels)}
    try:
        return av.open(f"file:{path}", "r", options=options, metadata_errors="replace")
    except FFmpegError as error:
        raise BadVideo(f"damaged, cut off or no video: {error.strerror or error}") from error


def _check_file(path: Path) -> None:
    try:
        if path.stat().st_size == 0:
            raise BadVideo("empty file")
    except OSError as error:
        raise BadVideo(f"cannot be opened: {error.strerror or error}") from error


def _stream_of(container: InputContainer) -> VideoStream:
    """The main one. The cover of a song is a video stream too, as FFmpeg has it."""
    streams = [one for one in container.streams.video if not one.disposition & Disposition.attached_pic]
    if not streams:
        raise BadVideo("no video stream" + (", only sound" if container.streams.audio else ""))
    best = max(streams, key=lambda one: (bool(one.disposition & Disposition.default), one.width * one.height))
    with suppress(AttributeError):
        if best.codec_context is not None:
            return best
    raise BadVideo("no decoder for its video stream")


def _seconds_of(rate: Fraction | None) -> float:
    return float(1 / rate) if rate else FRAME_S


def _duration_s(container: InputContainer, stream: VideoStream) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / av.time_base
