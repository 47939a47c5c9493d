"""Which JPEGs a decoder may have that never complains: only those that are whole, and of the usual kind.

nvJPEG gives pixels for a file that was cut off or has noise in it, where the CPU's way says BadPicture. So the segments
are walked to the end, and compressed data may hold no marker that does not belong there: one byte in 256 of noise is
0xFF, and hardly any of those is followed by what may follow. Whatever is unusual or doubtful is left to the CPU's way,
which knows what to do with it.
"""

import struct

import msgspec
import numpy as np
import numpy.typing as npt

from workers.ingest import orientation
from workers.ingest.jpeg_segments import FRAMES, Doubt, Frame, Tables, read_frame, require

START = b"\xff\xd8\xff"
END, SCAN = 0xD9, 0xDA
HUFFMAN, QUANTISATION, RESTARTS, COMMENT = 0xC4, 0xDB, 0xDD, 0xFE
APPLICATIONS = range(0xE0, 0xF0)
EXIF, ADOBE = 0xE1, 0xEE
RESTART = 0xD0  # the first of eight, used in turn
# What Adobe's segment says of colours that are stored as brightness and two differences.
YCC = 1
# A progressive picture has about ten scans; one with hundreds keeps a decoder busy for nothing.
MAX_SEGMENTS = 200


class Jpeg(msgspec.Struct, frozen=True, kw_only=True):
    """A whole one. Width and height are the stored ones; `turn` is EXIF's orientation."""

    data: npt.NDArray[np.uint8]  # (bytes,), its end marker the last
    width: int
    height: int
    turn: int
    has_less_colour: bool  # than brightness, as most photographs

    @property
    def pixels(self) -> int:
        return self.width * self.height

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width when it is upright."""
        lies, _, _ = orientation.steps(self.turn)
        return (self.width, self.height) if lies else (self.height, self.width)


def whole_jpeg(data: bytes) -> Jpeg | None:
    """None for any other file, and for one of which that is not certain. Any thread may call."""
    try:
        return _Walk(data).to_end() if data.startswith(START) else None
    except (Doubt, struct.error, IndexError, ValueError):
        # The last three say that a segment is shorter than what it should hold.
        return None


class _Walk:
    """From segment to segment of one file."""

    def __init__(self, data: bytes) -> None:
        self._data, self._bytes = data, np.frombuffer(data, np.uint8)
        self._tables = Tables()
        self._frame: Frame | None = None
        self._turn: int | None = None
        self._scans = 0
        self._may_restart = False
        self._markers: npt.NDArray[np.intp] | None = None

    def to_end(self) -> Jpeg:
        at = len(START) - 1
        for _ in range(MAX_SEGMENTS):
            filler, marker = self._data[at], self._data[at + 1]
            require(filler == 0xFF)
            if marker == END:
                return self._jpeg(at + 2)
            (length,) = struct.unpack_from(">H", self._data, at + 2)
            body, at = self._data[at + 4 : at + 2 + length], at + 2 + length
            if marker == SCAN:
                at = self._after_scan(body, at)
            else:
                self._read(marker, body)
        raise Doubt

    def _jpeg(self, end: int) -> Jpeg:
        # What cameras append are more pictures.
        require(self._scans > 0 and (end == len(self._data) or self._data.startswith(START, end)))
        frame = self._frame
        assert frame is not None, "a scan came after its frame"
        return Jpeg(
            data=self._bytes[:end].copy(),
            width=frame.width,
            height=frame.height,
            turn=self._turn or orientation.UPRIGHT,
            has_less_colour=frame.has_less_colour,
        )

    def _read(self, marker: int, body: bytes) -> None:
        if marker in FRAMES:
            require(self._frame is None)
            self._frame = read_frame(marker, body)
        elif marker == QUANTISATION:
            self._tables.read_quantisation(body)
        elif marker == HUFFMAN:
            self._tables.read_huffman(body)
        elif marker == RESTARTS:
            self._may_restart = any(body)
        else:
            require(marker == COMMENT or marker in APPLICATIONS)
            self._note(marker, body)

    def _note(self, marker: int, body: bytes) -> None:
        if marker == EXIF and body.startswith(b"Exif\0\0"):
            require(self._turn is None)
            self._turn = orientation.of_exif(body)
        if marker == ADOBE and body.startswith(b"Adobe"):
            require(body[11] == YCC)

    def _after_scan(self, body: bytes, start: int) -> int:
        """Where the segment behind the scan's compressed data begins."""
        frame = self._frame
        require(frame is not None and (frame.is_progressive or self._scans == 0))
        assert frame is not None
        self._tables.check_scan(frame, body)
        self._scans += 1
        if self._markers is None:
            self._markers = _markers(self._bytes, start)
        found = self._markers[np.searchsorted(self._markers, start) :]
        kinds = self._bytes[found + 1]
        count = int(np.flatnonzero((kinds & 0xF8) != RESTART)[0])
        require(count == 0 or self._may_restart)
        require(bool((kinds[:count] == RESTART + np.arange(count) % 8).all()))
        return int(found[count])


def _markers(data: npt.NDArray[np.uint8], start: int) -> npt.NDArray[np.intp]:
    """Where 0xFF is followed by anything but the zero that says that it is no marker."""
    found = np.flatnonzero(data[start:-1] == 0xFF) + start
    markers: npt.NDArray[np.intp] = found[data[found + 1] != 0]
    return markers
