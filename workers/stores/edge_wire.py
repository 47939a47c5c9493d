"""What the worker and the process that owns Qdrant Edge say to each other: length-prefixed msgpack frames."""

from collections.abc import Iterator
from typing import Any

import msgspec

from shared.errors import CliplineError, CollectionNotFound, Invalid, StoreAway
from shared.jobs import Payload
from workers.stores.protocol import FacetQuery, OrderQuery, Point, VectorQuery

LENGTH_BYTES = 4
MAX_FRAME_BYTES = 256 * 2**20
# The id of the first frame: the process is ready, or why it cannot be.
HELLO = 0


class _Call(msgspec.Struct, frozen=True, tag=True, array_like=True):
    """One operation on the collection `name`; the answer's type stands beside it in the adapter."""


class Create(_Call, frozen=True):
    name: str
    dim: int
    indexes: dict[str, str]
    meta: dict[str, str]


class Drop(_Call, frozen=True):
    name: str


class Names(_Call, frozen=True):
    name: str = ""


class Describe(_Call, frozen=True):
    name: str


class SetMeta(_Call, frozen=True):
    name: str
    meta: dict[str, str]


class Upsert(_Call, frozen=True):
    name: str
    points: list[Point]


class SetPayloads(_Call, frozen=True):
    name: str
    payloads: dict[int, Payload]


class Delete(_Call, frozen=True):
    name: str
    ids: list[int]


class Retrieve(_Call, frozen=True):
    name: str
    ids: list[int]
    vectors: bool


class Scroll(_Call, frozen=True):
    name: str
    start: int
    limit: int


class Search(_Call, frozen=True):
    name: str
    queries: list[VectorQuery]


class Facets(_Call, frozen=True):
    name: str
    queries: list[FacetQuery]


class Ordered(_Call, frozen=True):
    name: str
    query: OrderQuery


class Sample(_Call, frozen=True):
    name: str
    limit: int


class Optimize(_Call, frozen=True):
    name: str


class Ping(_Call, frozen=True):
    name: str = ""


Read = Names | Describe | Retrieve | Scroll | Search | Sample | Facets | Ordered | Ping
Write = Create | Drop | SetMeta | Upsert | SetPayloads | Delete
Call = Read | Write | Optimize


class Request(msgspec.Struct, frozen=True, array_like=True):
    id: int
    call: Call


class Failure(msgspec.Struct, frozen=True, array_like=True):
    slug: str
    detail: str
    field: str | None = None


class Reply(msgspec.Struct, frozen=True, array_like=True):
    """Either `failure`, or `result` as the call's own type."""

    id: int
    result: msgspec.Raw = msgspec.Raw(b"\xc0")
    failure: Failure | None = None


_FAILURES: dict[str, type[CliplineError]] = {error.slug: error for error in (Invalid, CollectionNotFound, StoreAway)}


def failure_of(error: Exception) -> Failure:
    """What the engine itself raises (a full disk, a broken file) is a store that is away, with its words."""
    if isinstance(error, CliplineError):
        return Failure(error.slug, error.detail, error.field)
    return Failure(StoreAway.slug, f"the vector store failed: {error}"[:500])


def error_of(failure: Failure) -> CliplineError:
    return _FAILURES[failure.slug](failure.detail, field=failure.field)


def frame(message: Any) -> bytes:
    """Raises Invalid for a message over the bound."""
    body = msgspec.msgpack.encode(message)
    if len(body) > MAX_FRAME_BYTES:
        raise Invalid(f"more than {MAX_FRAME_BYTES // 2**20} MiB in one call to the vector store")
    return len(body).to_bytes(LENGTH_BYTES, "little") + body


class Frames:
    """Cuts a byte stream into frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """The frames that are complete now."""
        self._buffer += data
        while len(self._buffer) >= LENGTH_BYTES:
            end = LENGTH_BYTES + int.from_bytes(self._buffer[:LENGTH_BYTES], "little")
            if len(self._buffer) < end:
                return
            body = bytes(self._buffer[LENGTH_BYTES:end])
            del self._buffer[:end]
            yield body
