"""What a filter may say: its words, its bounds, and the types that a collection declares."""

from typing import Any

import msgspec
import pytest

from shared.errors import BadRequest, Invalid
from shared.filter_check import check_filter
from shared.filters import MAX_CONDITIONS, MAX_DEPTH, Condition, Filter, Nested, Range, both, moment
from shared.jobs import Search
from shared.problems import decode_json

SCHEMA = {
    "word": "keyword",
    "n": "integer",
    "x": "float",
    "flag": "bool",
    "at": "datetime",
    "place": "geo",
    "title": "text",
    "parts[].n": "integer",
}
HERE = {"center": {"lon": 13.4, "lat": 52.5}, "radius": 1000}
BOX = {"top_left": {"lon": 170, "lat": 10}, "bottom_right": {"lon": -170, "lat": -10}}


def read(**filter_: Any) -> Filter:
    return msgspec.convert(filter_, Filter)


def refused(filter_: Filter) -> str | None:
    with pytest.raises(Invalid) as raised:
        check_filter(filter_, SCHEMA)
    return raised.value.field


@pytest.mark.parametrize(
    "condition",
    [
        {"key": "word", "match": "a"},
        {"key": "word", "match": ["a", "b"]},
        {"key": "n", "match": 3},
        {"key": "n", "range": {"gte": 1}},
        {"key": "x", "range": {"lt": 1.5}},
        {"key": "flag", "match": True},
        {"key": "at", "range": {"gte": "2026-11-21", "lt": "2026-11-21T09:00:00+02:00"}},
        {"key": "place", "geo_radius": HERE},
        {"key": "place", "geo_bounding_box": BOX},
        {"key": "title", "match": {"text": "red fox"}},
        {"key": "title", "match": {"text_any": "red fox"}},
        {"key": "n", "is_empty": False},
        {"key": "place", "is_null": True},
        {"nested": {"key": "parts", "filter": {"must": [{"key": "n", "match": 3}]}}},
        {"should": [{"key": "n", "match": 3}, {"must_not": [{"key": "undeclared", "match": 3}]}]},
    ],
)
def test_what_fits_its_field_passes(condition: dict[str, Any]) -> None:
    check_filter(read(must=[condition]), SCHEMA)


@pytest.mark.parametrize(
    ("condition", "field"),
    [
        ({"key": "word", "match": 3}, "match"),
        ({"key": "word", "match": ["a", True]}, "match"),
        ({"key": "word", "match": {"text": "a"}}, "match"),
        ({"key": "word", "range": {"gt": 1}}, "range"),
        ({"key": "n", "match": "3"}, "match"),
        ({"key": "n", "match": True}, "match"),
        ({"key": "n", "match": 2**63}, "match"),
        ({"key": "undeclared", "match": 2**63}, "match"),
        ({"key": "n", "range": {"gt": "2026-11-21"}}, "range"),
        ({"key": "x", "match": 3}, "match"),
        ({"key": "flag", "match": 1}, "match"),
        ({"key": "at", "range": {"gt": 1}}, "range"),
        ({"key": "at", "match": "2026-11-21"}, "match"),
        ({"key": "place", "match": "here"}, "match"),
        ({"key": "title", "geo_radius": HERE}, "geo_radius"),
        ({"key": "title", "geo_bounding_box": BOX}, "geo_bounding_box"),
        ({"key": "a[", "match": 1}, "key"),
        ({"nested": {"key": "parts", "filter": {"must": [{"key": "n", "match": "a"}]}}}, "nested.filter.must[0].match"),
        ({"nested": {"key": "x..y", "filter": {"must": [{"key": "n", "match": "a"}]}}}, "nested.key"),
        ({"must_not": [{"key": "n", "match": 1}, {"key": "n", "match": "1"}]}, "must_not[1].match"),
    ],
)  # fmt: skip
def test_what_does_not_fit_names_its_place(condition: dict[str, Any], field: str) -> None:
    assert refused(read(should=[{"key": "word", "match": "a"}, condition])) == f"filter.should[1].{field}"


@pytest.mark.parametrize(
    "condition",
    [
        {},
        {"key": "a"},
        {"match": 1},
        {"key": "a", "match": 1, "is_null": True},
        {"key": "a", "must": [{"key": "a", "match": 1}]},
        {"key": "a", "nested": {"key": "a", "filter": {"must": [{"key": "a", "match": 1}]}}},
        {"nested": {"key": "a", "filter": {}}},
        {"key": "a", "match": []},
        {"key": "a", "match": {}},
        {"key": "a", "match": {"text": "a", "text_any": "a"}},
        {"key": "a", "range": {}},
        {"key": "a", "range": {"gt": 1, "lt": "2026-11-21"}},
        {"key": "a", "range": {"gt": "yesterday"}},
        {"key": "a", "range": {"gt": float("inf")}},
        {"key": "a", "geo_radius": {"center": {"lon": 181, "lat": 0}, "radius": 1}},
        {"key": "a", "geo_radius": {"center": {"lon": 0, "lat": 0}, "radius": 0}},
        {"key": "a", "geo_bounding_box": {"top_left": {"lon": 0, "lat": 0}, "bottom_right": {"lon": 1, "lat": 1}}},
        {"has_id": [1]},
        {"key": "_clipline", "is_null": True},
    ],
)
def test_what_says_nothing_or_too_much_is_no_condition(condition: dict[str, Any]) -> None:
    with pytest.raises(msgspec.ValidationError, match=r"\$\.must\[0\]"):
        read(must=[condition])


def deep(levels: int) -> dict[str, Any]:
    filter_: dict[str, Any] = {"must": [{"key": "n", "match": 1}]}
    for _ in range(levels - 1):
        filter_ = {"must": [filter_]}
    return filter_


def test_depth_and_number_are_bounded() -> None:
    check_filter(read(**deep(MAX_DEPTH)), SCHEMA)
    assert refused(read(**deep(MAX_DEPTH + 1))) == "filter"
    assert refused(read(**deep(50))) == "filter"
    many = [Condition(key="n", match=1)] * (MAX_CONDITIONS // 2)
    check_filter(Filter(must=many, should=many), {})
    assert refused(Filter(must=many, should=many, must_not=many[:1])) == "filter"
    assert refused(Filter(must=[Condition(nested=Nested(key="a", filter=Filter(must=many, should=many)))])) == "filter"


@pytest.mark.parametrize("levels", [50, 300, 5_000, 100_000])
def test_any_depth_of_json_is_an_error_that_says_so(levels: int) -> None:
    inner = '{"must":[' * levels + '{"key":"n","match":1}' + "]}" * levels
    with pytest.raises((Invalid, BadRequest), match="deep"):
        check_filter(
            decode_json(f'{{"collection":"a","query":{{"text":"a"}},"filter":{inner}}}'.encode(), Search).filter, SCHEMA
        )


def test_two_filters_both_hold() -> None:
    one, other = read(must=[{"key": "a", "match": 1}]), read(should=[{"key": "b", "match": 2}])
    assert both(None, other) == both(Filter(), other) == other
    assert [condition.inner for condition in both(one, other).must] == [one, other]


def test_moments_are_read_in_utc() -> None:
    assert moment("2026-11-21T09:00:00+02:00") == moment("2026-11-21T07:00:00Z") == moment("2026-11-21T07:00:00")
    assert moment("2026-11-21").isoformat() == "2026-11-21T00:00:00+00:00"
    for text in ("yesterday", "0001-01-01T00:00:00+10:00", "2026-13-01", ""):
        with pytest.raises(ValueError, match="moment"):
            moment(text)
    with pytest.raises(ValueError, match="range"):
        Range()
