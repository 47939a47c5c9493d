"""Payload filters: must, should and must_not over conditions, in Qdrant's words."""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Annotated

import msgspec

# Of a whole filter, its inner ones included; `shared.filter_check` counts.
MAX_CONDITIONS = 128
MAX_DEPTH = 8
MAX_VALUES = 1_000

Scalar = str | int | bool
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=256, pattern=r"^[^_\x00-\x1f][^\x00-\x1f]*(?!\n)$")]
Values = Annotated[list[Scalar], msgspec.Meta(min_length=1, max_length=MAX_VALUES)]
Words = Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]
Moment = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Longitude = Annotated[float, msgspec.Meta(ge=-180, le=180)]
Latitude = Annotated[float, msgspec.Meta(ge=-90, le=90)]
Metres = Annotated[float, msgspec.Meta(gt=0, le=30_000_000)]


class _Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A part of a filter: immutable, and strict about names."""


class Range(_Part, frozen=True):
    """Bounds of a number, or of a moment in ISO 8601 (UTC where no offset is said); at least one is given."""

    gt: float | Moment | None = None
    gte: float | Moment | None = None
    lt: float | Moment | None = None
    lte: float | Moment | None = None

    def __post_init__(self) -> None:
        if not self.bounds:
            raise ValueError("a range needs gt, gte, lt or lte")
        if len({isinstance(bound, str) for bound in self.bounds.values()}) > 1:
            raise ValueError("the bounds of a range are all numbers or all moments")
        for bound in self.bounds.values():
            if isinstance(bound, str):
                moment(bound)
            elif not math.isfinite(bound):
                raise ValueError("a bound is a finite number")

    @property
    def bounds(self) -> dict[str, float | str]:
        given = {"gt": self.gt, "gte": self.gte, "lt": self.lt, "lte": self.lte}
        return {name: bound for name, bound in given.items() if bound is not None}

    @property
    def of_moments(self) -> bool:
        return any(isinstance(bound, str) for bound in self.bounds.values())


def moment(text: str) -> datetime:
    """In UTC; a date alone is its midnight. Raises ValueError for what is not ISO 8601."""
    try:
        parsed = datetime.fromisoformat(text)
        return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} is not a moment in ISO 8601, as 2026-11-21T09:00:00Z") from error


class TextMatch(_Part, frozen=True):
    """All words of `text`, or at least one of `text_any`; whole words, whatever their case."""

    text: Words | None = None
    text_any: Words | None = None

    def __post_init__(self) -> None:
        if (self.text is None) == (self.text_any is None):
            raise ValueError("a text match needs either text or text_any")


class GeoPoint(_Part, frozen=True):
    """Degrees, as payloads have them."""

    lon: Longitude
    lat: Latitude


class GeoRadius(_Part, frozen=True):
    """Within `radius` metres of a point."""

    center: GeoPoint
    radius: Metres


class GeoBox(_Part, frozen=True):
    """Between two corners; one whose left edge lies east of its right one goes around the date line."""

    top_left: GeoPoint
    bottom_right: GeoPoint

    def __post_init__(self) -> None:
        if self.top_left.lat <= self.bottom_right.lat:
            raise ValueError("top_left lies north of bottom_right")


class Nested(_Part, frozen=True):
    """At least one object of the list at `key` passes the whole filter, whose keys start at that object."""

    key: Key
    filter: "Filter"

    def __post_init__(self) -> None:
        if not self.filter:
            raise ValueError("the filter of nested says something")


class Condition(_Part, frozen=True):
    """One test of the payload field `key`, or a `nested` one, or an inner filter of must, should and must_not."""

    key: Key | None = None
    match: Scalar | Values | TextMatch | None = None
    range: Range | None = None
    geo_radius: GeoRadius | None = None
    geo_bounding_box: GeoBox | None = None
    is_empty: bool | None = None
    is_null: bool | None = None
    nested: Nested | None = None
    must: "Conditions" = msgspec.field(default_factory=list)
    should: "Conditions" = msgspec.field(default_factory=list)
    must_not: "Conditions" = msgspec.field(default_factory=list)

    def __post_init__(self) -> None:
        tests = [name for name in TESTS if getattr(self, name) is not None]
        whole = (self.nested is not None) + bool(self.must or self.should or self.must_not)
        if len(tests) + whole != 1 or (self.key is None) != (not tests):
            raise ValueError(f"a condition is a key with one of {', '.join(TESTS)}; or nested; or an inner filter")

    @property
    def test(self) -> str | None:
        """Which test of `key` this is; None for a nested one and an inner filter."""
        return next((name for name in TESTS if getattr(self, name) is not None), None)

    @property
    def inner(self) -> "Filter":
        return Filter(must=self.must, should=self.should, must_not=self.must_not)

    @property
    def values(self) -> Sequence[Scalar]:
        """What `match` lists; nothing for a match of words."""
        if self.match is None or isinstance(self.match, TextMatch):
            return ()
        return self.match if isinstance(self.match, list) else [self.match]


TESTS = ("match", "range", "geo_radius", "geo_bounding_box", "is_empty", "is_null")
Conditions = Annotated[list[Condition], msgspec.Meta(max_length=MAX_CONDITIONS)]


class Filter(_Part, frozen=True):
    """All of `must`, at least one of `should` (when there are any), none of `must_not`."""

    must: Conditions = msgspec.field(default_factory=list)
    should: Conditions = msgspec.field(default_factory=list)
    must_not: Conditions = msgspec.field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.must or self.should or self.must_not)

    def conditions(self) -> Iterator[tuple[str, Condition]]:
        """Each with its place, as `must[0]`."""
        for name, conditions in (("must", self.must), ("should", self.should), ("must_not", self.must_not)):
            for index, condition in enumerate(conditions):
                yield f"{name}[{index}]", condition


def both(one: Filter | None, other: Filter) -> Filter:
    """What passes both; neither's lists grow, so that a filter at its bounds stays one."""
    return other if not one else Filter(must=[whole(one), whole(other)])


def whole(one: Filter) -> Condition:
    """A filter that says something, as one condition."""
    return Condition(must=one.must, should=one.should, must_not=one.must_not)
