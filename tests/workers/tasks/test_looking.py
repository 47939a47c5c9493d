"""Facets and neighbours, through a real worker and the embedded store."""

from typing import Any

import msgspec
import pytest

from shared.filters import Condition, Filter
from shared.jobs import Facets, FacetsResult, Neighbours, NeighboursResult
from tests.workers.tasks.stack import Stack
from workers.tasks.names import item_id

pytestmark = pytest.mark.anyio


async def fill(stack: Stack, payloads: list[dict[str, Any]], **spec: Any) -> str:
    collection = await stack.create(**spec)
    files = [stack.file(f"{collection}-{n}.png", payload=payload) for n, payload in enumerate(payloads)]
    assert (await stack.ingest(collection, files)).added == len(payloads)
    return collection


def id_of(collection: str, number: int) -> int:
    return item_id(f"{collection}-{number}.png")


async def around(stack: Stack, collection: str, number: int, **more: int) -> NeighboursResult:
    job = Neighbours(collection=collection, id=id_of(collection, number), **more)
    return msgspec.convert(await stack.answer(job), NeighboursResult)


def numbers(result: NeighboursResult) -> tuple[list[int], list[int]]:
    before, after = ([int(item.source.split("-")[1][:-4]) for item in side] for side in (result.before, result.after))
    return before, after


async def test_values_are_counted_under_a_filter(stack: Stack) -> None:
    payloads = [{"video": f"v{n % 2}", "kind": ["a", "b"][: n % 3], "n": n} for n in range(6)]
    collection = await fill(stack, payloads, group_field="video", payload={"kind": "keyword", "n": "integer"})
    where = Filter(must_not=[Condition(key="n", match=0)])
    job = Facets(collection=collection, fields=["kind", "video"], filter=where)
    kinds, videos = msgspec.convert(await stack.answer(job), FacetsResult).facets
    assert [(one.value, one.count) for one in kinds.values] == [("a", 4), ("b", 2)]
    assert [(one.value, one.count) for one in videos.values] == [("v1", 3), ("v0", 2)]


async def test_what_cannot_be_counted_is_named(stack: Stack) -> None:
    collection = await stack.create(payload={"x": "float"})
    problem = await stack.problem(Facets(collection=collection, fields=["x"]))
    assert (problem.status, problem.field) == (422, "fields[0]")
    wrong = Filter(must=[Condition(key="x", match="a")])
    problem = await stack.problem(Facets(collection=collection, fields=["x"], filter=wrong))
    assert problem.status == 422


async def test_neighbours_stand_in_the_order_of_their_group(stack: Stack) -> None:
    payloads = [{"video": f"v{n % 2}", "position": 100 - n} for n in range(12)]
    collection = await fill(stack, payloads, group_field="video")
    found = await around(stack, collection, 5, before=2, after=2)
    assert (found.group, numbers(found)) == ("v1", ([9, 7], [3, 1]))
    assert found.item is not None
    assert found.item.payload["position"] == 95
    assert numbers(await around(stack, collection, 11, before=3, after=100)) == ([], [9, 7, 5, 3, 1])
    assert numbers(await around(stack, collection, 1, before=0, after=0)) == ([], [])


async def test_a_collection_may_order_by_a_moment(stack: Stack) -> None:
    days = [3, 1, 2]
    payloads = [{"album": 1, "taken": f"2026-01-0{day}T00:00:00Z"} for day in days]
    spec = {"group_field": "album", "order_field": "taken", "payload": {"album": "integer", "taken": "datetime"}}
    collection = await fill(stack, payloads, **spec)
    assert numbers(await around(stack, collection, 2)) == ([1], [0])


async def test_items_at_one_place_stand_in_the_order_of_their_ids(stack: Stack) -> None:
    payloads = [{"video": "v", "position": position} for position in (1, 2, 2, 2, 2, 3)]
    collection = await fill(stack, payloads, group_field="video")
    tied = sorted(range(1, 5), key=lambda number: id_of(collection, number))
    line = [0, *tied, 5]
    for place, number in enumerate(line):
        before, after = line[max(0, place - 2) : place], line[place + 1 : place + 3]
        assert numbers(await around(stack, collection, number, before=2, after=2)) == (before, after)


@pytest.mark.parametrize("payload", [{}, {"video": "v"}, {"position": 3}, {"video": ["v"], "position": 3}])
async def test_an_item_without_a_group_or_a_place_stands_alone(stack: Stack, payload: dict[str, Any]) -> None:
    collection = await fill(stack, [payload, {"video": "v", "position": 4}], group_field="video")
    found = await around(stack, collection, 0)
    assert found.item is not None
    assert (found.group, numbers(found)) == (None, ([], []))


async def test_what_has_no_neighbours_says_so(stack: Stack) -> None:
    collection = await stack.create()
    assert (await stack.problem(Neighbours(collection=collection, id=1))).field == "name"
    grouped = await stack.create(group_field="video")
    assert (await around(stack, grouped, 1)).item is None
