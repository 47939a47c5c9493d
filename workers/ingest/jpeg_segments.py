"""What the segments of a JPEG say, taken only where it is what ITU-T T.81 (annex B) allows and libjpeg accepts."""

import struct

import msgspec

PROGRESSIVE = 0xC2
FRAMES = frozenset({0xC0, 0xC1, PROGRESSIVE})
TABLES = 4  # of each kind
QUANTISATION_BYTES = 64
LENGTHS = 16  # of codes, in bits
DC, AC = 0x00, 0x10
MOST_DC = 15
SPECTRUM = 63
# Samples of brightness for one of colour, horizontally and vertically, in four bits each: whether they are several.
SAMPLINGS = {0x11: False, 0x21: True, 0x22: True}


class Doubt(Exception):
    """The CPU's way decides."""


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """A picture's size and kind; `names` are those of its one or three channels."""

    width: int
    height: int
    names: bytes
    quantised_by: frozenset[int]
    has_less_colour: bool
    is_progressive: bool


def require(holds: bool) -> None:
    if not holds:
        raise Doubt


def read_frame(marker: int, body: bytes) -> Frame:
    """8 bits deep, grey or brightness with two differences of colour."""
    bits, height, width, channels = struct.unpack_from(">BHHB", body)
    require(bits == 8 and height > 0 and width > 0 and channels in {1, 3} and len(body) == 6 + 3 * channels)
    names, samplings, tables = body[6::3], body[7::3], body[8::3]
    if channels == 3:
        require(names != b"RGB" and len(set(names)) == 3 and samplings[1:] == b"\x11\x11")
    require(samplings[0] in SAMPLINGS)
    return Frame(
        width=width,
        height=height,
        names=names,
        quantised_by=frozenset(tables),
        has_less_colour=channels == 3 and SAMPLINGS[samplings[0]],
        is_progressive=marker == PROGRESSIVE,
    )


class Tables:
    """Those that a file has brought so far."""

    def __init__(self) -> None:
        self.quantisation: set[int] = set()
        self.huffman: set[int] = set()

    def read_quantisation(self, body: bytes) -> None:
        while body:
            require(body[0] < TABLES and len(body) > QUANTISATION_BYTES)
            self.quantisation.add(body[0])
            body = body[1 + QUANTISATION_BYTES :]

    def read_huffman(self, body: bytes) -> None:
        while body:
            kind, counts = body[0], body[1 : 1 + LENGTHS]
            end = 1 + LENGTHS + sum(counts)
            require((kind & ~AC) < TABLES and end <= len(body) and sum(counts) <= 256)
            require(kind >= AC or max(body[1 + LENGTHS : end], default=0) <= MOST_DC)
            free = 1
            for count in counts:
                # No code is all ones.
                free = 2 * free - count
                require(free > 0)
            self.huffman.add(kind)
            body = body[end:]

    def check_scan(self, frame: Frame, body: bytes) -> None:
        """It may only use what is there."""
        count = body[0]
        names, used = body[1 : 1 + 2 * count : 2], body[2 : 2 + 2 * count : 2]
        first, last, steps = body[1 + 2 * count :]
        require(count > 0 and names == bytes(name for name in frame.names if name in names))
        require(self.quantisation >= frame.quantised_by)
        if frame.is_progressive:
            require(_is_step(count, first, last, steps))
        else:
            require(names == frame.names and (first, last, steps) == (0, SPECTRUM, 0))
        if first == 0 and steps < 16:
            require({DC | tables >> 4 for tables in used} <= self.huffman)
        if last > 0:
            require({AC | tables & 15 for tables in used} <= self.huffman)


def _is_step(count: int, first: int, last: int, steps: int) -> bool:
    """Of a progressive picture: some of the spectrum, and which bits of it come after which were there."""
    before, now = divmod(steps, 16)
    band = last == 0 if first == 0 else count == 1 and first <= last <= SPECTRUM
    return band and now <= 13 and (before == 0 or now == before - 1)
