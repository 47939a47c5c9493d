"""Filters and exclusions, said in the words of a client library."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from shared.errors import Invalid
from shared.filters import Condition, Filter, Range, Scalar
from workers.stores.paths import path_of
from workers.stores.protocol import VectorQuery

INT64 = range(-(2**63), 2**63)


class Dialect(NamedTuple):
    """How one library builds each kind of condition."""

    filter: Callable[..., Any]
    field: Callable[..., Any]
    value: Callable[[Scalar], Any]
    any_of: Callable[[Sequence[str] | Sequence[int]], Any]
    range: Callable[[Range], Any]
    has_id: Callable[[Sequence[int]], Any]


def check_filter(filter_: Filter) -> None:
    """Raises Invalid for a filter that no store can apply; a batch of many people's queries checks each alone."""
    for condition in (*filter_.must, *filter_.should, *filter_.must_not):
        path_of(condition.key)
        for value in _values(condition):
            if isinstance(value, int) and value not in INT64:
                raise Invalid(f"{value} is larger than stored integers are", field="filter")


def build(query: VectorQuery, dialect: Dialect) -> Any | None:
    """The library's filter for everything that narrows the query, or None."""
    filter_ = query.filter or Filter()
    check_filter(filter_)
    must, should, must_not = (
        [_condition(one, dialect) for one in part] for part in (filter_.must, filter_.should, filter_.must_not)
    )
    must_not += _exclusions(query, dialect)
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
    key = path_of(condition.key)
    if condition.range is not None:
        return dialect.field(key=key, range=dialect.range(condition.range))
    fields = [dialect.field(key=key, match=match) for match in _matches(_values(condition), dialect)]
    return fields[0] if len(fields) == 1 else dialect.filter(should=fields)


def _values(condition: Condition) -> Sequence[Scalar]:
    if condition.match is None:
        return ()
    return condition.match if isinstance(condition.match, list) else [condition.match]


def _matches(values: Sequence[Scalar], dialect: Dialect) -> list[Any]:
    """One match for each type among the values: Qdrant's any-of lists hold strings or integers alone."""
    words = [value for value in values if isinstance(value, str)]
    flags = {value for value in values if isinstance(value, bool)}
    numbers = [value for value in values if isinstance(value, int) and not isinstance(value, bool)]
    lists: list[list[str] | list[int]] = [words, numbers]
    return [dialect.any_of(some) for some in lists if some] + [dialect.value(flag) for flag in sorted(flags)]
