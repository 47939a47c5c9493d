"""`seq`: a stream offset in fixed width, so that it orders as text, and the epoch of the stream that it belongs to."""

from shared.events import START, order

ALL = "0"


def to_seq(offset: str, epoch: str) -> str:
    ms, number = order(offset)
    return f"{ms:015d}-{number:010d}-{epoch}"


def to_offset(seq: str, epoch: str) -> str | None:
    """The offset to resume from; None for a seq that is malformed or of another epoch."""
    if seq == ALL:
        return START
    ms, _, rest = seq.partition("-")
    number, _, theirs = rest.partition("-")
    if theirs != epoch or not (_is_number(ms, 15) and _is_number(number, 10)):
        return None
    return f"{int(ms)}-{int(number)}"


def _is_number(text: str, width: int) -> bool:
    return len(text) == width and text.isascii() and text.isdecimal()
