"""Payloads, filters over them, and what a filter means, said plainly."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from shared.filters import (
    Condition,
    Filter,
    GeoBox,
    GeoPoint,
    GeoRadius,
    Nested,
    Range,
    TextMatch,
    moment,
    whole,
)

INDEXES = {
    "label": "keyword",
    "n": "integer",
    "x": "float",
    "flag": "bool",
    "taken": "datetime",
    "place": "geo",
    "title": "text",
}
WORDS = ["a", "b", "c", "ż ł"]
EARTH_M = 6_371_008.8

words = st.sampled_from(WORDS)
numbers = st.integers(-3, 3)
halves = st.integers(-6, 6).map(lambda n: n / 2)
tens = st.integers(-17, 17).map(lambda n: n * 10)
latitudes = st.integers(-8, 8).map(lambda n: n * 10)
hours = st.integers(-30, 30).map(lambda h: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=h))
# As people write them: in UTC, with an offset and microseconds, as a date alone.
WRITTEN: list[Callable[[datetime], str]] = [
    lambda at: at.strftime("%Y-%m-%dT%H:%M:%SZ"),
    lambda at: at.isoformat(),
    lambda at: (at + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%S.000001+02:00"),
    lambda at: at.strftime("%Y-%m-%d"),
]
moments = st.tuples(hours, st.sampled_from(WRITTEN)).map(lambda one: one[1](one[0]))
places = st.fixed_dictionaries({"lon": tens, "lat": latitudes})
titles = st.lists(st.sampled_from(["Red", "fox", "FOX,", "brown-ish", "Żółw", "2026"]), min_size=1, max_size=4).map(
    " ".join
)
inner = st.fixed_dictionaries({}, optional={"s": words, "n": numbers})

payloads = st.fixed_dictionaries(
    {},
    optional={
        "label": words,
        "n": numbers,
        "x": halves,
        "flag": st.booleans(),
        "tags": st.lists(words, max_size=3),
        "deep": st.fixed_dictionaries({"odd key": words, "n": numbers}),
        "taken": moments | st.lists(moments, max_size=2),
        "when": moments,
        "place": places | st.lists(places, max_size=2),
        "spot": places,
        "title": titles,
        "text": titles,
        "none": st.none(),
        "parts": st.lists(inner, max_size=3),
    },
)


def ranges(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Range]:
    bounds = st.dictionaries(st.sampled_from(["gt", "gte", "lt", "lte"]), values, min_size=1)
    return bounds.map(lambda some: Range(**some))


def either(one: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return one | st.lists(one, min_size=1, max_size=3)


def keys(*names: str) -> st.SearchStrategy[str]:
    return st.sampled_from(names)


points = st.builds(GeoPoint, lon=tens, lat=latitudes)
circles = st.builds(GeoRadius, center=points, radius=st.sampled_from([0.5, 1_000_003.0, 2_500_003.0, 9_000_003.0]))


def _corner(lon: int, lat: int) -> GeoPoint:
    return GeoPoint(lon=lon * 10 + 5.5, lat=lat * 10 + 4.5)


@st.composite
def boxes(draw: st.DrawFn) -> GeoBox:
    """Edges between the grid's lines; the left one may lie east of the right one."""
    west, east = draw(st.lists(st.integers(-18, 17), min_size=2, max_size=2, unique=True))
    south, north = sorted(draw(st.lists(st.integers(-8, 8), min_size=2, max_size=2, unique=True)))
    return GeoBox(top_left=_corner(west, north), bottom_right=_corner(east, south))


texts = st.sampled_from(["fox", "red FOX", "Fo", "brown ish red", "żółw", "2026 fox", "nothing"])
searched = st.builds(TextMatch, text=texts) | st.builds(TextMatch, text_any=texts)
anything = keys("label", "tags", "deep.n", "taken", "place", "title", "none", "parts", "lacking", "flag")

inner_tests = st.one_of(
    st.builds(Condition, key=st.just("s"), match=either(words)),
    st.builds(Condition, key=st.just("n"), match=either(numbers)),
    st.builds(Condition, key=st.just("n"), range=ranges(halves)),
    st.builds(Condition, key=keys("s", "n"), is_empty=st.booleans()),
)
inner_lists = st.lists(inner_tests, max_size=2)
inner_filters = st.builds(Filter, must=inner_lists, should=inner_lists, must_not=inner_lists).filter(bool)

tests = st.one_of(
    st.builds(Condition, key=keys("label", "tags", "deep.odd key", "lacking"), match=either(words)),
    st.builds(Condition, key=keys("n", "deep.n"), match=either(numbers)),
    st.builds(Condition, key=st.just("flag"), match=either(st.booleans())),
    st.builds(Condition, key=keys("n", "x", "deep.n"), range=ranges(halves)),
    st.builds(Condition, key=keys("taken", "when"), range=ranges(moments)),
    st.builds(Condition, key=keys("place", "spot"), geo_radius=circles),
    st.builds(Condition, key=keys("place", "spot"), geo_bounding_box=boxes()),
    st.builds(Condition, key=keys("title", "text"), match=searched),
    st.builds(Condition, key=anything, is_empty=st.booleans()),
    st.builds(Condition, key=keys("none", "lacking", "label"), is_null=st.booleans()),
    st.builds(Condition, nested=st.builds(Nested, key=st.just("parts"), filter=inner_filters)),
)


@st.composite
def filters(draw: st.DrawFn, depth: int = 2) -> Filter:
    """Up to `depth` filters within each other."""

    def some() -> list[Condition]:
        return [_inner(draw(filters(depth - 1))) or draw(tests) if deep else draw(tests) for deep in draw(kinds)]

    kinds = st.lists(st.booleans() if depth > 0 else st.just(False), max_size=2)
    return Filter(must=some(), should=some(), must_not=some())


def _inner(one: Filter) -> Condition | None:
    return whole(one) if one else None


def passes(filter_: Filter, payload: Mapping[str, Any]) -> bool:
    return (
        all(holds(one, payload) for one in filter_.must)
        and (not filter_.should or any(holds(one, payload) for one in filter_.should))
        and not any(holds(one, payload) for one in filter_.must_not)
    )


def holds(condition: Condition, payload: Mapping[str, Any]) -> bool:
    if condition.nested is not None:
        objects = values_at(payload, condition.nested.key)
        return any(passes(condition.nested.filter, one) for one in objects)
    if condition.key is None:
        return passes(condition.inner, payload)
    if condition.is_null is not None:
        return (condition.key in payload and payload[condition.key] is None) == condition.is_null
    values = values_at(payload, condition.key)
    if condition.is_empty is not None:
        return (not values) == condition.is_empty
    return any(_fits(condition, value) for value in values)


def _fits(condition: Condition, value: Any) -> bool:
    if condition.range is not None:
        return _within(condition.range, value)
    if condition.geo_radius is not None:
        return _metres(condition.geo_radius.center, value) <= condition.geo_radius.radius
    if condition.geo_bounding_box is not None:
        return _inside(condition.geo_bounding_box, value)
    if isinstance(condition.match, TextMatch):
        return _says(condition.match, value)
    return any(value == one and type(value) is type(one) for one in condition.values)


def values_at(payload: Mapping[str, Any], key: str) -> list[Any]:
    value: Any = payload
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _within(bounds: Range, value: Any) -> bool:
    read = moment if bounds.of_moments else float
    tests: dict[str, Callable[[Any, Any], bool]] = {
        "gt": lambda a, b: a > b, "gte": lambda a, b: a >= b, "lt": lambda a, b: a < b, "lte": lambda a, b: a <= b
    }  # fmt: skip
    return all(tests[name](read(value), read(bound)) for name, bound in bounds.bounds.items())  # type: ignore[arg-type]


def _metres(center: GeoPoint, place: Mapping[str, float]) -> float:
    """Haversine, on a sphere of the mean radius."""
    lat1, lat2 = math.radians(center.lat), math.radians(place["lat"])
    dlat, dlon = lat2 - lat1, math.radians(place["lon"] - center.lon)
    chord = math.sin(dlat / 2) ** 2 + math.cos(lat1) * math.cos(lat2) * math.sin(dlon / 2) ** 2
    return 2 * EARTH_M * math.asin(math.sqrt(min(1.0, chord)))


def _inside(box: GeoBox, place: Mapping[str, float]) -> bool:
    west, east, lon = box.top_left.lon, box.bottom_right.lon, place["lon"]
    across = lon >= west or lon <= east
    return box.bottom_right.lat <= place["lat"] <= box.top_left.lat and (across if west > east else west <= lon <= east)


def _says(match: TextMatch, value: str) -> bool:
    said = set(re.findall(r"\w+", value.lower()))
    wanted = set(re.findall(r"\w+", (match.text or match.text_any or "").lower()))
    return wanted <= said if match.text is not None else bool(wanted & said)
