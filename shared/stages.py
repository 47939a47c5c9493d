"""What a job that takes long is doing: told to whoever listens just then, kept by nobody."""

from collections.abc import Sequence
from typing import Literal

import msgspec

Stage = Literal["encode", "search", "ingest", "video", "reindex"]


class Note(msgspec.Struct, frozen=True, array_like=True):
    """A running job's stage; of an ingest or a reindex also how many are done, of a video seconds."""

    job: str
    stage: Stage
    done: int | None = None
    total: int | None = None


_decoder = msgspec.msgpack.Decoder(list[Note])


def pack(notes: Sequence[Note]) -> bytes:
    return msgspec.msgpack.encode(notes)


def unpack(data: bytes) -> list[Note]:
    """Raises msgspec.DecodeError."""
    return _decoder.decode(data)
