"""Payload filters: must, should and must_not over conditions, in Qdrant's words."""

from typing import Annotated

import msgspec

MAX_CONDITIONS = 64
MAX_VALUES = 1_000

Scalar = str | int | bool
Key = Annotated[str, msgspec.Meta(min_length=1, max_length=256, pattern=r"^[^_\x00-\x1f][^\x00-\x1f]*(?!\n)$")]
Values = Annotated[list[Scalar], msgspec.Meta(min_length=1, max_length=MAX_VALUES)]


class Range(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """Bounds of a number; at least one is given."""

    gt: float | None = None
    gte: float | None = None
    lt: float | None = None
    lte: float | None = None

    def __post_init__(self) -> None:
        if self.gt is None and self.gte is None and self.lt is None and self.lte is None:
            raise ValueError("a range needs gt, gte, lt or lte")


class Condition(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One test of a payload field: equal to a value, to any of a list, or a number within a range."""

    key: Key
    match: Scalar | Values | None = None
    range: Range | None = None

    def __post_init__(self) -> None:
        if (self.match is None) == (self.range is None):
            raise ValueError("a condition needs either match or range")


Conditions = Annotated[list[Condition], msgspec.Meta(max_length=MAX_CONDITIONS)]


class Filter(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """All of `must`, at least one of `should` (when there are any), none of `must_not`."""

    must: Conditions = msgspec.field(default_factory=list)
    should: Conditions = msgspec.field(default_factory=list)
    must_not: Conditions = msgspec.field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.must or self.should or self.must_not)
