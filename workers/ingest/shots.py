"""Where one shot of a video ends and the next begins."""

from collections import deque
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from workers.encoders.protocol import Pixels

# A frame is looked at in this size, in pixels.
LOOK_WIDTH, LOOK_HEIGHT = 48, 27
LEVELS = 4  # of each colour channel, in the histogram
# A difference of brightness by a third of the range, everywhere, is another picture for certain.
LUMA_GAIN = 3.0
LUMA = np.array([0.299, 0.587, 0.114], dtype=np.float32)  # ITU-R BT.601

# A cut differs at least by FLOOR, and RATIO times as much as the frames before it did on average.
FLOOR = 0.25
RATIO = 3.0
WINDOW = 12
# So far from the shot's beginning, it has become another one without a cut.
DRIFT = 0.5

MIN_SHOT_S = 0.5
MIN_DRIFT_S = 1.0
MAX_SHOT_S = 10.0
# Times are sums of fractions; a step ends where it should all the same.
SLACK_S = 1e-6


class Look(NamedTuple):
    """What a frame looks like from afar: (LEVELS³,) shares of colours, (LOOK_HEIGHT, LOOK_WIDTH) brightness, 0 to 1."""

    colours: npt.NDArray[np.float32]
    luma: npt.NDArray[np.float32]


def look_at(pixels: Pixels) -> Look:
    """Of (LOOK_HEIGHT, LOOK_WIDTH, 3), RGB."""
    bins = (pixels // (256 // LEVELS)).astype(np.intp)
    index = (bins[..., 0] * LEVELS + bins[..., 1]) * LEVELS + bins[..., 2]
    counts = np.bincount(index.ravel(), minlength=LEVELS**3)
    luma = (pixels.astype(np.float32) @ LUMA) / np.float32(255)
    return Look((counts / index.size).astype(np.float32), luma.astype(np.float32, copy=False))


def difference(one: Look, other: Look) -> float:
    """0 for the same, 1 for nothing in common: colours wherever they are, and brightness where it is, half each."""
    colours = float(np.abs(one.colours - other.colours).sum()) / 2
    luma = min(1.0, LUMA_GAIN * float(np.abs(one.luma - other.luma).mean()))
    return (colours + luma) / 2


class Boundaries(Protocol):
    """Told of frame after frame, says which ones begin a new piece."""

    longest_s: float

    def begins(self, time_s: float, look: Look) -> bool: ...


class Shots:
    """A cut stands out from the differences before it, by a threshold that adapts to how much the video moves (Yeo and
    Liu, "Rapid scene analysis on compressed video", IEEE Trans. CSVT 5(6), 1995). What changes slowly is measured from
    where it began, as in twin comparison (Zhang, Kankanhalli and Smoliar, "Automatic partitioning of full-motion
    video", Multimedia Systems 1(1), 1993). A shot of more than MAX_SHOT_S is cut into several.
    """

    longest_s = MAX_SHOT_S

    def __init__(self) -> None:
        self._recent: deque[float] = deque(maxlen=WINDOW)
        self._began_s = 0.0
        self._first: Look | None = None
        self._before: Look | None = None

    def begins(self, time_s: float, look: Look) -> bool:
        if self._first is None or self._before is None:
            self._first, self._began_s, self._before = look, time_s, look
            return True
        change = difference(self._before, look)
        usual = sum(self._recent) / len(self._recent) if self._recent else 0.0
        self._recent.append(change)
        self._before = look
        if not self._ends(time_s - self._began_s, change, usual, drift=difference(self._first, look)):
            return False
        self._first, self._began_s = look, time_s
        return True

    def _ends(self, length_s: float, change: float, usual: float, *, drift: float) -> bool:
        cut = length_s >= MIN_SHOT_S and change >= max(FLOOR, RATIO * usual)
        drifted = length_s >= MIN_DRIFT_S and drift >= DRIFT
        return cut or drifted or length_s >= MAX_SHOT_S - SLACK_S


class Steps:
    """A piece every `step_s` seconds, counted from the video's beginning."""

    def __init__(self, step_s: float) -> None:
        self.longest_s = step_s
        self._number: int | None = None

    def begins(self, time_s: float, look: Look) -> bool:
        number = int((time_s + SLACK_S) / self.longest_s)
        new, self._number = number != self._number, number
        return new
