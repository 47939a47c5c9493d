"""A video as a sequence of shots, read piece by piece in bounded memory."""

import threading
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import msgspec

from shared.errors import BadVideo
from workers.ingest.frames import Frame, Frames
from workers.ingest.moments import Candidate, Gathering, Shot
from workers.ingest.shots import Boundaries, Look, Shots, Steps

# Shots of one piece: their pictures are in memory together.
SHOTS_AT_ONCE = 16
# A piece without a shot is handed out all the same, so that its reader can tell how far it is, and stop.
PIECE_S = 2.0
# More than so much missing at the end is told; sound often lasts longer than the picture.
MISSING_S = 2.0
MISSING_SHARE = 0.05


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """The next shots. `read_s`: how far the video was read; `last`: nothing comes after these."""

    shots: list[Shot]
    read_s: float
    last: bool


class VideoReader:
    """One video. `open`, `read` and `close` block; any thread may call them, and they wait for one another."""

    def __init__(self, path: Path, *, max_pixels: int, step_s: float) -> None:
        """`step_s`: a picture every so many seconds; 0: one of each shot."""
        self._path, self._max_pixels = path, max_pixels
        self._boundaries: Boundaries = Steps(step_s) if step_s else Shots()
        self._one_at_a_time = threading.Lock()
        self._stopped = threading.Event()
        self._frames: Frames | None = None
        self._shots: Iterator[Shot | None] = iter(())
        self._read_s = 0.0

    @property
    def duration_s(self) -> float | None:
        return self._frames.duration_s if self._frames is not None else None

    def open(self) -> None:
        """Raises BadVideo, VideoTooLarge."""
        with self._one_at_a_time:
            self._frames = Frames(self._path, max_pixels=self._max_pixels)
            self._shots = self._cut(self._frames)

    def read(self) -> Piece:
        """Raises BadVideo, VideoTooLarge."""
        with self._one_at_a_time:
            shots: list[Shot] = []
            ends = monotonic() + PIECE_S
            while len(shots) < SHOTS_AT_ONCE and monotonic() < ends:
                try:
                    shot = next(self._shots)
                except StopIteration:
                    return Piece(shots=shots, read_s=self._read_s, last=True)
                if shot is not None:
                    shots.append(shot)
            return Piece(shots=shots, read_s=self._read_s, last=False)

    def close(self) -> None:
        """A piece that is being read ends soon."""
        self._stopped.set()
        with self._one_at_a_time:
            if self._frames is not None:
                self._frames.close()

    def missing(self) -> str | None:
        """After the last piece: what of the video could not be read, in words."""
        assert self._frames is not None, "open first"
        told = self.duration_s or 0.0
        if told - self._read_s > max(MISSING_S, MISSING_SHARE * told):
            return f"ends after {self._read_s:.1f} of {told:.1f} s"
        if self._frames.damaged:
            return f"{self._frames.damaged:,} damaged pieces were passed over"
        return None

    def _cut(self, frames: Frames) -> Iterator[Shot | None]:
        """Shots as they end; None for each frame that ends none. Raises BadVideo for a video without a frame."""
        shot: Gathering | None = None
        position = 0
        for frame in frames:
            if self._stopped.is_set():
                return
            look = frames.look(frame)
            if self._boundaries.begins(frame.time_s, look):
                if shot is not None:
                    yield shot.shot(frame.time_s)
                    position += 1
                shot = Gathering(position=position, start_s=frame.time_s, longest_s=self._boundaries.longest_s)
            assert shot is not None, "the first frame begins one"
            _add(shot, frames, frame, look)
            self._read_s = frame.time_s + frames.frame_s
            yield None
        if shot is None:
            raise BadVideo("not one frame of it can be decoded")
        yield shot.shot(self._read_s)


def _add(shot: Gathering, frames: Frames, frame: Frame, look: Look) -> None:
    def take() -> Candidate:
        width, height = frames.shown_size(frame)
        pixels = frames.picture(frame)
        return Candidate(time_s=frame.time_s, colours=look.colours, pixels=pixels, width=width, height=height)

    shot.add(frame.time_s, look, take)
