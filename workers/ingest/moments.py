"""One picture for each piece of a video: the frame that shows best what the piece shows."""

from collections.abc import Callable

import msgspec
import numpy as np
import numpy.typing as npt

from workers.encoders.protocol import Pixels
from workers.ingest.shots import Look

# Frames of a piece that may become its picture; so many are held.
CANDIDATES = 8
APART_S = 0.5


class Shot(msgspec.Struct, frozen=True, kw_only=True):
    """A piece of a video from `start_s` to `end_s`, shown by its frame at `moment_s`; seconds since the beginning.

    `position` counts from 0. `width` and `height` are the video's own, as it is shown; the pixels may be fewer.
    """

    position: int
    start_s: float
    end_s: float
    moment_s: float
    pixels: Pixels
    width: int
    height: int


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A frame that was kept."""

    time_s: float
    colours: npt.NDArray[np.float32]
    pixels: Pixels
    width: int
    height: int


class Gathering:
    """The piece that is being read. Of its frames the one nearest to their average colours is chosen: the frame at the
    centre of its cluster (Zhuang, Rui, Huang and Mehrotra, "Adaptive key frame extraction using unsupervised
    clustering", ICIP 1998). Of equals it is the one nearest to the middle.
    """

    def __init__(self, *, position: int, start_s: float, longest_s: float) -> None:
        self._position, self._start_s = position, start_s
        self._apart_s = min(max(APART_S, longest_s / CANDIDATES), longest_s / 2)
        self._kept: list[Candidate] = []
        self._colours: npt.NDArray[np.float32] | None = None
        self._frames = 0

    def add(self, time_s: float, look: Look, take: Callable[[], Candidate]) -> None:
        """`take` is called for a frame that may become the picture."""
        self._colours = look.colours if self._colours is None else self._colours + look.colours
        self._frames += 1
        due = not self._kept or time_s - self._kept[-1].time_s >= self._apart_s
        if due and len(self._kept) < CANDIDATES:
            self._kept.append(take())

    def shot(self, end_s: float) -> Shot:
        """The piece, ended."""
        assert self._colours is not None, "a piece begins with a frame"
        average, middle_s = self._colours / self._frames, (self._start_s + end_s) / 2

        def remoteness(one: Candidate) -> tuple[float, float]:
            return round(float(np.abs(one.colours - average).sum()), 3), abs(one.time_s - middle_s)

        best = min(self._kept, key=remoteness)
        return Shot(
            position=self._position,
            start_s=self._start_s,
            end_s=max(end_s, best.time_s),
            moment_s=best.time_s,
            pixels=best.pixels,
            width=best.width,
            height=best.height,
        )
