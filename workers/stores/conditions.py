"""Filters and exclusions, said in the words of a client library."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from shared.errors import Invalid
from shared.filter_check import INT64
from shared.filters import Condition, Filter, GeoBox, GeoRadius, Range, Scalar, TextMatch, moment
from shared.payload_path import path_of
from workers.stores.protocol import VectorQuery


class Dialect(NamedTuple):
    """How one library builds each kind of condition."""

    filter: Callable[..., Any]
    field: Callable[..., Any]
    value: Callable[[Scalar], Any]
    any_of: Callable[[Sequence[str] | Sequence[int]], Any]
    words: Callable[[TextMatch], Any]
    numbers: Callable[..., Any]
    moments: Callable[..., Any]
    radius: Callable[[GeoRadius], Any]
    box: Callable[[GeoBox], Any]
    empty: Callable[[str], Any]
    null: Callable[[str], Any]
    nested: Callable[[str, Any], Any]
    has_id: Callable[[Sequence[int]], Any]


def build(query: VectorQuery, dialect: Dialect) -> Any | None:
    """The library's filter for everything that narrows the query, or None."""
    filter_ = query.filter or Filter()
    return _filter(filter_, dialect, excluded=_exclusions(query, dialect))


def build_filter(filter_: Filter | None, dialect: Dialect) -> Any | None:
    """The library's filter, or None."""
    return _filter(filter_ or Filter(), dialect)


def _filter(filter_: Filter, dialect: Dialect, *, excluded: Sequence[Any] = ()) -> Any | None:
    must, should, must_not = (
        [_condition(one, dialect) for one in part] for part in (filter_.must, filter_.should, filter_.must_not)
    )
    must_not += excluded
    if not (must or should or must_not):
        return None
    return dialect.filter(must=must or None, should=should or None, must_not=must_not or None)


def _exclusions(query: VectorQuery, dialect: Dialect) -> list[Any]:
    excluded = [dialect.has_id(query.exclude_ids)] if query.exclude_ids else []
    if not query.exclude_groups:
        return excluded
    if query.exclude_field is None:
        raise Invalid("the collection has no group field to exclude by", field="exclude.groups")
    key = path_of(query.exclude_field)
    return [*excluded, *(dialect.field(key=key, match=match) for match in _matches(query.exclude_groups, dialect))]


def _condition(condition: Condition, dialect: Dialect) -> Any:
    if condition.nested is not None:
        return dialect.nested(path_of(condition.nested.key), _filter(condition.nested.filter, dialect))
    if condition.key is None:
        return _filter(condition.inner, dialect)
    return _WAYS[str(condition.test)](condition, path_of(condition.key), dialect)


def _match(condition: Condition, key: str, dialect: Dialect) -> Any:
    if isinstance(condition.match, TextMatch):
        return dialect.field(key=key, match=dialect.words(condition.match))
    fields = [dialect.field(key=key, match=match) for match in _matches(condition.values, dialect)]
    return fields[0] if len(fields) == 1 else dialect.filter(should=fields)


def _range(condition: Condition, key: str, dialect: Dialect) -> Any:
    assert condition.range is not None, "told apart by the test"
    return dialect.field(key=key, range=_bounds(condition.range, dialect))


def _bounds(bounds: Range, dialect: Dialect) -> Any:
    if bounds.of_moments:
        return dialect.moments(**{name: moment(str(bound)).isoformat() for name, bound in bounds.bounds.items()})
    return dialect.numbers(**bounds.bounds)


def _radius(condition: Condition, key: str, dialect: Dialect) -> Any:
    assert condition.geo_radius is not None, "told apart by the test"
    return dialect.field(key=key, geo_radius=dialect.radius(condition.geo_radius))


def _box(condition: Condition, key: str, dialect: Dialect) -> Any:
    assert condition.geo_bounding_box is not None, "told apart by the test"
    return dialect.field(key=key, geo_bounding_box=dialect.box(condition.geo_bounding_box))


def _empty(condition: Condition, key: str, dialect: Dialect) -> Any:
    test = dialect.empty(key)
    return test if condition.is_empty else dialect.filter(must_not=[test])


def _null(condition: Condition, key: str, dialect: Dialect) -> Any:
    test = dialect.null(key)
    return test if condition.is_null else dialect.filter(must_not=[test])


_WAYS: dict[str, Callable[[Condition, str, Dialect], Any]] = {
    "match": _match,
    "range": _range,
    "geo_radius": _radius,
    "geo_bounding_box": _box,
    "is_empty": _empty,
    "is_null": _null,
}


def _matches(values: Sequence[Scalar], dialect: Dialect) -> list[Any]:
    """One match for each type among the values: Qdrant's any-of lists hold strings or integers alone."""
    words = [value for value in values if isinstance(value, str)]
    flags = {value for value in values if isinstance(value, bool)}
    numbers = [value for value in values if isinstance(value, int) and not isinstance(value, bool)]
    if any(number not in INT64 for number in numbers):
        raise Invalid("a value is larger than stored integers are", field="filter")
    lists: list[list[str] | list[int]] = [words, numbers]
    return [dialect.any_of(some) for some in lists if some] + [dialect.value(flag) for flag in sorted(flags)]
