"""`seq`: a stream offset in fixed width, so that it orders as text, and the epoch of the stream that it belongs to.

A frame that tells of no event of its own (a snapshot, a place in the queue) adds a number to the one before it.
"""

from functools import lru_cache

from shared.events import START, order

ALL = "0"


@lru_cache(1_024)
def to_seq(offset: str, epoch: str) -> str:
    ms, number = order(offset)
    return f"{ms:015d}-{number:010d}-{epoch}"


def following(seq: str) -> str:
    """The next one of those that resume at the same place; `~` comes after everything that an epoch is made of."""
    place, _, number = seq.partition("~")
    return f"{place}~{int(number or 0) + 1:06d}"


def to_offset(seq: str, epoch: str) -> str | None:
    """The offset to resume from; None for a seq that is malformed or of another epoch."""
    if seq == ALL:
        return START
    place, mark, added = seq.partition("~")
    ms, _, rest = place.partition("-")
    number, _, theirs = rest.partition("-")
    well_formed = _is_number(ms, 15) and _is_number(number, 10) and (not mark or _is_number(added, 6))
    return f"{int(ms)}-{int(number)}" if well_formed and theirs == epoch else None


def _is_number(text: str, width: int) -> bool:
    return len(text) == width and text.isascii() and text.isdecimal()
