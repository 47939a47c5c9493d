"""Whether a filter fits its bounds and its collection: typed where the collection declares a field."""

from collections.abc import Mapping
from typing import Literal

from shared.errors import Invalid
from shared.filters import MAX_CONDITIONS, MAX_DEPTH, Condition, Filter, Scalar, TextMatch
from shared.payload_path import path_of

FieldType = Literal["keyword", "integer", "float", "bool", "datetime", "geo", "text"]

INT64 = range(-(2**63), 2**63)
# What each declared type can be asked; whether a field is empty or null can be asked of all.
ASKED: dict[str, str] = {
    "keyword": "match with words",
    "integer": "match with integers, or range with numbers",
    "float": "range with numbers",
    "bool": "match with true or false",
    "datetime": "range with moments in ISO 8601",
    "geo": "geo_radius or geo_bounding_box",
    "text": "match with text or text_any",
}
_ALWAYS = frozenset({"is_empty", "is_null"})
_TAKES: dict[str, frozenset[str]] = {
    "keyword": frozenset({"match str"}),
    "integer": frozenset({"match int", "range number"}),
    "float": frozenset({"range number"}),
    "bool": frozenset({"match bool"}),
    "datetime": frozenset({"range moment"}),
    "geo": frozenset({"geo_radius", "geo_bounding_box"}),
    "text": frozenset({"match text"}),
}


def check_filter(filter_: Filter, schema: Mapping[str, str], *, field: str = "filter") -> None:
    """Raises Invalid, naming the condition, for one that is too deep, too long, or does not fit its field's type."""
    _Check(schema, root=field).filter(filter_, at=field, prefix="", depth=1)


class _Check:
    """One walk over a filter, counting."""

    def __init__(self, schema: Mapping[str, str], *, root: str) -> None:
        self.schema = schema
        self.root = root
        self.count = 0

    def filter(self, filter_: Filter, *, at: str, prefix: str, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise Invalid(f"filters go at most {MAX_DEPTH} levels deep", field=self.root)
        for place, condition in filter_.conditions():
            self.count += 1
            if self.count > MAX_CONDITIONS:
                raise Invalid(f"at most {MAX_CONDITIONS} conditions, inner ones included", field=self.root)
            self._condition(condition, at=f"{at}.{place}", prefix=prefix, depth=depth)

    def _condition(self, condition: Condition, *, at: str, prefix: str, depth: int) -> None:
        if condition.nested is not None:
            inner = f"{prefix}{_path(condition.nested.key, at=f'{at}.nested.key')}[]."
            self.filter(condition.nested.filter, at=f"{at}.nested.filter", prefix=inner, depth=depth + 1)
        elif condition.key is None:
            self.filter(condition.inner, at=at, prefix=prefix, depth=depth + 1)
        else:
            self._field(condition, condition.key, at=at, prefix=prefix)

    def _field(self, condition: Condition, key: str, *, at: str, prefix: str) -> None:
        path, test = prefix + _path(key, at=f"{at}.key"), condition.test
        for value in condition.values:
            if isinstance(value, int) and value not in INT64:
                raise Invalid(f"{value} is larger than stored integers are", field=f"{at}.match")
        type_ = self.schema.get(path) or self.schema.get(prefix + key)
        if type_ is not None and test not in _ALWAYS and not _kinds(condition) <= _TAKES[type_]:
            raise Invalid(f"{prefix}{key} is declared as {type_}: it takes {ASKED[type_]}", field=f"{at}.{test}")


def _path(key: str, *, at: str) -> str:
    try:
        return path_of(key)
    except Invalid as error:
        raise Invalid(error.detail, field=at) from error


def _kinds(condition: Condition) -> set[str]:
    """What the condition asks, with the type of what it compares to."""
    if isinstance(condition.match, TextMatch):
        return {"match text"}
    if condition.match is not None:
        return {f"match {_type(value)}" for value in condition.values}
    if condition.range is not None:
        return {"range moment" if condition.range.of_moments else "range number"}
    return {str(condition.test)}


def _type(value: Scalar) -> str:
    return type(value).__name__
