"""What every store refuses before it asks its engine."""

import math
import re
import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from typing import get_args

import msgspec

from shared.errors import Invalid
from shared.filter_check import FieldType
from shared.filters import Scalar
from shared.jobs import MAX_ID, FacetValue, Payload
from shared.payload_path import path_of
from workers.stores.protocol import Point

MAX_DIM = 65_536  # Qdrant's own limit
FLOAT_BYTES = 4
INDEX_TYPES = frozenset(get_args(FieldType))

# One part is a tenant, one a collection, one its generation when it was reindexed: none may hold a dot, so the dot
# separates them without doubt.
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}\.[a-z0-9][a-z0-9_-]{0,62}(\.[1-9][0-9]{0,8})?")


def is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def check_name(name: str) -> None:
    """Raises Invalid for what is no name of a stored collection; names become folders and addresses."""
    if not is_name(name):
        raise Invalid(f"{name[:140]!r} is not a collection's name", field="collection")


def check_new(name: str, dim: int, indexes: Mapping[str, str]) -> None:
    """Raises Invalid for a collection that no store can make."""
    check_name(name)
    if not 1 <= dim <= MAX_DIM:
        raise Invalid(f"a vector has 1 to {MAX_DIM} dimensions, not {dim}")
    for field, type_ in indexes.items():
        path_of(field)
        if type_ not in INDEX_TYPES:
            raise Invalid(f"{field!r} cannot be indexed as {type_!r}", field="payload")


def check_indexed(field: str, indexes: Mapping[str, str], *, types: Sequence[str]) -> None:
    """Raises Invalid for a field that has no index of these types."""
    if indexes.get(field) not in types:
        raise Invalid(f"the collection was made without an index of {field!r} as {', '.join(types)}")


def sorted_values(values: Iterable[FacetValue]) -> list[FacetValue]:
    """Largest counts first, of equal ones in the order of their values; engines also tell of values without any."""
    return sorted((one for one in values if one.count), key=lambda one: (-one.count, *_order(one.value)))


def _order(value: Scalar) -> tuple[float, str]:
    """Numbers as numbers: 2 before 10."""
    return (0.0, value) if isinstance(value, str) else (float(value), "")


def check_ids(ids: Iterable[int]) -> None:
    for id_ in ids:
        if not 0 <= id_ <= MAX_ID:
            raise Invalid(f"an id is 0 to {MAX_ID}, not {id_}", field="id")


def check_points(points: Sequence[Point]) -> None:
    """Raises Invalid for ids out of range and vectors of several dimensions, before any of the points is stored."""
    check_ids(point.id for point in points)
    if len({len(point.vector) for point in points}) > 1:
        raise Invalid("the vectors of one call differ in their dimension")


def check_payload(payload: Payload) -> None:
    """Raises Invalid for what a client cannot have sent as JSON: integers over 64 bits, lone surrogates, objects."""
    try:
        msgspec.msgpack.encode(payload)
    except (OverflowError, TypeError, ValueError, RecursionError) as error:
        raise Invalid(f"this payload cannot be stored: {error}", field="payload") from error


def floats(vector: bytes, *, dim: int) -> list[float]:
    """`dim` finite float32 out of little-endian bytes. Raises Invalid for another dimension, NaN and infinity."""
    if len(vector) != dim * FLOAT_BYTES:
        raise Invalid(f"the collection's vectors have {dim} dimensions, this one {len(vector) / FLOAT_BYTES:g}")
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    values = numbers.tolist()
    # NaN and infinity survive the sum, and unit vectors cannot overflow it.
    if not math.isfinite(sum(values)):
        raise Invalid("a vector holds numbers that are not finite")
    return values


def packed(values: Sequence[float]) -> bytes:
    """float32 little-endian bytes of an engine's numbers."""
    numbers = array("f", values)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()
